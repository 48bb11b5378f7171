"""Everything in the subscription that matters, as plain data to compare."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from anyscale_k8s_cli.sandbox.azure.blob_store import BlobAccount
from anyscale_k8s_cli.sandbox.azure.identities import Identities
from anyscale_k8s_cli.sandbox.azure.resources import (
    GROUPS,
    IDENTITIES,
    LOAD_BALANCERS,
    PUBLIC_ADDRESSES,
    STORAGE_ACCOUNTS,
    Resource,
)
from anyscale_k8s_cli.sandbox.azure.rights import Rights
from anyscale_k8s_cli.sandbox.azure.storage import StorageAccounts


def snapshot(accounts: StorageAccounts, identities: Identities, rights: Rights) -> dict[str, Any]:
    """The subscription's objects by kind and id; equal data mean an equal subscription.

    Times and keys are left out: they say nothing about what was changed.
    """
    resources = accounts.resources
    return {
        "resource_groups": {item.name: dict(item.tags) for item in resources.of(GROUPS)},
        "storage_accounts": {
            item.name: _account(item, accounts.data[item.name])
            for item in resources.of(STORAGE_ACCOUNTS)
        },
        "identities": {
            item.id: {
                "tags": dict(item.tags),
                "principal": item.properties["principalId"],
                "federated": {
                    name: (credential.issuer, credential.subject, list(credential.audiences))
                    for name, credential in sorted(identities.principal(item).credentials.items())
                },
            }
            for item in resources.of(IDENTITIES)
        },
        "role_assignments": {
            item.id: {"role": item.role.name, "principal": item.principal_id}
            for item in rights.assignments.values()
        },
        "public_addresses": {
            item.id: {"tags": dict(item.tags), "deleting": _deleting(item)}
            for item in resources.of(PUBLIC_ADDRESSES)
        },
        "load_balancers": {item.id: _rules(item) for item in resources.of(LOAD_BALANCERS)},
    }


def _account(account: Resource, data: BlobAccount) -> dict[str, Any]:
    properties = {key: value for key, value in account.properties.items() if key != "creationTime"}
    return {
        "id": account.id,
        "location": account.location,
        "tags": dict(account.tags),
        "properties": properties,
        "blob_service": dict(data.settings),
        "containers": {
            name: {
                "public_access": container.public_access,
                "metadata": dict(container.metadata),
                "blobs": {
                    key: sha256(blob.content).hexdigest()
                    for key, blob in sorted(container.blobs.items())
                },
            }
            for name, container in sorted(data.containers.items())
        },
    }


def _deleting(item: Resource) -> bool:
    return item.properties.get("provisioningState") == "Deleting"


def _rules(item: Resource) -> list[str]:
    frontends = item.properties.get("frontendIPConfigurations") or []
    return sorted(str(frontend["name"]) for frontend in frontends)
