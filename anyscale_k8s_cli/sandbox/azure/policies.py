"""Azure Policy: what a company forbids in its subscription, whoever asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.azure.errors import ArmError
from anyscale_k8s_cli.sandbox.azure.resources import STORAGE_ACCOUNTS, Resource
from anyscale_k8s_cli.sandbox.azure.seed import PolicySeed, guid

_SHARED_KEY = "Microsoft.Storage/storageAccounts/allowSharedKeyAccess"

_KEY_SOURCE = "Microsoft.Storage/storageAccounts/encryption.keySource"
_VAULT = "Microsoft.Keyvault"


@dataclass
class Policies:
    """The assignments that deny."""

    subscription: str
    items: Sequence[PolicySeed] = ()

    def check(self, resource: Resource) -> None:
        """Raises 403 for a resource as it would be, if a policy denies it."""
        broken = [item for item in self.items if _denies(item, resource)]
        if not broken:
            return
        identifiers = [self._identifiers(item) for item in broken]
        raise ArmError(
            403,
            "RequestDisallowedByPolicy",
            f"Resource '{resource.name}' was disallowed by policy. Policy identifiers: "
            f"'{json.dumps(identifiers, separators=(',', ':'))}'.",
            fields={
                "target": resource.name,
                "additionalInfo": [
                    {
                        "type": "PolicyViolation",
                        "info": {
                            "policyAssignmentId": found["policyAssignment"]["id"],
                            "policyAssignmentName": item.name,
                            "policyAssignmentDisplayName": item.display_name,
                            "policyDefinitionId": found["policyDefinition"]["id"],
                            "policyDefinitionDisplayName": item.display_name,
                            "policyDefinitionEffect": "deny",
                        },
                    }
                    for item, found in zip(broken, identifiers, strict=True)
                ],
            },
        )

    def evaluations(self, resource: Resource) -> list[dict[str, Any]]:
        """What each policy that denies it says of a resource as it would be.

        https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions
        """
        return [
            {
                "policyInfo": {
                    "policyAssignmentId": found["policyAssignment"]["id"],
                    "policyDefinitionId": found["policyDefinition"]["id"],
                },
                "evaluationResult": "NonCompliant",
                "evaluationDetails": {"evaluatedExpressions": [_looked_at(item)]},
                "effectDetails": {"policyEffect": "Deny"},
            }
            for item in self.items
            if _denies(item, resource)
            for found in [self._identifiers(item)]
        ]

    def _identifiers(self, item: PolicySeed) -> dict[str, dict[str, str]]:
        prefix = "/providers/Microsoft.Authorization"
        return {
            "policyAssignment": {
                "name": item.display_name,
                "id": f"{self.subscription}{prefix}/policyAssignments/{item.name}",
            },
            "policyDefinition": {
                "name": item.display_name,
                "id": f"{prefix}/policyDefinitions/{guid('policy', item.name)}",
            },
        }


def _looked_at(policy: PolicySeed) -> dict[str, Any]:
    field, operator, target = _SHARED_KEY, "Equals", "false"
    if policy.required_tag:
        field, operator = f"tags[{policy.required_tag}]", "Exists"
    elif policy.demands_own_key:
        field, operator, target = _KEY_SOURCE, "NotEquals", _VAULT
    return {
        "result": "True",
        "expressionKind": "Field",
        "expression": field,
        "path": field,
        "targetValue": target,
        "operator": operator,
    }


def _denies(policy: PolicySeed, resource: Resource) -> bool:
    if policy.required_tag and policy.required_tag not in resource.tags:
        return True
    if resource.type != STORAGE_ACCOUNTS:
        return False
    if policy.demands_own_key:
        return (resource.properties.get("encryption") or {}).get("keySource") != _VAULT
    if not policy.denies_shared_key:
        return False
    # Not to say it means to allow it.
    return resource.properties.get("allowSharedKeyAccess") is not False
