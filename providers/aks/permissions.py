"""The least rights per verb, as custom roles: to print, and to compare with one's own."""

from __future__ import annotations

import json

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.providers.aks.namespaces import NETWORK, STORAGE
from anyscale_k8s_cli.templates import load_yaml

# What is done without where it is not granted.
DISPENSABLE = frozenset(f"{item}/locations/usages/read" for item in (NETWORK, STORAGE))


def documents(verb: Verb) -> list[PolicyDocument]:
    """One custom role that covers the verb, offline."""
    role = {
        "Name": f"anyscale-k8s {verb.value} on AKS",
        "Description": "The least that anyscale-k8s-cli needs",
        "IsCustom": True,
        "Actions": actions(verb),
        "AssignableScopes": ["/subscriptions/SUBSCRIPTION_ID"],
    }
    text = json.dumps(role, indent=2) + "\n"
    return [PolicyDocument(f"anyscale-k8s-aks-{verb.value}", "Azure custom role", text)]


def actions(verb: Verb) -> list[str]:
    document = load_yaml("aks/permissions.yaml")
    return sorted({name for part in verb.parts for name in document[part]})
