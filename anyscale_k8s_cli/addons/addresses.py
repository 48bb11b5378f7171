"""The address of a Gateway, and why there is none: a closed list of causes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.diagnosis import conditions_of, diagnose_workload, events_about
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

_OWNER = "gateway.envoyproxy.io/owning-gateway"
_API = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True)
class Address:
    """Where a Gateway is reached: a DNS name or an IP address."""

    value: str
    is_ip: bool


class Cause(StrEnum):
    """Why a Gateway has no address; `details["cause"]` of a `no-address` error."""

    NO_CONTROLLER = "no-controller"
    GATEWAY_REFUSED = "gateway-refused"
    NO_SERVICE = "no-service"
    LOAD_BALANCER_FAILED = "load-balancer-failed"
    NOT_SERVED = "not-served"
    PROXY_NOT_READY = "proxy-not-ready"


_FIXES = {
    Cause.NO_CONTROLLER: "see why with: kubectl logs deployment/envoy-gateway "
    "-n envoy-gateway-system; then run the same command again",
    Cause.GATEWAY_REFUSED: "correct what the condition names and run the same command again",
    Cause.NO_SERVICE: "see why with: kubectl logs deployment/envoy-gateway "
    "-n envoy-gateway-system; then run the same command again",
    Cause.LOAD_BALANCER_FAILED: "mend what the event says (rights, subnets, quota) and run the "
    "same command again",
    Cause.NOT_SERVED: "see that this controller runs and watches all namespaces, and run the same "
    "command again",
    Cause.PROXY_NOT_READY: "mend what the evidence says and run the same command again",
}


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
    return f"{_OWNER}-name={gateway.name},{_OWNER}-namespace={gateway.namespace}"


def service_addresses(service: Document) -> list[str]:
    """The load balancer's addresses, as the platform wrote them."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [item.get("hostname") or item.get("ip") for item in ingress]


def no_address(
    kubernetes: Kubernetes, gateway: Reference, found: Document | None, seen: str, served_by: str
) -> errors.CliError:
    """The error for a Gateway that got no address in time."""
    try:
        cause, text, evidence = _look(kubernetes, gateway, found or {}, served_by)
    except errors.CliError as problem:
        # Looking failed too; what was seen before is all there is to tell.
        return errors.CliError(
            errors.NO_ADDRESS, f"{gateway} has no address", cause=seen, evidence=(str(problem),)
        )
    return errors.CliError(
        errors.NO_ADDRESS,
        f"{gateway} has no address",
        cause=text,
        evidence=evidence,
        fix=_FIXES[cause],
        details={"cause": cause.value},
    )


def _look(
    kubernetes: Kubernetes, gateway: Reference, found: Document, served_by: str
) -> tuple[Cause, str, tuple[str, ...]]:
    conditions = conditions_of(found)
    class_name = found.get("spec", {}).get("gatewayClassName", "")
    gateway_class = kubernetes.get(_API, "GatewayClass", class_name) if class_name else None
    if not _is_true(gateway_class or {}, "Accepted"):
        evidence = conditions_of(gateway_class or {})
        return Cause.NO_CONTROLLER, f"no controller has accepted its class {class_name}", evidence
    accepted = _condition(found, "Accepted")
    if accepted.get("status") == "False":
        text = f"{accepted.get('reason')}: {accepted.get('message')}"
        return Cause.GATEWAY_REFUSED, text, conditions
    services = proxy_services(kubernetes, gateway)
    if not services:
        return Cause.NO_SERVICE, "its controller has made no Service for it", conditions
    service = services[0]
    reference = Reference.of(service)
    if not service_addresses(service):
        events = events_about(kubernetes, reference)
        if events:
            text = f"{reference}: {events[-1]}"
            return Cause.LOAD_BALANCER_FAILED, text, events
        text = f"nobody answers for {reference}, without any event; {served_by} should"
        return Cause.NOT_SERVED, text, conditions
    return _proxy_not_ready(kubernetes, gateway, conditions)


def _proxy_not_ready(
    kubernetes: Kubernetes, gateway: Reference, conditions: tuple[str, ...]
) -> tuple[Cause, str, tuple[str, ...]]:
    deployments = kubernetes.list("apps/v1", "Deployment", label_selector=service_selector(gateway))
    for deployment in deployments:
        diagnosis = diagnose_workload(kubernetes, Reference.of(deployment))
        if diagnosis is not None:
            return Cause.PROXY_NOT_READY, diagnosis.cause, diagnosis.evidence
    return Cause.PROXY_NOT_READY, "its load balancer is there, and no proxy behind it", conditions


def _condition(document: Document, kind: str) -> Document:
    conditions: Documents = (document.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})


def _is_true(document: Document, kind: str) -> bool:
    return _condition(document, kind).get("status") == "True"
