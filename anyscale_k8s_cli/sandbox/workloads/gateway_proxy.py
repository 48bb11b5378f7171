"""The proxy that Envoy Gateway runs for a Gateway: a Deployment and its Service."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

OWNER_NAME = "gateway.envoyproxy.io/owning-gateway-name"
OWNER_NAMESPACE = "gateway.envoyproxy.io/owning-gateway-namespace"
# Every proxy of any Gateway; the controller finds its own work by it.
MANAGED = "app.kubernetes.io/managed-by=envoy-gateway,app.kubernetes.io/component=proxy"
_IMAGE = "docker.io/envoyproxy/envoy:distroless-v1.37.0"
# Ports below 1024 are moved, so that the proxy needs no privileges.
_MOVED = 10000
_LONGEST = 48
# As Envoy Gateway has them where nobody says more.
_REQUESTS = {
    "envoy": {"requests": {"cpu": "100m", "memory": "512Mi"}},
    "shutdown-manager": {"requests": {"cpu": "10m", "memory": "32Mi"}},
}
_PASSED_ON = (
    "loadBalancerClass",
    "allocateLoadBalancerNodePorts",
    "loadBalancerSourceRanges",
    "loadBalancerIP",
)


def proxy_name(namespace: str, gateway: str) -> str:
    """`envoy-<namespace>-<gateway>-<hash>`, cut so that it fits."""
    full = f"{namespace}/{gateway}"
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"envoy-{full.replace('/', '-')[: _LONGEST - len(digest) - 1]}-{digest}"


def proxy_labels(gateway: Object) -> dict[str, str]:
    metadata = gateway["metadata"]
    return {
        "app.kubernetes.io/name": "envoy",
        "app.kubernetes.io/component": "proxy",
        "app.kubernetes.io/managed-by": "envoy-gateway",
        OWNER_NAMESPACE: metadata["namespace"],
        OWNER_NAME: metadata["name"],
    }


def proxy_deployment(
    gateway: Object, envoy_proxy: Object | None, namespace: str, shutdown_manager: str
) -> Object:
    """The proxy's Deployment in the controller's namespace; `shutdown_manager` is an image."""
    wanted = _kubernetes(envoy_proxy).get("envoyDeployment") or {}
    container = wanted.get("container") or {}
    pod = wanted.get("pod") or {}
    labels = proxy_labels(gateway)
    placement = ("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints")
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(gateway, namespace, labels, {}),
        "spec": {
            "replicas": wanted.get("replicas", 1),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    "labels": {**(pod.get("labels") or {}), **labels},
                    "annotations": pod.get("annotations") or {},
                },
                "spec": {
                    **{key: pod[key] for key in placement if pod.get(key)},
                    **(
                        {"imagePullSecrets": pod["imagePullSecrets"]}
                        if pod.get("imagePullSecrets")
                        else {}
                    ),
                    "automountServiceAccountToken": False,
                    "containers": [
                        {
                            "name": "envoy",
                            "image": container.get("image") or _IMAGE,
                            "resources": container.get("resources") or _REQUESTS["envoy"],
                        },
                        {
                            "name": "shutdown-manager",
                            "image": shutdown_manager,
                            "command": ["envoy-gateway", "envoy", "shutdown-manager"],
                            "resources": _REQUESTS["shutdown-manager"],
                        },
                    ],
                },
            },
        },
    }


def proxy_service(
    gateway: Object, envoy_proxy: Object | None, namespace: str, ready: Iterable[str]
) -> Object:
    """The proxy's Service: one port for each port of the listeners in `ready` (names)."""
    wanted = _kubernetes(envoy_proxy).get("envoyService") or {}
    infrastructure = gateway["spec"].get("infrastructure") or {}
    kind = wanted.get("type", "LoadBalancer")
    ports = _ports(gateway, set(ready))
    annotations = {**(wanted.get("annotations") or {}), **(infrastructure.get("annotations") or {})}
    labels = {
        **(wanted.get("labels") or {}),
        **(infrastructure.get("labels") or {}),
        **proxy_labels(gateway),
    }
    spec: Object = {"type": kind, "selector": proxy_labels(gateway), "ports": ports}
    if kind == "LoadBalancer":
        spec |= {key: wanted[key] for key in _PASSED_ON if wanted.get(key) is not None}
    if kind != "ClusterIP":
        spec["externalTrafficPolicy"] = wanted.get("externalTrafficPolicy", "Local")
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(gateway, namespace, labels, annotations),
        "spec": spec,
    }


def service_addresses(service: Object | None) -> tuple[Object, ...]:
    """The addresses that a Service has been given, as a Gateway's status has them."""
    if service is None:
        return ()
    if service["spec"]["type"] == "ClusterIP":
        return ({"type": "IPAddress", "value": service["spec"]["clusterIP"]},)
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return tuple(
        {"type": "Hostname", "value": entry["hostname"]}
        if entry.get("hostname")
        else {"type": "IPAddress", "value": entry["ip"]}
        for entry in given
    )


def _kubernetes(envoy_proxy: Object | None) -> Object:
    provider = ((envoy_proxy or {}).get("spec") or {}).get("provider") or {}
    found: Object = provider.get("kubernetes") or {}
    return found


def _metadata(
    gateway: Object, namespace: str, labels: dict[str, str], annotations: dict[str, str]
) -> Object:
    owner = gateway["metadata"]
    metadata: Object = {
        "name": proxy_name(owner["namespace"], owner["name"]),
        "namespace": namespace,
        "labels": labels,
    }
    if annotations:
        metadata["annotations"] = annotations
    return metadata


def _ports(gateway: Object, ready: set[str]) -> list[Object]:
    ports: dict[int, Object] = {}
    for listener in gateway["spec"]["listeners"]:
        number = listener["port"]
        if listener["name"] in ready and number not in ports:
            target = number + _MOVED if number < 1024 else number
            name = f"{listener['protocol'].lower()}-{number}"
            ports[number] = {"name": name, "port": number, "targetPort": target, "protocol": "TCP"}
    return list(ports.values())
