"""Role definitions: Azure's own, as far as they matter here, and those of a subscription.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.sandbox.azure.resources import within

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_DELEGATE = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
_COMMON = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
)
_CLUSTERS = "Microsoft.ContainerService/managedClusters"


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """What a role lets its holders do; patterns as Azure writes them."""

    id: str
    name: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    custom: bool = False
    description: str = ""
    scopes: tuple[str, ...] = ()

    def allows(self, action: str, *, data: bool = False) -> bool:
        allowed, excluded = (
            (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        )
        return _any(allowed, action) and not _any(excluded, action)

    @property
    def permission(self) -> dict[str, list[str]]:
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }

    def assignable(self, scope: str) -> bool:
        """Whether it can be assigned at a scope."""
        return not self.scopes or any(within(scope, item) for item in self.scopes)

    def as_json(self, subscription: str) -> dict[str, Any]:
        return {
            "id": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{self.id}",
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": self.id,
            "properties": {
                "roleName": self.name,
                "type": "CustomRole" if self.custom else "BuiltInRole",
                "description": self.description,
                "assignableScopes": list(self.scopes or ([subscription] if self.custom else ["/"])),
                "permissions": [self.permission],
            },
        }


def custom_role(identifier: str, document: Mapping[str, Any]) -> RoleDefinition:
    """A role of a subscription, from a document with its actions.

    The members are those of Azure's role documents, in either of their spellings.
    """
    known = {key[:1].lower() + key[1:]: value for key, value in document.items()}

    def patterns(name: str) -> tuple[str, ...]:
        return tuple(known.get(name) or ())

    return RoleDefinition(
        identifier,
        str(known.get("name") or known.get("roleName") or identifier),
        patterns("actions"),
        patterns("notActions"),
        patterns("dataActions"),
        patterns("notDataActions"),
        custom=True,
        description=str(known.get("description") or ""),
        scopes=patterns("assignableScopes"),
    )


def _any(patterns: Sequence[str], action: str) -> bool:
    wanted = action.lower()
    return any(fnmatchcase(wanted, pattern.lower()) for pattern in patterns)


OWNER = "Owner"
BLOB_DATA_OWNER = "Storage Blob Data Owner"
BLOB_DATA_CONTRIBUTOR = "Storage Blob Data Contributor"
KEY_USER = "Key Vault Crypto Service Encryption User"
BLOB_DATA_READER = "Storage Blob Data Reader"

BUILT_IN = (
    RoleDefinition("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", OWNER, ("*",)),
    RoleDefinition(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
        ),
    ),
    RoleDefinition("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ("*/read",)),
    RoleDefinition(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
    ),
    RoleDefinition(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        (
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ),
    ),
    RoleDefinition(
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        BLOB_DATA_OWNER,
        (f"{_CONTAINERS}/*", _DELEGATE),
        data_actions=(f"{_BLOBS}/*",),
    ),
    RoleDefinition(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        BLOB_DATA_CONTRIBUTOR,
        (f"{_CONTAINERS}/delete", f"{_CONTAINERS}/read", f"{_CONTAINERS}/write", _DELEGATE),
        data_actions=(
            f"{_BLOBS}/delete",
            f"{_BLOBS}/read",
            f"{_BLOBS}/write",
            f"{_BLOBS}/move/action",
            f"{_BLOBS}/add/action",
        ),
    ),
    RoleDefinition(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        BLOB_DATA_READER,
        (f"{_CONTAINERS}/read", _DELEGATE),
        data_actions=(f"{_BLOBS}/read",),
    ),
    RoleDefinition("db58b8e5-c6ad-4a2a-8342-4190687cbf4a", "Storage Blob Delegator", (_DELEGATE,)),
    RoleDefinition(
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        "Storage Account Contributor",
        (*_COMMON, "Microsoft.Storage/storageAccounts/*"),
    ),
    RoleDefinition(
        "81a9662b-bebf-436f-a333-f67b29880f12",
        "Storage Account Key Operator Service Role",
        (
            "Microsoft.Storage/storageAccounts/listkeys/action",
            "Microsoft.Storage/storageAccounts/regeneratekey/action",
        ),
    ),
    RoleDefinition(
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        "Managed Identity Contributor",
        (
            *_COMMON,
            "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/*",
        ),
    ),
    RoleDefinition(
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        KEY_USER,
        data_actions=(
            "Microsoft.KeyVault/vaults/keys/read",
            "Microsoft.KeyVault/vaults/keys/unwrap/action",
            "Microsoft.KeyVault/vaults/keys/wrap/action",
        ),
    ),
    RoleDefinition(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        (
            *_COMMON,
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
        ),
    ),
    RoleDefinition(
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
        "Network Contributor",
        (*_COMMON, "Microsoft.Network/*"),
    ),
    RoleDefinition(
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
        "Azure Kubernetes Service Cluster User Role",
        (f"{_CLUSTERS}/listClusterUserCredential/action", f"{_CLUSTERS}/read"),
    ),
    RoleDefinition(
        "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
        "Azure Kubernetes Service Cluster Admin Role",
        (
            f"{_CLUSTERS}/listClusterAdminCredential/action",
            f"{_CLUSTERS}/accessProfiles/listCredential/action",
            f"{_CLUSTERS}/read",
            f"{_CLUSTERS}/runcommand/action",
        ),
    ),
    RoleDefinition(
        "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
        "Azure Kubernetes Service RBAC Cluster Admin",
        (*_COMMON, f"{_CLUSTERS}/listClusterUserCredential/action"),
        data_actions=(f"{_CLUSTERS}/*",),
    ),
    RoleDefinition(
        "7f6c6a51-bcf8-42ba-9220-52d62157d7db",
        "Azure Kubernetes Service RBAC Reader",
        _COMMON,
        data_actions=(f"{_CLUSTERS}/pods/read", f"{_CLUSTERS}/services/read"),
    ),
)
