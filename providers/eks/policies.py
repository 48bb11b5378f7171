"""IAM policy documents: ours from their templates, and what makes two of them the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli.templates import load_json

Policy = Mapping[str, Any]

SERVICE_ACCOUNT = "anyscale-operator"
# What the operator does in its bucket: asked of the simulator for a role that the user named.
BUCKET_ACTIONS = ("s3:ListBucket",)
OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def subject(namespace: str) -> str:
    """How a cluster's issuer names the operator's service account."""
    return f"system:serviceaccount:{namespace}:{SERVICE_ACCOUNT}"


def trust(oidc_provider_arn: str, issuer: str, namespace: str, audience: str) -> Policy:
    """Who may be the operator: one service account of one cluster, with one audience."""
    document: Policy = load_json(
        "eks/trust-policy.json",
        {
            "oidc_provider_arn": oidc_provider_arn,
            "issuer": issuer.removeprefix("https://"),
            "namespace": namespace,
            "service_account": SERVICE_ACCOUNT,
            "audience": audience,
        },
    )
    return document


def operator(bucket_arn: str, kms_key_arn: str | None = None) -> Policy:
    """What the operator and the workloads may: the bucket, and the key it is encrypted with."""
    document = load_json("eks/operator-policy.json", {"bucket_arn": bucket_arn})
    if kms_key_arn:
        document["Statement"].append(
            load_json("eks/operator-policy-kms.json", {"kms_key_arn": kms_key_arn})
        )
    policy: Policy = document
    return policy


def same(one: Policy, other: Policy) -> bool:
    """Whether two documents mean the same, however they are written down.

    Single values and lists of one, the order of statements and of values, and
    statement ids make no difference.
    """
    return canonical(one) == canonical(other)


def canonical(document: Policy) -> list[str]:
    """The statements in one way of writing, sorted."""
    statements = document.get("Statement", [])
    if isinstance(statements, Mapping):
        statements = [statements]
    return sorted(json.dumps(_statement(item), sort_keys=True) for item in statements)


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in statement.items():
        if key == "Sid":
            continue
        if key in ("Action", "NotAction"):
            # Actions are the same in any case, resources are not.
            found[key] = sorted({str(item).lower() for item in listed(value)})
        elif key == "Condition":
            found[key] = _conditions(value)
        elif isinstance(value, Mapping):
            found[key] = {kind: sorted(map(str, listed(item))) for kind, item in value.items()}
        else:
            found[key] = sorted(set(map(str, listed(value)))) if key != "Effect" else value
    return found


def _conditions(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    return {
        operator: {key.lower(): sorted(map(str, listed(value))) for key, value in block.items()}
        for operator, block in blocks.items()
    }


def listed(value: Any) -> list[Any]:
    """The policy language lets a list of one be written as the one."""
    return list(value) if isinstance(value, list | tuple) else [value]
