"""The least rights per verb, as roles of CoreWeave's IAM."""

from __future__ import annotations

import json
from collections.abc import Sequence

import yaml

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml


def documents(verb: Verb) -> list[PolicyDocument]:
    """The roles that cover the verb, with the rights in them that are used, offline."""
    document = load_yaml("coreweave/permissions.yaml")
    text = yaml.safe_dump(
        {"roles": document["roles"][verb.value], "used": of(verb)}, sort_keys=False
    )
    return [PolicyDocument(f"anyscale-k8s-coreweave-{verb.value}", "CoreWeave IAM roles", text)]


def of(verb: Verb) -> list[str]:
    """All that a verb does, in the words of the services."""
    document = load_yaml("coreweave/permissions.yaml")
    return sorted({name for part in verb.parts for name in document[part]})


def grant(principal: str, missing: Sequence[str]) -> str:
    """What an administrator of the organisation does to give these rights."""
    statement = {
        "name": "anyscale-k8s-rights",
        "effect": "Allow",
        "actions": list(missing),
        "resources": ["*"],
        "principals": [principal],
    }
    return (
        "give the role Object Storage Admin, or put this statement into an organisation access "
        f"policy: {json.dumps(statement)}"
    )


def command(verb: Verb) -> str:
    """What prints all that a verb needs."""
    return f"anyscale cloud permissions --provider coreweave --verb {verb.value}"
