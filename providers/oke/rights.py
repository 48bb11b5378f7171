"""Whether you may do what setup does, by the policies that you may read.

Oracle Cloud has no call that tells it. A statement that is found, plain and for a group that you
are in, is as good as an answer; that none is found says nothing: it may be where you may not
look, or have conditions that nobody judges but Oracle.
https://docs.oracle.com/iaas/Content/Identity/Reference/policyreference.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anyscale_k8s_cli.checks import Finding, Status, passed
from anyscale_k8s_cli.checks.rights import mended
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.oke import permissions
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.identity import Named

GROUP = "<your group>"
# Each verb has what those before it have.
_VERBS = ("inspect", "read", "use", "manage")
_FAMILIES = {"buckets": "object-family", "objects": "object-family"}
_EVERYTHING = "all-resources"
# One that has conditions ends otherwise, and is none of these.
_STATEMENT = re.compile(
    r"allow\s+(?P<who>any-user|group\s+.+?)\s+to\s+(?P<verb>\w+)\s+(?P<what>[\w-]+)\s+in\s+"
    r"(?:(?P<tenancy>tenancy)|compartment\s+(?:id\s+)?(?P<place>\S+))",
    re.IGNORECASE,
)
_DENIES = re.compile(r"\s*deny\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Statement:
    """What one gives; `place` is a compartment's name or id, empty for the tenancy."""

    who: str
    verb: str
    what: str
    place: str

    def covers(self, wanted: _Statement, places: frozenset[str]) -> bool:
        """`places` are the names and ids of the compartment that is wanted."""
        return (
            self.verb in _VERBS
            and _VERBS.index(self.verb) >= _VERBS.index(wanted.verb)
            and self.what in (wanted.what, _FAMILIES.get(wanted.what), _EVERYTHING)
            and (not self.place or (bool(wanted.place) and self.place in places))
        )


def to_set_up(oracle: Oracle, compartment: str) -> Finding:
    wanted = [
        item
        for item in permissions.of(Verb.SETUP, GROUP, compartment)
        if item not in permissions.of(Verb.PLAN, GROUP, compartment)
    ]
    try:
        held, places = _held(oracle, compartment)
    except CloudFailure as failure:
        if not failure.denied:
            raise
        held, places = [], frozenset()
    unseen = [
        item
        for item, parsed in zip(wanted, _parsed(wanted), strict=True)
        if not any(found.covers(parsed, places) for found in held)
    ]
    if not unseen:
        return passed(f"{len(wanted)} statements, by policies of groups that you are in")
    return Finding(
        Status.UNKNOWN,
        "Oracle Cloud has no call that tells what one may do: what looks has been tried by now; "
        f"of {len(wanted)} statements for what writes {len(unseen)} are in no policy that you see",
        tuple(f"unknown: {statement}" for statement in unseen),
        mended(permissions.advice(unseen), permissions.command(Verb.SETUP)),
    )


def _held(oracle: Oracle, compartment: str) -> tuple[list[_Statement], frozenset[str]]:
    """What policies give to the caller's groups, as far as one sees them, and what the
    compartment is called. Nothing where any of them denies: that is Oracle's to weigh."""
    identity = oracle.identity
    own = identity.groups_of(oracle.session.principal)
    groups = {item for group in identity.groups() if group.id in own for item in _called(group)}
    places = frozenset(
        {compartment, *(name for place, name in identity.compartments() if place == compartment)}
    )
    policies = [
        policy
        for place in dict.fromkeys((oracle.session.tenancy, compartment))
        for policy in _seen(oracle, place)
    ]
    texts = [text for policy in policies for text in policy.statements]
    if any(_DENIES.match(text) for text in texts):
        return [], places
    found = _parsed(texts)
    return [item for item in found if item.who == "any-user" or item.who in groups], places


def _seen(oracle: Oracle, compartment: str) -> list[Named]:
    try:
        return oracle.identity.policies(compartment)
    except CloudFailure as failure:
        if not failure.denied:
            raise
        return []


def _called(group: Named) -> tuple[str, str, str]:
    """How statements call a group, in lower case."""
    name = group.name.lower()
    return (f"id {group.id}".lower(), name, f"'default'/'{name}'")


def _parsed(statements: Iterable[str]) -> list[_Statement]:
    return list(_each(statements))


def _each(statements: Iterable[str]) -> Iterator[_Statement]:
    for text in statements:
        found = _STATEMENT.fullmatch(text.strip())
        if found is not None:
            who = re.sub(r"^group\s+", "", found["who"], flags=re.IGNORECASE).lower()
            yield _Statement(
                who, found["verb"].lower(), found["what"].lower(), found["place"] or ""
            )
