"""The least rights per verb, as statements of a policy of Oracle's."""

from __future__ import annotations

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml


def documents(verb: Verb) -> list[PolicyDocument]:
    """The statements, offline, with places for the group and the compartment."""
    text = "\n".join(of(verb, "<group>", "<compartment>")) + "\n"
    return [PolicyDocument(f"anyscale-k8s-oke-{verb.value}", "OCI policy statements", text)]


def of(verb: Verb, group: str, compartment: str) -> list[str]:
    """All that a verb takes; the policy is to be in the tenancy's root."""
    document = load_yaml("oke/permissions.yaml", {"group": group, "compartment": compartment})
    return list(dict.fromkeys(item for part in verb.parts for item in document[part]))
