"""Where a way in is reached, as a Gateway's status or a Service's tells it."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

# What labels of a proxy begin with that tell whose it is.
OWNER = "gateway.envoyproxy.io/owning-gateway"


@dataclass(frozen=True)
class Address:
    """Where a Gateway is reached: a DNS name or an IP address."""

    value: str
    is_ip: bool


def address_of(gateway: Document) -> Address | None:
    """The first address in a Gateway's status."""
    for item in (gateway.get("status") or {}).get("addresses") or []:
        if item.get("value"):
            return Address(item["value"], item.get("type", "IPAddress") == "IPAddress")
    return None


def proxy_services(kubernetes: Kubernetes, gateway: Reference) -> Documents:
    """The Services that Envoy Gateway made for a Gateway, wherever it runs its proxies."""
    return kubernetes.list("v1", "Service", label_selector=service_selector(gateway))


def service_selector(gateway: Reference) -> str:
    """By which the proxy's Service and Deployment are found."""
    return ",".join(f"{key}={value}" for key, value in service_labels(gateway).items())


def service_labels(gateway: Reference) -> dict[str, str]:
    return {f"{OWNER}-name": gateway.name, f"{OWNER}-namespace": gateway.namespace or ""}


def service_addresses(service: Document) -> list[str]:
    """The load balancer's addresses, as the platform wrote them."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [item.get("hostname") or item.get("ip") for item in ingress]


def service_reached(service: Document) -> Address | None:
    """The first address of a Service's load balancer."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    for item in ingress:
        if item.get("hostname") or item.get("ip"):
            return Address(item.get("hostname") or item["ip"], not item.get("hostname"))
    return None
