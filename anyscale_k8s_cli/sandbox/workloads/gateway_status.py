"""What Envoy Gateway says about classes, Gateways and listeners: pure functions.

Conditions, reasons and the order in which they come true are those of the
Gateway API and of Envoy Gateway 1.7.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_ROUTES = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute",),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}


@dataclass(frozen=True)
class Finding:
    """Why something is not as it should be."""

    reason: str
    message: str


@dataclass(frozen=True)
class ProxyState:
    """What there is of a Gateway's proxy: its addresses, its ready replicas."""

    addresses: tuple[Object, ...] = ()
    available: int = 0
    wanted: int = 1


def class_conditions(generation: int, problem: Finding | None) -> list[Object]:
    """The conditions of a GatewayClass."""
    if problem:
        return [_condition("Accepted", generation, problem)]
    return [_good("Accepted", generation, "Valid GatewayClass")]


def listener_problems(gateway: Object, secrets: SecretReader) -> dict[str, Finding]:
    """The listeners that cannot be served, by name: conflicts, and certificates out of reach."""
    problems: dict[str, Finding] = {}
    seen: set[tuple[int, str]] = set()
    for listener in gateway["spec"]["listeners"]:
        place = (listener["port"], listener.get("hostname", ""))
        if place in seen:
            problems[listener["name"]] = Finding(
                "HostnameConflict", "All listeners for a given port must use a unique hostname"
            )
        seen.add(place)
        if listener["protocol"] == "HTTPS" and listener["name"] not in problems:
            problem = _certificate_problem(gateway, listener, secrets)
            if problem:
                problems[listener["name"]] = problem
    return problems


class SecretReader:
    """The Secrets that certificates may come from, and who may refer to them from elsewhere."""

    def __init__(self, secrets: Iterable[Object], grants: Iterable[Object]) -> None:
        self._secrets = {_name(secret): secret for secret in secrets}
        self._grants = list(grants)

    def find(self, namespace: str, name: str) -> Object | None:
        return self._secrets.get((namespace, name))

    def permits(self, gateway_namespace: str, namespace: str, name: str) -> bool:
        """Whether a ReferenceGrant lets Gateways of one namespace use a Secret of another."""
        wanted = {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "namespace": gateway_namespace,
        }
        for grant in self._grants:
            if _name(grant)[0] != namespace or wanted not in grant["spec"]["from"]:
                continue
            for to in grant["spec"]["to"]:
                if to["kind"] == "Secret" and to.get("name") in (None, "", name):
                    return True
        return False


def _certificate_problem(
    gateway: Object, listener: Object, secrets: SecretReader
) -> Finding | None:
    own = _name(gateway)[0]
    references = (listener.get("tls") or {}).get("certificateRefs") or []
    if not references:
        return Finding("InvalidCertificateRef", "Listener must have at least 1 TLS certificate ref")
    for reference in references:
        namespace, name = reference.get("namespace") or own, reference["name"]
        if namespace != own and not secrets.permits(own, namespace, name):
            return Finding(
                "RefNotPermitted",
                f"Certificate ref to secret {namespace}/{name} not permitted "
                "by any ReferenceGrant.",
            )
        secret = secrets.find(namespace, name)
        if secret is None:
            return Finding("InvalidCertificateRef", f"Secret {namespace}/{name} does not exist.")
        if not {"tls.crt", "tls.key"} <= set(secret.get("data") or {}):
            return Finding(
                "InvalidCertificateRef",
                f"Secret {namespace}/{name} must contain tls.crt and tls.key.",
            )
    return None


def gateway_status(
    gateway: Object,
    problem: Finding | None,
    problems: dict[str, Finding],
    proxy: ProxyState,
    routes: Sequence[Object],
) -> Object:
    """The whole status; `problem` is about the Gateway itself, `problems` about listeners."""
    generation = gateway["metadata"]["generation"]
    status: Object = {
        "conditions": [
            _condition("Accepted", generation, problem)
            if problem
            else _good("Accepted", generation, "The Gateway has been scheduled by Envoy Gateway"),
            _programmed(generation, problem, proxy),
        ],
        "listeners": [
            _listener_status(gateway, listener, problems.get(listener["name"]), routes)
            for listener in gateway["spec"]["listeners"]
        ],
    }
    if proxy.addresses and not problem:
        status["addresses"] = list(proxy.addresses)
    return status


