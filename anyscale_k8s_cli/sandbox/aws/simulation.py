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
from anyscale_k8s_cli.sandbox.aws.policy import Decision, Document, Grants, Question, decide
from anyscale_k8s_cli.sandbox.aws.principals import Principals
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation

_KEYS_OF_ENTITY = ("aws:principalarn", "aws:principalaccount", "aws:username")


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
        grants = Grants([*grants.identity, *more], boundary or grants.boundary)
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
    for action in inquiry["ActionNames"]:
        for resource in inquiry.get("ResourceArns") or ["*"]:
            question = Question(action, resource, context)
            decision = grants.decide(question)
            result: dict[str, Any] = {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decision.value,
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            if grants.boundary is not None:
                inside = decide(grants.boundary, question) is Decision.ALLOWED
                detail = {"AllowedByPermissionsBoundary": inside}
                result["PermissionsBoundaryDecisionDetail"] = detail
            yield result


def _documents(texts: Sequence[str] | None) -> list[Document]:
    try:
        return [json.loads(text) for text in texts or []]
    except ValueError as error:
        raise AwsError(400, "InvalidInput", "Syntax errors in policy.") from error
