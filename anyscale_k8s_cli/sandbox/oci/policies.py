"""Policies: what their statements grant, and to whom.

https://docs.oracle.com/iaas/Content/Identity/Concepts/policysyntax.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.oci.refusals import Refused, invalid

# Each verb has what those before it have.
VERBS = ("inspect", "read", "use", "manage")
_FAMILIES = {
    "cluster-family": {"clusters", "cluster-node-pools", "cluster-addons"},
    "object-family": {"buckets", "objects", "objectstorage-namespaces"},
    "virtual-network-family": {"network-load-balancers", "subnets"},
}
RESOURCES = frozenset(
    {
        "compartments",
        "groups",
        "network-load-balancers",
        "policies",
        "resource-availability",
        "tenancies",
        "users",
        "virtual-node-pools",
    }
).union(*_FAMILIES.values())
_STATEMENT = re.compile(
    r"allow\s+group\s+(?:id\s+(?P<id>\S+)|(?P<name>\S+))\s+to\s+(?P<verb>\w+)\s+"
    r"(?P<what>[\w-]+)\s+in\s+(?:(?P<tenancy>tenancy)|compartment\s+id\s+(?P<place>\S+)|"
    r"compartment\s+(?P<place_name>\S+))"
    r"(?:\s+where\s+target\.bucket\.name\s*=\s*'(?P<bucket>[^']+)')?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Grant:
    """What one statement gives. `place` is a compartment, empty for the tenancy."""

    group: str
    verb: str
    resources: frozenset[str]
    place: str = ""
    bucket: str = ""

    def covers(self, need: Need) -> bool:
        return (
            need.resource in self.resources
            and VERBS.index(self.verb) >= VERBS.index(need.verb)
            and self.place in ("", need.place)
            and self.bucket in ("", need.bucket)
        )


@dataclass(frozen=True)
class Need:
    """What a call takes: a verb on a kind of thing, in a compartment, of a bucket."""

    verb: str
    resource: str
    place: str = ""
    bucket: str = ""


@dataclass(frozen=True)
class Names:
    """Groups and compartments by their names, as statements may call them."""

    groups: dict[str, str]
    compartments: dict[str, str]


def parse(statements: Iterable[str], names: Names) -> list[Grant]:
    """Raises `Refused` for what is no statement, or names what is not there."""
    return [_grant(statement, names) for statement in statements]


def understood(statements: Iterable[str], names: Names) -> list[Grant]:
    """The same, of a policy that was taken once: a group may have gone since."""
    found = []
    for statement in statements:
        try:
            found.append(_grant(statement, names))
        except Refused:
            continue
    return found


def _grant(statement: str, names: Names) -> Grant:
    found = _STATEMENT.fullmatch(statement.strip())
    if found is None:
        raise _unread(statement)
    verb, what = found["verb"].lower(), found["what"].lower()
    known = {what} if what in RESOURCES else _FAMILIES.get(what, set())
    if what == "all-resources":
        known = set(RESOURCES)
    group = found["id"] or names.groups.get(found["name"] or "", "")
    place = found["place"] or names.compartments.get(found["place_name"] or "", "")
    if verb not in VERBS or not known or not (place or found["tenancy"]):
        raise _unread(statement)
    if group not in names.groups.values():
        raise invalid(f"The group of the statement does not exist: {statement}")
    return Grant(group, verb, frozenset(known), place, found["bucket"] or "")


def _unread(statement: str) -> Refused:
    return invalid(f"The policy statement cannot be parsed: {statement}")