def _programmed(generation: int, problem: Finding | None, proxy: ProxyState) -> Object:
    if problem:
        return _condition("Programmed", generation, Finding("Invalid", problem.message))
    if not proxy.addresses:
        missing = Finding("AddressNotAssigned", "No addresses have been assigned to the Gateway")
        return _condition("Programmed", generation, missing)
    if not proxy.available:
        missing = Finding("NoResources", "Envoy replicas unavailable")
        return _condition("Programmed", generation, missing)
    replicas = f"{proxy.available}/{proxy.wanted} envoy replicas available"
    text = f"Address assigned to the Gateway, {replicas}"
    return _good("Programmed", generation, text)


def _listener_status(
    gateway: Object, listener: Object, problem: Finding | None, routes: Sequence[Object]
) -> Object:
    generation = gateway["metadata"]["generation"]
    conflict = problem if problem and problem.reason == "HostnameConflict" else None
    unresolved = None if conflict else problem
    invalid = Finding("Invalid", "Listener is invalid, see other Conditions for details.")
    conditions = [
        _condition("Accepted", generation, conflict)
        if conflict
        else _good("Accepted", generation, "Listener has been successfully translated"),
        _condition("ResolvedRefs", generation, unresolved)
        if unresolved
        else _good("ResolvedRefs", generation, "Listener references have been resolved"),
        _condition("Programmed", generation, invalid)
        if problem
        else _good("Programmed", generation, "Sending translated listener configuration"),
    ]
    if conflict:
        conditions.append({**_condition("Conflicted", generation, conflict), "status": "True"})
    return {
        "name": listener["name"],
        "attachedRoutes": sum(_attaches(route, gateway, listener) for route in routes),
        "conditions": conditions,
        "supportedKinds": [
            {"group": "gateway.networking.k8s.io", "kind": kind}
            for kind in _ROUTES.get(listener["protocol"], ())
        ],
    }


def _attaches(route: Object, gateway: Object, listener: Object) -> bool:
    own, name = _name(gateway)
    namespace = _name(route)[0]
    allowed = ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same")
    if allowed == "Same" and namespace != own:
        return False
    return any(
        parent["name"] == name
        and (parent.get("namespace") or namespace) == own
        and parent.get("sectionName") in (None, listener["name"])
        for parent in route["spec"].get("parentRefs") or ()
    )


def with_times(new: Object, old: Object) -> Object:
    """A status whose conditions keep the time of their last transition; equal to `old` if none."""
    status = {**new, "conditions": _timed(new["conditions"], old.get("conditions") or ())}
    if "listeners" in new:
        before = {listener["name"]: listener for listener in old.get("listeners") or ()}
        status["listeners"] = [
            {
                **listener,
                "conditions": _timed(
                    listener["conditions"],
                    (before.get(listener["name"]) or {}).get("conditions") or (),
                ),
            }
            for listener in new["listeners"]
        ]
    return status


def _timed(conditions: Sequence[Object], old: Sequence[Object]) -> list[Object]:
    before = {condition["type"]: condition for condition in old}
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    timed = []
    for condition in conditions:
        known = before.get(condition["type"])
        same = known is not None and known["status"] == condition["status"]
        at = known["lastTransitionTime"] if known and same else now
        timed.append({**condition, "lastTransitionTime": at})
    return timed


def _condition(kind: str, generation: int, finding: Finding) -> Object:
    return {
        "type": kind,
        "status": "False",
        "reason": finding.reason,
        "message": finding.message,
        "observedGeneration": generation,
    }


def _good(kind: str, generation: int, message: str) -> Object:
    return {**_condition(kind, generation, Finding(kind, message)), "status": "True"}


def _name(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
