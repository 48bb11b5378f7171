"""Why users are not let in at an address, looked for from where they come in outwards."""

from __future__ import annotations

from dataclasses import replace

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.addresses import proxy_services, service_selector
from anyscale_k8s_cli.addons.gateway_controller import CONTROLLER, NAMESPACE, home, running
from anyscale_k8s_cli.addons.no_load_balancer import NoAddress, describe, of_service
from anyscale_k8s_cli.cluster.diagnosis import conditions_of, diagnose_workload
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.quantities import amount
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.troubles import Cause

_API = "gateway.networking.k8s.io/v1"
# What a namespace may be allowed so many of, where there is to be one more.
_COUNTED = ("services.loadbalancers", "count/services", "services")


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
        why = NoAddress(Cause.UNKNOWN, seen, (str(problem),), describe(kubernetes, gateway))
    return why.error(gateway)


def no_ingress_address(
    kubernetes: Kubernetes,
    service: Reference,
    found: Document | None,
    seen: str,
    server: LoadBalancer | None,
) -> errors.CliError:
    """The error for an ingress controller whose Service got no address in time."""
    why = of_service(kubernetes, found, server) if found else None
    if why is None:
        cause = Cause.UNKNOWN if found else Cause.NO_SERVICE
        why = NoAddress(cause, seen, (), describe(kubernetes, service))
    return why.error(service)


def proxies(kubernetes: Kubernetes, gateway: Reference) -> tuple[Reference, ...]:
    """The Deployments that its controller has made for it."""
    selector = service_selector(gateway)
    return tuple(
        map(Reference.of, kubernetes.list("apps/v1", "Deployment", label_selector=selector))
    )


def without_node(
    kubernetes: Kubernetes, gateway: Reference, found: Document | None
) -> errors.CliError:
    """The error for a Gateway whose proxies get no node, or may not be made."""
    return _of_proxy(kubernetes, gateway, found or {}).error(gateway)


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
        or _of_services(kubernetes, gateway, found, server)
    )


def of_ingress_controller(
    kubernetes: Kubernetes, workload: Reference, service: Document, server: LoadBalancer | None
) -> NoAddress | None:
    """What keeps users from an ingress controller: its load balancer, or its own pods."""
    blocker = of_service(kubernetes, service, server)
    if blocker is not None:
        return blocker
    found = kubernetes.get("apps/v1", "Deployment", workload.name, workload.namespace)
    if found is not None and (found.get("status") or {}).get("availableReplicas"):
        return None
    return _not_ready(kubernetes, workload)


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
    accepted = _condition(found, "Accepted")
    if accepted.get("status") == "True":
        return None
    if accepted.get("status") == "False":
        text = f"its GatewayClass {name}: {accepted.get('reason')}: {accepted.get('message')}"
        look = describe(kubernetes, Reference.of(found))
        return NoAddress(
            Cause.GATEWAY_REFUSED, text, conditions_of(found), look, "correct what it names"
        )
    return _of_controller(kubernetes, found)


def _of_controller(kubernetes: Kubernetes, its_class: Document) -> NoAddress:
    """Nobody has answered for the class: whoever should does not run, or is not there."""
    name, wanted = its_class["metadata"]["name"], its_class["spec"].get("controllerName")
    text = f"no controller has accepted its GatewayClass {name}"
    conditions = conditions_of(its_class)
    if wanted != CONTROLLER:
        look = describe(kubernetes, Reference.of(its_class))
        mend = f"see that the controller {wanted} runs"
        return NoAddress(Cause.NO_CONTROLLER, text, conditions, look, mend)
    found = running(kubernetes)
    if found is None:
        look = kubernetes.access.kubectl(f"get deployments -n {NAMESPACE}")
        text = f"{text}: no Envoy Gateway is there"
        return NoAddress(Cause.NO_CONTROLLER, text, conditions, look, "install it")
    diagnosis = None
    if not (found.get("status") or {}).get("availableReplicas"):
        diagnosis = diagnose_workload(kubernetes, Reference.of(found))
    if diagnosis is not None:
        text, conditions = f"{text}: {diagnosis.cause}", (*conditions, *diagnosis.evidence)
    return NoAddress(Cause.NO_CONTROLLER, text, conditions, _logs(kubernetes, found))


def _of_gateway(kubernetes: Kubernetes, gateway: Document) -> NoAddress | None:
    accepted = _condition(gateway, "Accepted")
    if accepted.get("status") != "False":
        return None
    text = f"{accepted.get('reason')}: {accepted.get('message')}"
    look = describe(kubernetes, Reference.of(gateway))
    return NoAddress(
        Cause.GATEWAY_REFUSED, text, conditions_of(gateway), look, "correct what it names"
    )


def _of_services(
    kubernetes: Kubernetes, gateway: Reference, found: Document, server: LoadBalancer | None
) -> NoAddress | None:
    services = proxy_services(kubernetes, gateway)
    conditions = conditions_of(found)
    if services:
        return of_service(kubernetes, services[0], server, conditions)
    place = home(kubernetes)
    used_up = _used_up(kubernetes, place)
    if used_up:
        look = kubernetes.access.kubectl(f"describe resourcequota -n {place}")
        text = f"no Service can be made for it in namespace {place}: {used_up}"
        return NoAddress(Cause.QUOTA, text, conditions, look, "let the quota allow one more")
    text = "its controller has made no Service for it"
    controller = running(kubernetes)
    look = _logs(kubernetes, controller) if controller else describe(kubernetes, gateway)
    return NoAddress(Cause.NO_SERVICE, text, conditions, look)


def _used_up(kubernetes: Kubernetes, namespace: str) -> str:
    """Which quota of a namespace lets no further Service be made; empty for none."""
    for quota in kubernetes.list("v1", "ResourceQuota", namespace):
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for name in _COUNTED:
            if name in hard and amount(used.get(name, 0)) >= amount(hard[name]):
                own = quota["metadata"]["name"]
                return f"quota {own} allows {hard[name]} {name}, and {used.get(name)} are there"
    return ""


def _of_proxy(kubernetes: Kubernetes, gateway: Reference, found: Document) -> NoAddress:
    for deployment in proxies(kubernetes, gateway):
        blocker = _not_ready(kubernetes, deployment)
        if blocker is not None:
            return blocker
    text = "its load balancer is there, and no proxy behind it"
    return NoAddress(
        Cause.PROXY_NOT_READY, text, conditions_of(found), describe(kubernetes, gateway)
    )


def _not_ready(kubernetes: Kubernetes, workload: Reference) -> NoAddress | None:
    diagnosis = diagnose_workload(kubernetes, workload)
    if diagnosis is None:
        return None
    text = diagnosis.told if diagnosis.refused else diagnosis.cause
    look = describe(kubernetes, workload)
    found = NoAddress(Cause.PROXY_NOT_READY, text, diagnosis.evidence, look)
    if diagnosis.denial is not None and diagnosis.denial.look:
        look = kubernetes.access.kubectl(diagnosis.denial.look)
        return replace(found, look=look, mend=f"ask whoever keeps it to {diagnosis.denial.plea}")
    if diagnosis.pull is not None and diagnosis.pull.mend:
        return replace(found, mend=diagnosis.pull.mend)
    return found


def _logs(kubernetes: Kubernetes, controller: Document) -> str:
    """What the controller of the Gateway says."""
    where = controller["metadata"]
    words = f"logs -n {where['namespace']} deployment/{where['name']}"
    return kubernetes.access.kubectl(words)


def _condition(document: Document, kind: str) -> Document:
    conditions: Documents = (document.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})
