"""The least rights per verb, as custom roles: to print, and to compare with one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.providers.aks.namespaces import NETWORK, STORAGE
from anyscale_k8s_cli.templates import load_yaml

# What is needed of a key of the user's alone, and so is asked about where there is one.
OF_KEYS = ("Microsoft.KeyVault/", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/")
# What is done without where it is not granted. Of the rights to see the subscription and one's
# own rights, the call itself has shown by use that it is let through.
DISPENSABLE = frozenset(
    {
        *(f"{item}/locations/usages/read" for item in (NETWORK, STORAGE)),
        "Microsoft.Authorization/permissions/read",
        "Microsoft.Authorization/roleDefinitions/read",
        "Microsoft.Network/loadBalancers/read",
        "Microsoft.Network/publicIPAddresses/read",
        "Microsoft.PolicyInsights/checkPolicyRestrictions/read",
        "Microsoft.Resources/subscriptions/providers/read",
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Storage/checknameavailability/read",
    }
)


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


def grant(principal: str, scope: str, missing: Sequence[str]) -> str:
    """The commands by which whoever may assign roles gives these actions."""
    named = sorted(missing)
    role = {
        "Name": f"anyscale-k8s {sha256(','.join(named).encode()).hexdigest()[:8]}",
        "Actions": named,
        "AssignableScopes": [scope],
    }
    return (
        f"az role definition create --role-definition '{json.dumps(role)}'\n"
        f"az role assignment create --assignee {principal or '<you>'} --role '{role['Name']}' "
        f"--scope {scope}"
    )


def command(verb: Verb) -> str:
    """What prints the whole role."""
    return f"anyscale cloud permissions --provider aks --verb {verb.value}"
