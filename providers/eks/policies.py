"""IAM policy documents: ours from their templates, and what makes two of them the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from anyscale_k8s_cli.holders import OPERATOR, Holder
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.eks import labels
from anyscale_k8s_cli.templates import load_json

Policy = Mapping[str, Any]
# What the operator does in its bucket: asked of the simulator for a role that the user named.
BUCKET_ACTIONS = ("s3:ListBucket",)
OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
# What that takes besides where the bucket is under a key of KMS.
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


def trust(
    oidc_provider_arn: str,
    issuer: str,
    namespace: str,
    audience: str,
    holder: Holder = OPERATOR,
) -> Policy:
    """Who is let in: one service account of one cluster, with one audience."""
    document: Policy = load_json(
        "eks/trust-policy.json",
        {
            "oidc_provider_arn": oidc_provider_arn,
            "issuer": issuer.removeprefix("https://"),
            "sid": _sid(holder),
            "namespace": namespace,
            "service_account": holder.account,
            "audience": audience,
        },
    )
    return document


def trust_pods(cluster_arn: str, namespace: str, holder: Holder = OPERATOR) -> Policy:
    """The same by EKS Pod Identity, which tells in session tags for which pod it asks.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    document: Policy = load_json(
        "eks/trust-policy-pod-identity.json",
        {
            "service": labels.POD_IDENTITY_SERVICE,
            "cluster_arn": cluster_arn,
            "sid": _sid(holder),
            "namespace": namespace,
            "service_account": holder.account,
        },
    )
    return document


def operator(bucket_arn: str, kms_key_arn: str | None = None) -> Policy:
    """What the operator may, and the workloads with it: the bucket, and the key it is under."""
    return _of_bucket("eks/operator-policy.json", bucket_arn, kms_key_arn)


def workloads(bucket_arn: str, kms_key_arn: str | None = None) -> Policy:
    """What Ray's pods may with a role of their own: to use what is in the bucket, no more."""
    return _of_bucket("eks/workload-policy.json", bucket_arn, kms_key_arn)


def _sid(holder: Holder) -> str:
    return f"Anyscale{holder.what.capitalize()}"


def _of_bucket(template: str, bucket_arn: str, kms_key_arn: str | None) -> Policy:
    document = load_json(template, {"bucket_arn": bucket_arn})
    if kms_key_arn:
        document["Statement"].append(
            load_json("eks/operator-policy-kms.json", {"kms_key_arn": kms_key_arn})
        )
    policy: Policy = document
    return policy


def rights(policy: Policy) -> Iterator[str]:
    """One for a bucket without a name, in short: an action a line, as the document has them."""
    for statement in policy["Statement"]:
        place = "its objects" if statement["Resource"] == "/*" else "the bucket"
        yield from (f"{action} on {place}" for action in statement["Action"])


def document(name: str, policy: Policy) -> PolicyDocument:
    """For people, as AWS has it."""
    return PolicyDocument(name, "AWS IAM policy", json.dumps(policy, indent=2))


def same(one: Policy, other: Policy) -> bool:
    """Whether two documents mean the same, however they are written down.

    Single values and lists of one, the order of statements and of values, and
    statement ids make no difference.
    """
    return canonical(one) == canonical(other)


def canonical(document: Policy) -> list[str]:
    """The statements in one way of writing, sorted."""
    return sorted(json.dumps(item, sort_keys=True) for item in _statements(document))


def unlike(found: Policy, wanted: Policy) -> tuple[str | None, str | None]:
    """What one document has that another has not, and the other way round, by statements' parts.

    A statement is held against the most similar one of the other document.
    """
    there, asked = _statements(found), _statements(wanted)
    missing = [item for item in asked if item not in there]
    extra = [item for item in there if item not in asked]
    has: list[set[str]] = []
    lacks: list[set[str]] = []
    for statement in missing:
        near = max(extra, key=lambda item: len(_parts(item) & _parts(statement)), default=None)
        if near is None or not _parts(near) & _parts(statement) - {str(statement.get("Effect"))}:
            lacks.append(_parts(statement))
            continue
        extra.remove(near)
        lacks.append(_parts(statement) - _parts(near))
        has.append(_parts(near) - _parts(statement))
    has += [_parts(statement) for statement in extra]
    if not any((*has, *lacks)):
        return "a statement twice", "once"
    return _told(has), _told(lacks)


def _told(statements: Iterable[set[str]]) -> str | None:
    return "; ".join(", ".join(sorted(parts)) for parts in statements if parts) or None


def _parts(statement: Mapping[str, Any]) -> set[str]:
    """A statement, taken apart: `Action s3:getobject`, `StringEquals sub=…`."""
    parts = {str(statement.get("Effect"))}
    for key, value in statement.items():
        if key == "Condition":
            parts |= {
                f"{operator} {name}={', '.join(values)}"
                for operator, block in value.items()
                for name, values in block.items()
            }
        elif isinstance(value, Mapping):
            parts |= {f"{key} {kind} {item}" for kind, items in value.items() for item in items}
        elif key != "Effect":
            parts |= {f"{key} {item}" for item in listed(value)}
    return parts


def _statements(document: Policy) -> list[dict[str, Any]]:
    return [_statement(item) for item in listed(document.get("Statement", []))]


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
