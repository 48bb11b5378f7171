"""Features that hang on the network: services and their updates, zones, internal addresses."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Literal

from anyscale_k8s_cli.addons.gateway import GATEWAY_API
from anyscale_k8s_cli.checks import also, declared, problem_of
from anyscale_k8s_cli.checks.nodes import Machines
from anyscale_k8s_cli.checks.operator import account_of
from anyscale_k8s_cli.cluster.rights import Right, denied
from anyscale_k8s_cli.errors import FILE
from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.operations.features import (
    BY_GATEWAY,
    Answer,
    Findings,
    Verdict,
    held_up,
    no,
    unknown,
    works,
)
from anyscale_k8s_cli.operations.said import setup_command
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.spec import brings_way_in

_ZONE = "topology.kubernetes.io/zone"
_GROUP = GATEWAY_API.partition("/")[0]
_ROUTES = tuple(Right(_GROUP, "httproutes", verb) for verb in ("create", "update", "delete"))
# Networks that nobody reaches from the internet. Python's own `is_private` has more in it.
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)


def services(wiring: Wiring, findings: Findings) -> Answer:
    """They run on a cloud's first cluster, and come in by the gateway with a certificate."""
    resource = wiring.resource
    if "is_default" in resource.model_fields_set and not resource.is_default:
        return no(
            "services run on the cloud's primary cluster alone, and this one is another",
            "run them on the primary cluster, or give this one a cloud of its own",
        )
    if not wiring.entrance.by_gateway:
        return _by_ingresses(wiring, findings)
    blocked = held_up(findings, BY_GATEWAY)
    if blocked is not None:
        return blocked
    address, certificates = (
        findings[check.code].detail
        for check in (declared.OPERATOR_GATEWAY, declared.GATEWAY_CERTIFICATES)
    )
    return works(f"{address}, with certificates: {certificates}")


def _by_ingresses(wiring: Wiring, findings: Findings) -> Answer:
    """An Ingress for each: of a controller that is the user's own nothing is known."""
    blocked = held_up(findings, (declared.OPERATOR_GATEWAY, declared.GATEWAY_CERTIFICATES))
    if blocked is not None:
        return blocked
    address = findings[declared.OPERATOR_GATEWAY.code].detail
    return works(f"{address}, by Ingresses of class {wiring.entrance.ingress_class}")


def zero_downtime(wiring: Wiring, services: Answer) -> Answer:
    """An update moves traffic by the weights of routes, which Ingresses do not have."""
    told = wiring.entrance.gateway_values
    if not wiring.entrance.by_gateway:
        return no(
            "the operator makes Ingresses, which have no weights by which traffic could move",
            wiring.again,
        )
    kind = str(told.get("apiVersion") or GATEWAY_API)
    if kind.partition("/")[0] != _GROUP:
        return unknown(
            f"routes are made of {kind}, of which nothing is known here",
            "see whether your gateway's routes have weights",
        )
    if services.verdict is not Verdict.WORKS:
        return services
    kubernetes, namespace = wiring.kubernetes, wiring.install.namespace
    if not kubernetes.serves(GATEWAY_API, "HTTPRoute"):
        return no(f"the cluster has no HTTPRoute of {GATEWAY_API}", wiring.again)
    account = f"{namespace}/{account_of(wiring.values or {})}"
    lacking = denied(kubernetes, _ROUTES, namespace, account)
    if lacking:
        return no(f"ServiceAccount {account} may not {lacking[0]}", wiring.again)
    return works(f"weighted HTTPRoutes on {wiring.entrance.gateway}")


# -- where the load balancer is reached from -----------------------------------------


def internal(wiring: Wiring, findings: Findings) -> Answer:
    """Whether users come in by an address that only the user's own network knows."""
    # What that check tells of a gateway that is well is its address.
    address = findings[declared.OPERATOR_GATEWAY.code].detail
    spec = wiring.spec
    brought = bool(spec and brings_way_in(spec))
    try:
        return _of_ip(wiring, ip_address(address), brought)
    except ValueError:
        pass  # a DNS name, which tells nothing
    if brought:
        return unknown(
            f"the gateway at {address} is yours, and so is its load balancer",
            f"nslookup {address}",
        )
    if spec is None:
        return unknown(UNTOLD, wiring.again)
    if spec.network.expose == "internal":
        return works(f"an internal load balancer at {address}")
    return no(f"the load balancer at {address} is public", _made_internal(wiring))


def _of_ip(wiring: Wiring, address: IPv4Address | IPv6Address, brought: bool) -> Answer:
    if any(address in network for network in _PRIVATE):
        return works(f"{address} is private")
    fix = "give your gateway an internal load balancer" if brought else _made_internal(wiring)
    return no(f"{address} is public", fix)


def _made_internal(wiring: Wiring) -> str:
    """The setup that asks for an internal one, or what the platform wants to be told for it."""
    spec = wiring.spec
    if spec is None:
        return also(wiring.again, "--expose internal")
    expose: Literal["internal"] = "internal"
    network = spec.network.model_copy(update={"expose": expose})
    wanted = spec.model_copy(update={"network": network})
    problem = problem_of(lambda: wiring.provider.check_spec(wanted))
    if problem is not None:
        return problem.fix
    return setup_command({**wiring.ledger.said, "network.expose": expose})


# -- zones ----------------------------------------------------------------------------


def custom(wiring: Wiring, machines: Machines) -> Answer:
    """Whether workloads can be told in which zone, and so in which network of it, they run."""
    config = wiring.resource.kubernetes_config
    registered = tuple((config.zones if config else None) or ())
    there = sorted({zone for node in machines.nodes if (zone := _labels(node).get(_ZONE))})
    strange = sorted(set(registered) - {*there, *wiring.cluster.zones})
    if strange:
        return no(
            f"{', '.join(strange)} is registered, and the cluster has nothing there", wiring.again
        )
    zones = registered or tuple(there)
    if not zones:
        return no(
            f"no node says by {_ZONE} where it is",
            wiring.kubernetes.access.kubectl(f"label node NODE {_ZONE}=ZONE"),
        )
    workloads = (wiring.values or {}).get("workloads") or {}
    if len(zones) > 1 and not workloads.get("enableZoneSelector"):
        return no(
            f"pods run in any of {', '.join(zones)}, whichever zone their workload asks for",
            f"{also(wiring.again, f'--values {FILE}')}\n"
            "with workloads.enableZoneSelector: true in the file",
        )
    spec = wiring.spec
    subnets = spec.network.load_balancer_subnets if spec else ()
    more = f"; load balancer in {', '.join(subnets)}" if subnets else ""
    return works(f"{', '.join(zones)}{more}")


def _labels(node: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = node["metadata"].get("labels") or {}
    return found
