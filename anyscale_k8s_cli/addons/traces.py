"""What an install may have in its cluster, by the names that follow from it: nothing is asked."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.addons import gateway_controller, gpu
from anyscale_k8s_cli.addons.gateway_definitions import ENVOY_GATEWAY, GATEWAY_API
from anyscale_k8s_cli.addons.names import (
    GATEWAY,
    OPERATOR_RELEASE,
    SERVICE_ACCOUNT,
    WORKLOAD_ACCOUNT,
)
from anyscale_k8s_cli.addons.nginx import ingress_key
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Ownership

GPU_PLUGIN_KEY = f"helm:release/{gpu.NAMESPACE}/{gpu.RELEASE}"


@dataclass(frozen=True)
class Trace:
    """An object by key and title; a shared one may be there for others, or be another's."""

    key: str
    title: str
    ownership: Ownership


def traces(install: Install) -> tuple[Trace, ...]:
    """All that setup makes in a cluster where nobody else has: exact in names, not in presence."""
    own = install.namespace
    controller = gateway_controller.NAMESPACE
    gateway, gateway_class, proxy = gateway_keys(install)
    return (
        _ours(operator_key(own), "Anyscale operator"),
        _ours(account_key(install), "Operator's service account"),
        _ours(account_key(install, WORKLOAD_ACCOUNT), "Service account of Ray's pods"),
        _ours(gateway, "Gateway with its load balancer"),
        _ours(gateway_class, "Gateway class"),
        _ours(proxy, "Proxy settings"),
        _ours(ingress_key(own), "Ingress controller with its load balancer"),
        _shared(f"k8s:namespace/{own}", f"Namespace {own}"),
        _shared(f"helm:release/{controller}/{gateway_controller.RELEASE}", "Gateway controller"),
        _shared(f"k8s:namespace/{controller}", f"Namespace {controller}"),
        _shared(f"k8s:definitions/{GATEWAY_API}", "Gateway API definitions"),
        _shared(f"k8s:definitions/{ENVOY_GATEWAY}", "Envoy Gateway's definitions"),
        _shared(GPU_PLUGIN_KEY, "GPU device plugin"),
        _shared(f"k8s:namespace/{gpu.NAMESPACE}", f"Namespace {gpu.NAMESPACE}"),
    )


def operator_key(namespace: str) -> str:
    return f"helm:release/{namespace}/{OPERATOR_RELEASE}"


def account_key(install: Install, name: str = SERVICE_ACCOUNT) -> str:
    return f"k8s:serviceaccount/{install.namespace}/{name}"


def gateway_keys(install: Install) -> tuple[str, str, str]:
    """Of the Gateway, its class, and the settings of its proxy."""
    own = install.namespace
    return (
        f"k8s:gateway/{own}/{GATEWAY}",
        f"k8s:gatewayclass/{install.name(limit=63)}",
        f"k8s:envoyproxy/{own}/{GATEWAY}",
    )


def _ours(key: str, title: str) -> Trace:
    return Trace(key, title, Ownership.OURS)


def _shared(key: str, title: str) -> Trace:
    return Trace(key, title, Ownership.SHARED)
