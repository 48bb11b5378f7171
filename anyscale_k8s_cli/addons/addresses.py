"""The address of a Gateway, and why there is none: a closed list of causes."""

from __future__ import annotations

from collections.abc import Sequence
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
    NOT_AS_ASKED = "not-as-asked"
    PROXY_NOT_READY = "proxy-not-ready"


@dataclass(frozen=True)
class NoAddress:
    """One of the causes, in words, with what was seen of the object that blocks.

    `look` is the command that shows more of it, `mend` what to do then.
    """

    cause: Cause
    text: str
    evidence: tuple[str, ...]
    look: str
    mend: str = "mend what it shows"

    @property
    def fix(self) -> str:
        return f"{self.look}\n{self.mend}, and run the same command again"


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
    return {f"{_OWNER}-name": gateway.name, f"{_OWNER}-namespace": gateway.namespace or ""}


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
        look = _describe(kubernetes, gateway)
        why = NoAddress(Cause.GATEWAY_REFUSED, seen, (str(problem),), look)
    return errors.CliError(
        errors.NO_ADDRESS,
        f"{gateway} has no address",
        cause=why.text,
        evidence=why.evidence,
        fix=why.fix,
        details={"cause": why.cause.value},
    )


def no_ingress_address(
    kubernetes: Kubernetes,
    service: Reference,
    found: Document | None,
    seen: str,
    server: LoadBalancer | None,
) -> errors.CliError:
    """The error for an ingress controller whose Service got no address in time."""
    why = found and service_in_the_way(kubernetes, found, (), server)
    if not why:
        why = NoAddress(Cause.NO_SERVICE, seen, (), _describe(kubernetes, service))
    return errors.CliError(
        errors.NO_ADDRESS,
        f"{service} has no address",
        cause=why.text,
        evidence=why.evidence,
        fix=why.fix,
        details={"cause": why.cause.value},
    )


def why_no_address(
    kubernetes: Kubernetes, gateway: Reference, found: Document, server: LoadBalancer | None
) -> NoAddress:
    """The cause; where all else is in order, it is the proxy behind the load balancer."""
    return in_the_way(kubernetes, gateway, found, server) or _of_proxy(kubernetes, gateway, found)


def in_the_way(
    kubernetes: Kubernetes, gateway: Reference, found: Document, server: LoadBalancer | None
) -> NoAddress | None:
    """Look from the Gateway outwards for the first that keeps its address from coming.

    `server` says who is to serve the load balancer, where that is known.
    """
    return (
        _of_class(kubernetes, found)
        or _of_gateway(kubernetes, found)
        or _of_service(kubernetes, gateway, found, server)
    )


def _of_class(kubernetes: Kubernetes, gateway: Document) -> NoAddress | None:
    name = gateway.get("spec", {}).get("gatewayClassName", "")
    found = kubernetes.get(_API, "GatewayClass", name) if name else None
    look = kubernetes.access.kubectl("get gatewayclass")
    if found is None:
        text = f"its GatewayClass {name} is not there"
        return NoAddress(Cause.NO_CLASS, text, conditions_of(gateway), look, "make it")
    if found["metadata"].get("deletionTimestamp"):
        text = f"its GatewayClass {name} is being deleted"
        return NoAddress(Cause.NO_CLASS, text, conditions_of(gateway), look)
    if _condition(found, "Accepted").get("status") == "True":
        return None
    text = f"no controller has accepted its GatewayClass {name}"
    return NoAddress(Cause.NO_CONTROLLER, text, conditions_of(found), _logs(kubernetes))


def _of_gateway(kubernetes: Kubernetes, gateway: Document) -> NoAddress | None:
    accepted = _condition(gateway, "Accepted")
    if accepted.get("status") != "False":
        return None
    text = f"{accepted.get('reason')}: {accepted.get('message')}"
    look = _describe(kubernetes, Reference.of(gateway))
    return NoAddress(
        Cause.GATEWAY_REFUSED, text, conditions_of(gateway), look, "correct what it names"
    )


