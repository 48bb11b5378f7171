"""The least rights per verb, as IAM policies: to print, and to ask the simulator about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_json

# For printing, where nothing is known yet. IAM lets a wildcard stand for a partition.
ANY = {
    "partition": "*",
    "account": "*",
    "region": "*",
    "cluster": "*",
    "bucket": "*",
    "role": "/*",
    "given_role": "/*",
    "oidc_provider": "*",
}


def documents(verb: Verb) -> list[PolicyDocument]:
    """One policy that covers the verb, offline."""
    found = [statement for part in verb.parts for statement in statements(part, ANY)]
    policy = {"Version": "2012-10-17", "Statement": found}
    name = f"anyscale-k8s-eks-{verb.value}"
    return [PolicyDocument(name, "AWS IAM policy", json.dumps(policy, indent=2))]


def statements(part: str, known: Mapping[str, str]) -> list[dict[str, Any]]:
    """What one part (`look`, `plan`, `setup`, …) needs beyond the others, in one place."""
    found: list[dict[str, Any]] = load_json(f"eks/permissions-{part}.json", known)["Statement"]
    return found
