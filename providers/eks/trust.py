"""Whom a role's trust policy admits, as far as it concerns the operator's service account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.providers.eks.policies import Policy, listed

WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"


@dataclass(frozen=True)
class Bearer:
    """Who comes with a token: its claims, and the ARN of the provider that vouches for it."""

    provider_arn: str
    issuer: str
    subject: str
    audience: str

    def claims(self) -> dict[str, str]:
        prefix = self.issuer.removeprefix("https://").lower()
        return {f"{prefix}:sub": self.subject, f"{prefix}:aud": self.audience}


@dataclass(frozen=True)
class Admission:
    """Whether the trust admits the bearer; if not, whom it would admit."""

    admitted: bool
    providers: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()

    def evidence(self) -> tuple[str, ...]:
        """What was found, a line for each part."""

        def line(what: str, found: tuple[str, ...]) -> str:
            return f"trusted {what}: {', '.join(found) or 'none'}"

        return (
            line("identity providers", self.providers),
            line("subjects", self.subjects),
            line("audiences", self.audiences),
        )


def admission(trust: Policy, bearer: Bearer) -> Admission:
    """Evaluate the statements that are about web identities.

    Conditions on other keys than subject and audience count as met: they
    cannot be judged from here, and STS has the last word.
    """
    statements = list(_web_identity_statements(trust))
    denied = any(item.get("Effect") == "Deny" and _matches(item, bearer) for item in statements)
    allowed = any(item.get("Effect") == "Allow" and _matches(item, bearer) for item in statements)
    return Admission(
        admitted=allowed and not denied,
        providers=_unique(name for item in statements for name in _federated(item)),
        subjects=_unique(_values(statements, ":sub")),
        audiences=_unique(_values(statements, ":aud")),
    )


def subjects(trust: Policy) -> tuple[str, ...]:
    """The subjects that the statements about web identities name."""
    return _unique(_values(list(_web_identity_statements(trust)), ":sub"))


def mentions(trust: Policy, provider_arn: str) -> bool:
    """Whether any statement lets identities of this provider in."""
    return any(
        provider_arn in _federated(item)
        for item in _statements(trust)
        if item.get("Effect") == "Allow"
    )


def _statements(trust: Policy) -> list[Mapping[str, Any]]:
    found = trust.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _web_identity_statements(trust: Policy) -> Iterator[Mapping[str, Any]]:
    for statement in _statements(trust):
        patterns = [str(item).lower() for item in listed(statement.get("Action", []))]
        if any(fnmatchcase(WEB_IDENTITY.lower(), pattern) for pattern in patterns):
            yield statement


def _federated(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal", {})
    if principal == "*":
        return ["*"]
    if not isinstance(principal, Mapping):
        return []
    return [str(item) for item in listed(principal.get("Federated", []))]


def _matches(statement: Mapping[str, Any], bearer: Bearer) -> bool:
    if not {bearer.provider_arn, "*"} & set(_federated(statement)):
        return False
    claims = bearer.claims()
    return all(
        _holds(operator, claims[key.lower()], [str(item) for item in listed(values)])
        for operator, block in statement.get("Condition", {}).items()
        for key, values in block.items()
        if key.lower() in claims
    )


def _holds(operator: str, value: str, patterns: list[str]) -> bool:
    name = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:")
    match name.removesuffix("IfExists"):
        case "StringEquals":
            return value in patterns
        case "StringEqualsIgnoreCase":
            return value.lower() in {pattern.lower() for pattern in patterns}
        case "StringLike":
            return any(_like(value, pattern) for pattern in patterns)
        case "StringNotEquals":
            return value not in patterns
        case "StringNotLike":
            return not any(_like(value, pattern) for pattern in patterns)
        case _:
            return True


def _like(value: str, pattern: str) -> bool:
    # Brackets mean nothing to IAM, and much to fnmatch.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _values(statements: list[Mapping[str, Any]], suffix: str) -> Iterator[str]:
    for statement in statements:
        for block in statement.get("Condition", {}).values():
            for key, values in block.items():
                if key.lower().endswith(suffix):
                    yield from (str(item) for item in listed(values))


def _unique(items: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
