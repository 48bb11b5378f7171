"""IAM's evaluation of policy documents, without any I/O.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Documents are the parsed JSON. Condition operators on dates and addresses are
not known here and raise :class:`UnsupportedPolicy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]
Statement = Mapping[str, Any]


class UnsupportedPolicy(ValueError):
    """The document uses a part of the policy language that is not evaluated here."""


class Decision(StrEnum):
    """The words of SimulatePrincipalPolicy."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Question:
    """May this action be done on this resource?

    `context` holds condition keys in lower case. `principals` are the names by
    which a resource's policy can mean the caller, by kind (`AWS`, `Service`,
    `Federated`); identity policies do not look at them.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    principals: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grants:
    """What bounds a principal: None means that there is no such bound."""

    identity: Sequence[Document] = ()
    boundary: Sequence[Document] | None = None
    session: Sequence[Document] | None = None
    organisation: Sequence[Document] | None = None

    def decide(self, question: Question) -> Decision:
        """The decision of the principal's own policies; an explicit deny anywhere wins."""
        bounds = (self.boundary, self.session, self.organisation)
        layers = [self.identity, *(layer for layer in bounds if layer is not None)]
        return strictest(decide(layer, question) for layer in layers)


def strictest(decisions: Iterable[Decision]) -> Decision:
    """What several decisions come to: a denial anywhere wins, an explicit one first."""
    found = set(decisions)
    for decision in (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY):
        if decision in found:
            return decision
    return Decision.ALLOWED


def unknown_keys(documents: Iterable[Document], question: Question) -> set[str]:
    """The condition keys that statements about this action and resource ask for in vain."""
    return {
        key
        for document in documents
        for statement in statements(document)
        if _action_applies(statement, question.action) and _resource_applies(statement, question)
        for keys in statement.get("Condition", {}).values()
        for key in keys
        if key.lower() not in question.context
    }


def decide(documents: Iterable[Document], question: Question) -> Decision:
    """The decision of one layer of policies."""
    effects = {
        statement.get("Effect")
        for document in documents
        for statement in statements(document)
        if _applies(statement, question)
    }
    if "Deny" in effects:
        return Decision.EXPLICIT_DENY
    return Decision.ALLOWED if "Allow" in effects else Decision.IMPLICIT_DENY


def statements(document: Document) -> list[Statement]:
    found = document.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _applies(statement: Statement, question: Question) -> bool:
    return (
        _principal_applies(statement, question)
        and _action_applies(statement, question.action)
        and _resource_applies(statement, question)
        and _conditions_hold(statement, question.context)
    )


def _principal_applies(statement: Statement, question: Question) -> bool:
    if "NotPrincipal" in statement:
        raise UnsupportedPolicy("NotPrincipal")
    principal = statement.get("Principal")
    if principal is None or principal == "*":
        return True
    return any(
        name == "*" or name in question.principals.get(kind, frozenset())
        for kind, names in principal.items()
        for name in as_list(names)
    )


def _action_applies(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not _any_like(as_list(statement["NotAction"]), action, ignore_case=True)
    return _any_like(as_list(statement.get("Action", [])), action, ignore_case=True)


def _resource_applies(statement: Statement, question: Question) -> bool:
    def matches(patterns: Any) -> bool:
        filled = [_fill(pattern, question.context) for pattern in as_list(patterns)]
        return _any_like([p for p in filled if p is not None], question.resource)

    if "NotResource" in statement:
        return not matches(statement["NotResource"])
    # A trust policy has no resource: the role is its resource.
    return "Resource" not in statement or matches(statement["Resource"])


def _conditions_hold(statement: Statement, context: Mapping[str, tuple[str, ...]]) -> bool:
    return all(
        _condition_holds(operator, key.lower(), as_list(wanted), context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _condition_holds(
    operator: str, key: str, wanted: list[Any], context: Mapping[str, tuple[str, ...]]
) -> bool:
    quantifier, _, plain = operator.rpartition(":")
    values = context.get(key)
    if plain == "Null":
        return (values is None) == (str(wanted[0]).lower() == "true")
    if plain.endswith("IfExists"):
        plain = plain.removesuffix("IfExists")
        if values is None:
            return True
    test, negated = _operator(plain)
    if values is None:
        return negated or quantifier == "ForAllValues"
    filled = [f for f in (_fill(str(w), context) for w in wanted) if f is not None]
    hits = [any(test(value, want) for want in filled) != negated for value in values]
    return any(hits) if quantifier == "ForAnyValue" else all(hits)


def _operator(name: str) -> tuple[Any, bool]:
    if name in _TESTS:
        return _TESTS[name], False
    positive = name.replace("Not", "", 1)
    if "Not" in name and positive in _TESTS:
        return _TESTS[positive], True
    raise UnsupportedPolicy(f"condition operator {name}")


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Match with `*` and `?`, the only wildcards that IAM has."""
    return _pattern(pattern, ignore_case).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _pattern(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


_TESTS = {
    "StringEquals": lambda value, want: value == want,
    "StringEqualsIgnoreCase": lambda value, want: value.lower() == want.lower(),
    "StringLike": lambda value, want: like(want, value),
    "ArnEquals": lambda value, want: like(want, value),
    "ArnLike": lambda value, want: like(want, value),
    "Bool": lambda value, want: value.lower() == want.lower(),
    "NumericEquals": lambda value, want: float(value) == float(want),
    "NumericLessThan": lambda value, want: float(value) < float(want),
    "NumericLessThanEquals": lambda value, want: float(value) <= float(want),
    "NumericGreaterThan": lambda value, want: float(value) > float(want),
    "NumericGreaterThanEquals": lambda value, want: float(value) >= float(want),
}


def _any_like(patterns: Iterable[str], value: str, *, ignore_case: bool = False) -> bool:
    return any(like(pattern, value, ignore_case=ignore_case) for pattern in patterns)


def _fill(pattern: str, context: Mapping[str, tuple[str, ...]]) -> str | None:
    """The pattern with its policy variables replaced; None if one has no value."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name = match.group(1)
        if name in ("*", "?", "$"):
            return name
        values = context.get(name.lower())
        missing = missing or values is None
        return values[0] if values else ""

    filled = re.sub(r"\$\{([^}]+)\}", value, pattern)
    return None if missing else filled


def as_list(value: Any) -> list[Any]:
    """IAM lets a single value stand for a list of one."""
    return list(value) if isinstance(value, list | tuple) else [value]
