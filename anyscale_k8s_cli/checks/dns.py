"""Whether DNS leads users to the gateway: each name that is known of the cloud, looked up."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli.addons.addresses import address_of
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

# Whom to ask instead of this machine's own servers: an address, with or without a port.
SERVER_VARIABLE = "ANYSCALE_K8S_DNS_SERVER"
_SECONDS = 5.0
_ROUTES = ("gateway.networking.k8s.io/v1", "HTTPRoute")
_INGRESSES = ("networking.k8s.io/v1", "Ingress")
# Of as many names one is as good as all.
_MOST = 5
_KINDS = ("A", "AAAA")


@dataclass(frozen=True)
class Told:
    """What DNS says of a name: its addresses, none where it has none.

    `silence` is why nothing is known, empty where there was an answer.
    """

    addresses: frozenset[str] = frozenset()
    silence: str = ""


Lookup = Callable[[str], Told]


def lookup(server: str = "", seconds: float = _SECONDS) -> Lookup:
    """Asks `server`, or those that this machine asks, for so long."""
    from dns.exception import DNSException, Timeout
    from dns.resolver import NXDOMAIN, Resolver

    def look(name: str) -> Told:
        try:
            resolver = Resolver(configure=not server)
            if server:
                parts = urlsplit(f"//{server}")
                resolver.nameservers, resolver.port = [str(parts.hostname)], parts.port or 53
            resolver.lifetime = seconds
            found = [
                str(record)
                for kind in _KINDS
                for record in resolver.resolve(name, kind, raise_on_no_answer=False).rrset or ()
            ]
        except NXDOMAIN:
            return Told()
        except Timeout:
            return Told(silence="no server has answered in time")
        except (DNSException, ValueError) as problem:
            return Told(silence=str(problem))
        return Told(frozenset(found))

    return look


def dns_checks(
    kubernetes: Kubernetes,
    gateway: Reference,
    namespace: str,
    values: Mapping[str, Any],
    look: Callable[[], Lookup],
    again: str,
) -> tuple[BoundCheck, ...]:
    """`values` are the operator's, which tell what it publishes; its routes are in `namespace`."""

    def run() -> Finding:
        found = kubernetes.get(gateway.api_version, gateway.kind, gateway.name, gateway.namespace)
        address = address_of(found) if found else None
        if found is None or address is None:
            return Finding(Status.UNKNOWN, f"{gateway} has no address")
        told = (values.get("networking") or {}).get("gateway") or {}
        published = str(told.get("hostname") or told.get("ip") or address.value)
        names = [*_names(kubernetes, found, namespace)][:_MOST]
        return leads(address.value, address.is_ip, published, names, look, again)

    return (declared.GATEWAY_ADDRESS.bind(run),)


def ingress_dns_check(
    kubernetes: Kubernetes,
    address: Callable[[], tuple[str, bool] | None],
    told: str,
    namespace: str,
    look: Callable[[], Lookup],
    again: str,
) -> BoundCheck:
    """The same for Ingresses: `address` is where their controller is, and whether by number.

    `told` is what the operator publishes, empty where it finds that out by itself.
    """

    def run() -> Finding:
        found = address()
        if found is None:
            return Finding(Status.UNKNOWN, "it is not known where the controller is reached")
        where, is_ip = found
        names = [*_of_ingresses(kubernetes, namespace)][:_MOST]
        return leads(where, is_ip, told or where, names, look, again)

    return declared.GATEWAY_ADDRESS.bind(run)


def leads(
    address: str,
    is_ip: bool,
    published: str,
    names: list[str],
    look: Callable[[], Lookup],
    again: str = "",
) -> Finding:
    """Whether `published` and each of the `names` lead to the gateway's own `address`."""
    if not names and published == address and is_ip:
        return passed(f"{address}; no name of a session or service is known yet")
    ask = look()
    wanted = Told(frozenset({address})) if is_ip else ask(address)
    if not wanted.addresses:
        return _nowhere(address, wanted)
    evidence = [f"the gateway is at {address}" + (not is_ip) * f": {_listed(wanted)}"]
    unknown = wrong = ""
    for name in dict.fromkeys((published, *names)):
        if name == address:
            continue
        told = Told(frozenset({name})) if _is_number(name) else ask(name)
        evidence.append(f"{name}: {told.silence or _listed(told)}")
        if told.silence:
            unknown = unknown or f"DNS gives no answer about {name}: {told.silence}"
        elif not told.addresses & wanted.addresses:
            wrong = wrong or f"{name} leads to {_listed(told)}, and the gateway is at {address}"
    if wrong:
        return Finding(
            Status.FAIL,
            wrong,
            tuple(evidence),
            "Anyscale publishes the address that the operator was given: see that the check "
            f"operator-gateway passes, and set up again if it does not:\n{again}",
        )
    if unknown:
        return Finding(Status.UNKNOWN, unknown, tuple(evidence), _ASK_ANOTHER)
    told_of = f"{len(names)} names" if names else "no name of a session or service is known yet"
    return Finding(Status.PASS, f"{address} is {_listed(wanted)}; {told_of}", tuple(evidence))


_ASK_ANOTHER = (
    "run it where DNS answers, or name a server that is to be asked in the environment variable "
    + SERVER_VARIABLE
)


def _nowhere(address: str, told: Told) -> Finding:
    if told.silence:
        text = f"DNS gives no answer about {address}: {told.silence}"
        return Finding(Status.UNKNOWN, text, fix=_ASK_ANOTHER)
    return Finding(
        Status.FAIL,
        f"DNS knows no address of {address}, which the gateway has been given",
        fix="a new load balancer's name is known after some minutes: run the same command again. "
        f"If it is known inside your network alone, {_ASK_ANOTHER}",
    )


def _names(kubernetes: Kubernetes, gateway: Document, namespace: str) -> Iterator[str]:
    """Of the listeners and of the routes behind the gateway, without those that stand for many."""
    own = gateway["metadata"]
    for listener in (gateway.get("spec") or {}).get("listeners") or ():
        if _is_one(str(listener.get("hostname") or "")):
            yield str(listener["hostname"])
    there = (own["namespace"], own["name"])
    for route in kubernetes.list(*_ROUTES, namespace):
        parents = route["spec"].get("parentRefs") or ()
        if any((item.get("namespace") or namespace, item["name"]) == there for item in parents):
            yield from filter(_is_one, route["spec"].get("hostnames") or ())


def _of_ingresses(kubernetes: Kubernetes, namespace: str) -> Iterator[str]:
    for ingress in kubernetes.list(*_INGRESSES, namespace):
        hosts = (str(rule.get("host") or "") for rule in ingress["spec"].get("rules") or ())
        yield from filter(_is_one, hosts)


def _is_one(name: str) -> bool:
    return bool(name) and not name.startswith("*")


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _listed(told: Told) -> str:
    return ", ".join(sorted(told.addresses)) or "no address"
