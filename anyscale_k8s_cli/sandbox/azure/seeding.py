"""Puts the seeds into a new subscription."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.azure.directory import EXCHANGE_AUDIENCE, FederatedCredential
from anyscale_k8s_cli.sandbox.azure.identities import Identities
from anyscale_k8s_cli.sandbox.azure.key_vaults import VAULTS, KeyVaults, VaultKey
from anyscale_k8s_cli.sandbox.azure.resources import (
    GROUPS,
    IDENTITIES,
    STORAGE_ACCOUNTS,
    VIRTUAL_NETWORKS,
    Resource,
    Resources,
)
from anyscale_k8s_cli.sandbox.azure.rights import Rights
from anyscale_k8s_cli.sandbox.azure.roles import KEY_USER
from anyscale_k8s_cli.sandbox.azure.seed import (
    AksClusterSeed,
    IdentitySeed,
    StorageAccountSeed,
    VaultSeed,
    guid,
)
from anyscale_k8s_cli.sandbox.azure.storage import StorageAccounts


def seed_group(resources: Resources, name: str, location: str) -> None:
    """A resource group, unless it is there."""
    if resources.group(name) is None:
        properties = {"provisioningState": "Succeeded"}
        resources.put(Resource(resources.group_id(name), GROUPS, location, properties=properties))


def seed_cluster_groups(resources: Resources, seed: AksClusterSeed) -> None:
    """The group of a cluster and the one in which it keeps its machines."""
    seed_group(resources, seed.resource_group, seed.location)
    seed_group(resources, seed.node_resource_group, seed.location)
    nodes = resources.group(seed.node_resource_group)
    if nodes is not None:
        nodes.tags = {
            "aks-managed-cluster-name": seed.name,
            "aks-managed-cluster-rg": seed.resource_group,
        }


def seed_network(resources: Resources, seed: AksClusterSeed) -> None:
    """The cluster's virtual network with a subnet for nodes and one for load balancers."""
    group, name = seed.network
    properties = {"subnets": [{"name": "aks-subnet"}, {"name": "inner"}]}
    own = resources.id(group, VIRTUAL_NETWORKS, name)
    resources.put(Resource(own, VIRTUAL_NETWORKS, seed.location, properties=properties))


def seed_account(accounts: StorageAccounts, seed: StorageAccountSeed) -> None:
    resources = accounts.resources
    if seed.subscription_id != resources.subscription_id:
        accounts.taken.add(seed.name)
        return
    seed_group(resources, seed.resource_group, seed.location)
    properties: dict[str, object] = {"isHnsEnabled": True} if seed.hierarchical else {}
    if seed.shared_key is not None:
        properties["allowSharedKeyAccess"] = seed.shared_key
    own_id = resources.id(seed.resource_group, STORAGE_ACCOUNTS, seed.name)
    account = accounts.new(own_id, seed.location, properties)
    account.tags = dict(seed.tags)
    data = accounts.add(account, settled=True)
    data.settings["cors"] = {"corsRules": [dict(rule) for rule in seed.cors]}
    for name, blobs in seed.containers.items():
        container = data.add_container(name)
        for key, content in blobs:
            data.put(container, key, content)


def seed_vault(vaults: KeyVaults, seed: VaultSeed) -> None:
    """A vault with its keys, after the identities that may use them."""
    resources = vaults.resources
    seed_group(resources, seed.resource_group, seed.location)
    own_id = resources.id(seed.resource_group, VAULTS, seed.name)
    users = [resources.named(seed.resource_group, IDENTITIES, name) for name in seed.users]
    principals = [str(user.properties["principalId"]) for user in users if user is not None]
    policies = [] if seed.by_roles else [_policy(principal) for principal in principals]
    properties = {
        "vaultUri": seed.uri,
        "enableSoftDelete": True,
        "enablePurgeProtection": seed.purge_protection or None,
        "enableRbacAuthorization": seed.by_roles,
        "accessPolicies": policies,
    }
    resources.put(Resource(own_id, VAULTS, seed.location, properties=properties))
    for name in seed.keys:
        vaults.keys[seed.name, name] = VaultKey(guid("key", seed.name, name).replace("-", ""))
    for principal in principals if seed.by_roles else ():
        held = vaults.directory.principals[principal]
        vaults.rights.grant(held, vaults.rights.role_named(KEY_USER), own_id)


def _policy(principal: str) -> dict[str, object]:
    return {"objectId": principal, "permissions": {"keys": ["get", "wrapKey", "unwrapKey"]}}


def seed_identity(identities: Identities, rights: Rights, seed: IdentitySeed) -> None:
    resources = identities.resources
    seed_group(resources, seed.resource_group, seed.location)
    own_id = resources.id(seed.resource_group, IDENTITIES, seed.name)
    identity = identities.add(own_id, seed.location, dict(seed.tags), settled=True)
    principal = identities.principal(identity)
    for name, issuer, subject in seed.federated:
        principal.credentials[name] = FederatedCredential(
            name, issuer, subject, (EXCHANGE_AUDIENCE,)
        )
    for role, scope in seed.roles:
        rights.grant(principal, rights.role_named(role), scope)
