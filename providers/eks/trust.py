"""Whom a role's trust policy admits, as far as it concerns the operator's service account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Protocol

from anyscale_k8s_cli.holders import OPERATOR
from anyscale_k8s_cli.providers.eks import policies
from anyscale_k8s_cli.providers.eks.labels import POD_IDENTITY_SERVICE
from anyscale_k8s_cli.providers.eks.policies import Policy, listed

WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
# What EKS Pod Identity asks for together.
POD_IDENTITY_ACTIONS = ("sts:AssumeRole", "sts:TagSession")
_TAG = "aws:RequestTag/"
_CLUSTER_TAG = f"{_TAG}eks-cluster-arn"
_NAMESPACE_TAG = f"{_TAG}kubernetes-namespace"
_ACCOUNT_TAG = f"{_TAG}kubernetes-service-account"


class Bearer(Protocol):
    """Who wants to be let in, and by what a trust policy can know him.

    `principal` is what vouches for him in the words of a policy: its kind, and its name.
    `told` are the keys of conditions that are worth telling, each by what it is called.
    """

    @property
    def principal(self) -> tuple[str, str]: ...

    @property
    def actions(self) -> tuple[str, ...]: ...

    @property
    def told(self) -> Mapping[str, str]: ...

    def claims(self) -> dict[str, str]:
        """Values of condition keys, which are in lower case."""
        ...

    def who(self) -> str: ...

    def statement(self) -> Mapping[str, Any]:
        """One that admits him, to be added to a trust policy."""
        ...


@dataclass(frozen=True)
class TokenBearer:
    """Who comes with a token: its claims, and the ARN of the provider that vouches for it."""

    provider_arn: str
    issuer: str
    subject: str
    audience: str

    actions: ClassVar[tuple[str, ...]] = (WEB_IDENTITY,)
    told: ClassVar[Mapping[str, str]] = {"subjects": ":sub", "audiences": ":aud"}

    @property
    def principal(self) -> tuple[str, str]:
        return "Federated", self.provider_arn

    def claims(self) -> dict[str, str]:
        prefix = self.issuer.removeprefix("https://").lower()
        return {f"{prefix}:sub": self.subject, f"{prefix}:aud": self.audience}

    def who(self) -> str:
        return f"{self.subject} with audience {self.audience}"

    def statement(self) -> Mapping[str, Any]:
        namespace = self.subject.split(":")[2]
        wanted = policies.trust(self.provider_arn, self.issuer, namespace, self.audience)
        return _statements(wanted)[0]


@dataclass(frozen=True)
class Pod:
    """For whom EKS Pod Identity asks: the operator's service account in a cluster."""

    cluster_arn: str
    namespace: str

    actions: ClassVar[tuple[str, ...]] = POD_IDENTITY_ACTIONS
    told: ClassVar[Mapping[str, str]] = {
        "clusters": _CLUSTER_TAG,
        "namespaces": _NAMESPACE_TAG,
        "service accounts": _ACCOUNT_TAG,
    }

    @property
    def principal(self) -> tuple[str, str]:
        return "Service", POD_IDENTITY_SERVICE

    def claims(self) -> dict[str, str]:
        claims = {
            _CLUSTER_TAG: self.cluster_arn,
            f"{_TAG}eks-cluster-name": self.cluster_arn.rpartition("/")[2],
            _NAMESPACE_TAG: self.namespace,
            _ACCOUNT_TAG: OPERATOR.account,
        }
        return {key.lower(): value for key, value in claims.items()}

    def who(self) -> str:
        return f"EKS Pod Identity for {OPERATOR.subject(self.namespace)} of {self.cluster_arn}"

    def statement(self) -> Mapping[str, Any]:
        return _statements(policies.trust_pods(self.cluster_arn, self.namespace))[0]


@dataclass(frozen=True)
class Admission:
    """Whether the trust admits the bearer; if not, whom it would admit, a line for each part."""

    admitted: bool
    evidence: tuple[str, ...] = ()


def admission(trust: Policy, bearer: Bearer) -> Admission:
    """Evaluate the statements that are about what the bearer asks for.

    Conditions on other keys than his claims count as met: they cannot be judged from
    here, and STS has the last word.
    """
    kind, _ = bearer.principal
    about = {action: list(_about(trust, action)) for action in bearer.actions}
    found = [item for items in about.values() for item in items]
    principals = _unique(name for item in found for name in _principals(item, kind))
    parts = {_VOUCHING[kind]: principals}
    parts |= {what: _unique(_values(found, key)) for what, key in bearer.told.items()}
    return Admission(
        all(_allowed(items, bearer) for items in about.values()),
        tuple(f"trusted {what}: {', '.join(values) or 'none'}" for what, values in parts.items()),
    )


_VOUCHING = {"Federated": "identity providers", "Service": "services"}


def subjects(trust: Policy) -> tuple[str, ...]:
    """The service accounts that a trust names, as a cluster's issuer would."""
    by_token = _values(list(_about(trust, WEB_IDENTITY)), ":sub")
    return _unique(iter((*by_token, *_of_pods(trust))))


def admits_pods(trust: Policy) -> bool:
    """Whether anything in it is about EKS Pod Identity."""
    return any(POD_IDENTITY_SERVICE in _principals(item, "Service") for item in _statements(trust))


def mentions(trust: Policy, provider_arn: str) -> bool:
    """Whether any statement lets identities of this provider in."""
    return any(
        provider_arn in _principals(item, "Federated")
        for item in _statements(trust)
        if item.get("Effect") == "Allow"
    )


def _of_pods(trust: Policy) -> Iterator[str]:
    for statement in _statements(trust):
        if POD_IDENTITY_SERVICE not in _principals(statement, "Service"):
            continue
        for namespace in _values([statement], _NAMESPACE_TAG):
            for account in _values([statement], _ACCOUNT_TAG):
                yield f"system:serviceaccount:{namespace}:{account}"


def _statements(trust: Policy) -> list[Mapping[str, Any]]:
    found = trust.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _about(trust: Policy, action: str) -> Iterator[Mapping[str, Any]]:
    for statement in _statements(trust):
        patterns = [str(item).lower() for item in listed(statement.get("Action", []))]
        if any(fnmatchcase(action.lower(), pattern) for pattern in patterns):
            yield statement


def _principals(statement: Mapping[str, Any], kind: str) -> list[str]:
    principal = statement.get("Principal", {})
    if principal == "*":
        return ["*"]
    if not isinstance(principal, Mapping):
        return []
    return [str(item) for item in listed(principal.get(kind, []))]


def _allowed(statements: list[Mapping[str, Any]], bearer: Bearer) -> bool:
    effects = {item.get("Effect") for item in statements if _matches(item, bearer)}
    return "Allow" in effects and "Deny" not in effects


def _matches(statement: Mapping[str, Any], bearer: Bearer) -> bool:
    kind, name = bearer.principal
    if not {name, "*"} & set(_principals(statement, kind)):
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
        case "StringLike" | "ArnLike" | "ArnEquals":
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
                if key.lower().endswith(suffix.lower()):
                    yield from (str(item) for item in listed(values))


def _unique(items: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
