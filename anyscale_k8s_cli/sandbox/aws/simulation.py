"""What moto's IAM lacks: the simulation of policies.

Evaluated by the same rules that this stand-in enforces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import (
    Decision,
    Document,
    Grants,
    Question,
    decide,
    statements,
    strictest,
    unknown_keys,
)
from anyscale_k8s_cli.sandbox.aws.principals import Principals
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation

_KEYS_OF_ENTITY = ("aws:principalarn", "aws:principalaccount", "aws:username")
_ANY = "*"


@dataclass(frozen=True)
class Simulation:
    account: Account
    principals: Principals

    def operations(self) -> Mapping[str, Operation]:
        return {
            "SimulatePrincipalPolicy": self.simulate_principal,
            "SimulateCustomPolicy": self.simulate_custom,
        }

    def simulate_principal(self, inquiry: Inquiry) -> Answer:
        arn = inquiry["PolicySourceArn"]
        entity = self.account.entity(arn)
        if ":assumed-role/" in arn or not arn.startswith("arn:"):
            # The API takes the role, not a session of it.
            raise AwsError(400, "InvalidInput", f"Invalid Entity Arn: {arn}")
        if entity is None:
            raise AwsError(404, "NoSuchEntity", f"The entity with {arn} cannot be found.")
        grants = self.principals.grants_of(entity)
        more = _documents(inquiry.get("PolicyInputList"))
        boundary = _documents(inquiry.get("PermissionsBoundaryPolicyInputList"))
        grants = Grants(
            [*grants.identity, *more],
            boundary or grants.boundary,
            organisation=_unconditional(grants.organisation),
        )
        values = (arn, self.account.id, getattr(entity, "name", ""))
        known = {key: (value,) for key, value in zip(_KEYS_OF_ENTITY, values, strict=True)}
        return _answer(inquiry, grants, known)

    def simulate_custom(self, inquiry: Inquiry) -> Answer:
        boundary = _documents(inquiry.get("PermissionsBoundaryPolicyInputList"))
        grants = Grants(_documents(inquiry["PolicyInputList"]), boundary or None)
        return _answer(inquiry, grants, {})


def _answer(
    inquiry: Inquiry, grants: Grants, known: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    for action in inquiry["ActionNames"]:
        if action.count(":") != 1:
            raise AwsError(400, "InvalidInput", f"Invalid Action: {action}")
    context = {
        **known,
        **{
            entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ()))
            for entry in inquiry.get("ContextEntries") or []
        },
    }
    return {"EvaluationResults": list(_results(inquiry, grants, context)), "IsTruncated": False}


def _results(
    inquiry: Inquiry, grants: Grants, context: Mapping[str, tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """One for each action: of all resources together, and of each that was named."""
    resources = inquiry.get("ResourceArns") or [_ANY]
    for action in inquiry["ActionNames"]:
        questions = [Question(action, resource, context) for resource in resources]
        named = [_of_resource(grants, asked) for asked in questions if asked.resource != _ANY]
        decisions = [grants.decide(asked) for asked in questions]
        yield {
            "EvalActionName": action,
            "EvalResourceName": resources[0],
            "EvalDecision": strictest(decisions).value,
            "MatchedStatements": [],
            # Of resources that were named it is told with each.
            "MissingContextValues": [] if named else _missing(grants, questions[0]),
            **_bounds(grants, questions),
            **({"ResourceSpecificResults": named} if named else {}),
        }


def _of_resource(grants: Grants, question: Question) -> dict[str, Any]:
    return {
        "EvalResourceName": question.resource,
        "EvalResourceDecision": grants.decide(question).value,
        "MatchedStatements": [],
        "MissingContextValues": _missing(grants, question),
    }


def _missing(grants: Grants, question: Question) -> list[str]:
    return sorted(unknown_keys([*grants.identity, *(grants.boundary or ())], question))


def _bounds(grants: Grants, questions: Sequence[Question]) -> dict[str, Any]:
    """What bounds the principal has their say told apart, where there are any."""
    found: dict[str, Any] = {}
    for layer, detail, told in (
        (grants.boundary, "PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary"),
        (grants.organisation, "OrganizationsDecisionDetail", "AllowedByOrganizations"),
    ):
        if layer is not None:
            decisions = [decide(layer, question) for question in questions]
            found[detail] = {told: strictest(decisions) is Decision.ALLOWED}
    return found


def _unconditional(documents: Sequence[Document] | None) -> list[Document] | None:
    """The organisation's policies as the simulator reads them: without what has conditions.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
    """
    if documents is None:
        return None
    return [
        {"Statement": [item for item in statements(document) if "Condition" not in item]}
        for document in documents
    ]


def _documents(texts: Sequence[str] | None) -> list[Document]:
    try:
        return [json.loads(text) for text in texts or []]
    except ValueError as error:
        raise AwsError(400, "InvalidInput", "Syntax errors in policy.") from error
