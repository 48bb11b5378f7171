"""What an install may have in its cluster, by the names that follow from it: nothing is asked."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.addons import gateway_controller, gpu
from anyscale_k8s_cli.addons.gateway_definitions import ENVOY_GATEWAY, GATEWAY_API
from anyscale_k8s_cli.addons.names import GATEWAY, OPERATOR_RELEASE, SERVICE_ACCOUNT
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Ownership


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
    return (
        _ours(f"helm:release/{own}/{OPERATOR_RELEASE}", "Anyscale operator"),
        _ours(f"k8s:serviceaccount/{own}/{SERVICE_ACCOUNT}", "Operator's service account"),
        _ours(f"k8s:gateway/{own}/{GATEWAY}", "Gateway with its load balancer"),
        _ours(f"k8s:gatewayclass/{install.name(limit=63)}", "Gateway class"),
        _ours(f"k8s:envoyproxy/{own}/{GATEWAY}", "Proxy settings"),
        _shared(f"k8s:namespace/{own}", f"Namespace {own}"),
        _shared(f"helm:release/{controller}/{gateway_controller.RELEASE}", "Gateway controller"),
        _shared(f"k8s:namespace/{controller}", f"Namespace {controller}"),
        _shared(f"k8s:definitions/{GATEWAY_API}", "Gateway API definitions"),
        _shared(f"k8s:definitions/{ENVOY_GATEWAY}", "Envoy Gateway's definitions"),
        _shared(f"helm:release/{gpu.NAMESPACE}/{gpu.RELEASE}", "GPU device plugin"),
        _shared(f"k8s:namespace/{gpu.NAMESPACE}", f"Namespace {gpu.NAMESPACE}"),
    )


def _ours(key: str, title: str) -> Trace:
    return Trace(key, title, Ownership.OURS)


def _shared(key: str, title: str) -> Trace:
    return Trace(key, title, Ownership.SHARED)
