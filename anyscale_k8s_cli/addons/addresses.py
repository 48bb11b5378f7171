"""The address of a Gateway, and why there is none: a closed list of causes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.diagnosis import conditions_of, diagnose_workload, warnings_about
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.provider import LoadBalancer

_OWNER = "gateway.envoyproxy.io/owning-gateway"
_API = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True)
class Address:
    """Where a Gateway is reached: a DNS name or an IP address."""

    value: str
    is_ip: bool


class Cause(StrEnum):
    """Why a Gateway has no address; `details["cause"]` of a `no-address` error."""

    NO_CLASS = "no-class"
    NO_CONTROLLER = "no-controller"
    GATEWAY_REFUSED = "gateway-refused"
    NO_SERVICE = "no-service"
    LOAD_BALANCER_FAILED = "load-balancer-failed"
    NOT_SERVED = "not-served"
    PROXY_NOT_READY = "proxy-not-ready"


@dataclass(frozen=True)
class NoAddress:
    """One of the causes, in words, with what was seen of the object that blocks."""

    cause: Cause
    text: str
    evidence: tuple[str, ...]
    fix: str


_AGAIN = "and run the same command again"
_CONTROLLER_LOGS = "kubectl logs --namespace envoy-gateway-system deployment/envoy-gateway"


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
    kubernetes: Kubernetes,
    gateway: Reference,
    found: Document | None,
    seen: str,
    server: LoadBalancer | None,
) -> errors.CliError:
    """The error for a Gateway that got no address in time."""
    try:
        why = why_no_address(kubernetes, gateway, found or {}, server)
    except errors.CliError as problem:
        # Looking failed too; what was seen before is all there is to tell.
        return errors.CliError(
            errors.NO_ADDRESS,
            f"{gateway} has no address",
            cause=seen,
            evidence=(str(problem),),
            fix=f"see why with `kubectl describe gateway --namespace {gateway.namespace} "
            f"{gateway.name}` {_AGAIN}",
        )
    return errors.CliError(
        errors.NO_ADDRESS,
        f"{gateway} has no address",
        cause=why.text,
        evidence=why.evidence,
        fix=why.fix,
        details={"cause": why.cause.value},
    )


def why_no_address(
    kubernetes: Kubernetes, gateway: Reference, found: Document, server: LoadBalancer | None
) -> NoAddress:
    """Look from the Gateway outwards; the first that is not as it should be is the cause.

    `server` says who is to serve the load balancer, where that is known.
    """
    return (
        _of_class(kubernetes, found)
        or _of_gateway(found)
        or _of_service(kubernetes, gateway, found, server)
        or _of_proxy(kubernetes, gateway, found)
    )


def _of_class(kubernetes: Kubernetes, gateway: Document) -> NoAddress | None:
    name = gateway.get("spec", {}).get("gatewayClassName", "")
    found = kubernetes.get(_API, "GatewayClass", name) if name else None
    if found is None:
        text = f"its GatewayClass {name} is not there"
        return NoAddress(Cause.NO_CLASS, text, conditions_of(gateway), f"make it {_AGAIN}")
    if _condition(found, "Accepted").get("status") == "True":
        return None
    text = f"no controller has accepted its GatewayClass {name}"
    fix = f"see why with `{_CONTROLLER_LOGS}` {_AGAIN}"
    return NoAddress(Cause.NO_CONTROLLER, text, conditions_of(found), fix)


def _of_gateway(gateway: Document) -> NoAddress | None:
    accepted = _condition(gateway, "Accepted")
    if accepted.get("status") != "False":
        return None
    text = f"{accepted.get('reason')}: {accepted.get('message')}"
    fix = f"correct what the condition names {_AGAIN}"
    return NoAddress(Cause.GATEWAY_REFUSED, text, conditions_of(gateway), fix)


def _of_service(
    kubernetes: Kubernetes, gateway: Reference, found: Document, server: LoadBalancer | None
) -> NoAddress | None:
    services = proxy_services(kubernetes, gateway)
    conditions = conditions_of(found)
    if not services:
        fix = f"see why with `{_CONTROLLER_LOGS}` {_AGAIN}"
        return NoAddress(
            Cause.NO_SERVICE, "its controller has made no Service for it", conditions, fix
        )
    service = services[0]
    reference = Reference.of(service)
    if service_addresses(service):
        return None
    warnings = warnings_about(kubernetes, reference)
    if warnings:
        return NoAddress(
            Cause.LOAD_BALANCER_FAILED,
            f"{reference}: {warnings[-1]}",
            (*conditions, *(f"event {line}" for line in warnings)),
            f"mend what the event says (rights, subnets, quota) {_AGAIN}",
        )
    served_by = server.served_by if server else "its controller"
    look = server.logs if server and server.logs else f"kubectl describe {_words(reference)}"
    return NoAddress(
        Cause.NOT_SERVED,
        f"nobody answers for {reference}, without any warning; {served_by} should",
        conditions,
        f"see that {served_by} runs and watches all namespaces (`{look}`) {_AGAIN}",
    )


def _of_proxy(kubernetes: Kubernetes, gateway: Reference, found: Document) -> NoAddress:
    fix = f"mend what the evidence says {_AGAIN}"
    deployments = kubernetes.list("apps/v1", "Deployment", label_selector=service_selector(gateway))
    for deployment in deployments:
        diagnosis = diagnose_workload(kubernetes, Reference.of(deployment))
        if diagnosis is not None:
            return NoAddress(Cause.PROXY_NOT_READY, diagnosis.cause, diagnosis.evidence, fix)
    text = "its load balancer is there, and no proxy behind it"
    return NoAddress(Cause.PROXY_NOT_READY, text, conditions_of(found), fix)


def _words(reference: Reference) -> str:
    """An object in kubectl's words."""
    return f"{reference.kind.lower()} --namespace {reference.namespace} {reference.name}"


def _condition(document: Document, kind: str) -> Document:
    conditions: Documents = (document.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})
