"""The least rights per verb, as statements of a policy of Oracle's."""

from __future__ import annotations

from collections.abc import Iterable

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


def for_call(call: str) -> list[str]:
    """The statements that a call takes, by its name (`identity.CreateUser`)."""
    document = load_yaml("oke/permissions.yaml", {"group": "<group>", "compartment": "<its place>"})
    name = call.rpartition(".")[2]
    kinds = next(kinds for end, kinds in document["kinds"].items() if name.endswith(end))
    looks = name.startswith(("Get", "List"))
    parts = ("look", "plan", "delete", "subnet") if looks else ("setup", "delete", "look")
    everything = [item for part in parts for item in document[part]]
    return [next(item for item in everything if f" {kind} in " in item) for kind in kinds]


def advice(statements: Iterable[str]) -> str:
    """What an administrator of the tenancy does to give what is missing."""
    return "\n".join(("have these statements put into a policy:", *statements))


def command(verb: Verb) -> str:
    """What prints all statements."""
    return f"anyscale cloud permissions --provider oke --verb {verb.value}"
