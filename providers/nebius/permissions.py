"""The least rights per verb, as roles of Nebius'."""

from __future__ import annotations

import yaml

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml


def documents(verb: Verb) -> list[PolicyDocument]:
    """The role that covers the verb, with the rights in it that are used, offline.

    Nebius has no roles of a company's own; so the narrowest of its roles is said.
    """
    text = yaml.safe_dump(
        {"role": role(verb), "resource": "the project", "used": of(verb)}, sort_keys=False
    )
    return [PolicyDocument(f"anyscale-k8s-nebius-{verb.value}", "Nebius access permit", text)]


def role(verb: Verb) -> str:
    return str(load_yaml("nebius/permissions.yaml")["roles"][verb.value])


def of(verb: Verb) -> list[str]:
    """All that a verb does, in the words of the services."""
    document = load_yaml("nebius/permissions.yaml")
    return sorted({name for part in verb.parts for name in document[part]})


def grant(subject: str, project: str, role: str) -> str:
    """The commands by which an administrator of the project gives somebody a role."""
    return (
        f"nebius iam access-permit create --parent-id <a group> --resource-id {project} "
        f"--role {role}\n"
        f"nebius iam group-membership create --parent-id <that group> --member-id {subject}"
    )


def command(verb: Verb) -> str:
    """What prints the role, and what it is for."""
    return f"anyscale cloud permissions --provider nebius --verb {verb.value}"