def _of_service(
    kubernetes: Kubernetes, gateway: Reference, found: Document, server: LoadBalancer | None
) -> NoAddress | None:
    services = proxy_services(kubernetes, gateway)
    conditions = conditions_of(found)
    if not services:
        text = "its controller has made no Service for it"
        return NoAddress(Cause.NO_SERVICE, text, conditions, _logs(kubernetes))
    return service_in_the_way(kubernetes, services[0], conditions, server)


def of_ingress_controller(
    kubernetes: Kubernetes, workload: Reference, service: Document, server: LoadBalancer | None
) -> NoAddress | None:
    """What keeps users from an ingress controller: its load balancer, or its own pods."""
    blocker = service_in_the_way(kubernetes, service, (), server)
    if blocker is not None:
        return blocker
    found = kubernetes.get("apps/v1", "Deployment", workload.name, workload.namespace)
    if found is not None and (found.get("status") or {}).get("availableReplicas"):
        return None
    diagnosis = diagnose_workload(kubernetes, workload)
    if diagnosis is None:
        return None
    look = _describe(kubernetes, workload)
    return NoAddress(Cause.PROXY_NOT_READY, diagnosis.cause, diagnosis.evidence, look)


def service_in_the_way(
    kubernetes: Kubernetes,
    service: Document,
    conditions: tuple[str, ...],
    server: LoadBalancer | None,
) -> NoAddress | None:
    """Why the Service has no load balancer, or another one than it should; None if it has."""
    reference = Reference.of(service)
    given = service_addresses(service)
    if given:
        return _of_load_balancer(kubernetes, reference, given, conditions, server)
    warnings = warnings_about(kubernetes, reference)
    if warnings:
        return NoAddress(
            Cause.LOAD_BALANCER_FAILED,
            f"{reference}: {warnings[-1]}",
            (*conditions, *(f"event {line}" for line in warnings)),
            _describe(kubernetes, reference),
            "mend what the event says: rights, subnets, quota",
        )
    served_by = server.served_by if server else "its controller"
    return NoAddress(
        Cause.NOT_SERVED,
        f"nobody answers for {reference}, without any warning; {served_by} should",
        conditions,
        kubernetes.access.kubectl(server.logs)
        if server and server.logs
        else _describe(kubernetes, reference),
        f"see that {served_by} runs and watches all namespaces",
    )


def _of_load_balancer(
    kubernetes: Kubernetes,
    service: Reference,
    given: Sequence[str],
    conditions: tuple[str, ...],
    server: LoadBalancer | None,
) -> NoAddress | None:
    for address in given:
        unlike = server.unlike(address) if server and server.unlike else ""
        if unlike:
            return NoAddress(
                Cause.NOT_AS_ASKED,
                f"the load balancer {address} {unlike}",
                conditions,
                kubernetes.access.kubectl(f"delete {_words(service)}"),
                "another is made in its place",
            )
    return None


def _of_proxy(kubernetes: Kubernetes, gateway: Reference, found: Document) -> NoAddress:
    deployments = kubernetes.list("apps/v1", "Deployment", label_selector=service_selector(gateway))
    for deployment in deployments:
        reference = Reference.of(deployment)
        diagnosis = diagnose_workload(kubernetes, reference)
        if diagnosis is not None:
            look = _describe(kubernetes, reference)
            return NoAddress(Cause.PROXY_NOT_READY, diagnosis.cause, diagnosis.evidence, look)
    text = "its load balancer is there, and no proxy behind it"
    return NoAddress(
        Cause.PROXY_NOT_READY, text, conditions_of(found), _describe(kubernetes, gateway)
    )


def _logs(kubernetes: Kubernetes) -> str:
    """What the controller that setup installs says."""
    return kubernetes.access.kubectl("logs -n envoy-gateway-system deployment/envoy-gateway")


def _describe(kubernetes: Kubernetes, reference: Reference) -> str:
    return kubernetes.access.kubectl(f"describe {_words(reference)}")


def _words(reference: Reference) -> str:
    """An object in kubectl's words."""
    place = f"--namespace {reference.namespace} " if reference.namespace else ""
    return f"{place}{reference.kind.lower()} {reference.name}"


def _condition(document: Document, kind: str) -> Document:
    conditions: Documents = (document.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})
