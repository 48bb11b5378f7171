"""The key of the user's that encrypts our storage account, and the identity that may use it.

Nothing is ever written in the vault. https://learn.microsoft.com/azure/storage/common/customer-managed-keys-overview
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status, passed, unless_denied
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.sdk.vaults import POLICY, READ, RIGHTS, Key, Vault
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identity
from anyscale_k8s_cli.providers.azureblob.trust import Place

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
ROLE_NAME = "Key Vault Crypto Service Encryption User"
ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_KEY = re.compile(
    r"https://(?P<vault>[a-z0-9-]{3,24})(?P<domain>\.vault\.[a-z.]+[a-z])/keys/"
    r"(?P<name>[a-z0-9-]{1,127})(/(?P<version>[0-9a-f]{32}))?/?",
    re.IGNORECASE,
)
# How storage's refusals begin that are about a key.
_OF_KEYS = "KeyVault"


@dataclass(frozen=True)
class KeyName:
    """A key as its vault calls it; without a version Azure follows the newest."""

    vault: str
    uri: str
    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.uri}/keys/{self.name}" + (f"/{self.version}" if self.version else "")


def key_name(given: str) -> KeyName | None:
    """What a key's identifier says; None for what is none."""
    found = _KEY.fullmatch(given)
    if found is None:
        return None
    vault = found["vault"].lower()
    uri = f"https://{vault}{found['domain'].lower()}"
    return KeyName(vault, uri, found["name"], (found["version"] or "").lower())


@unless_denied("look")
def finding(azure: Azure, key: KeyName, user: Place) -> Finding:
    """Whether the identity is there, and may use the key, as far as that can be seen."""
    identity = azure.identities.get(user.group, user.name)
    if identity is None:
        return Finding(
            Status.FAIL,
            f"there is no managed identity {user.name} in {user.group}",
            fix=f"az identity create --resource-group {user.group} --name {user.name}\n"
            "and let it use the key",
        )
    vault = next((item for item in azure.vaults.all() if item.name == key.vault), None)
    if vault is None:
        return Finding(
            Status.UNKNOWN,
            f"the vault {key.vault} is not seen in the subscription (which takes {READ}): "
            f"whether {user.name} may use its key comes out when the account is made",
        )
    problem = next(_problems(azure, vault, key, identity), None)
    return problem or passed(f"{user.name} may use {key}")


def _problems(azure: Azure, vault: Vault, key: KeyName, user: Identity) -> Iterator[Finding]:
    if not vault.recoverable:
        yield Finding(
            Status.FAIL,
            f"the vault {vault.name} is not protected from purging, which storage demands",
            fix=f"az keyvault update --name {vault.name} --enable-purge-protection true",
        )
    found: Key | None = azure.vaults.key(vault, key.name)
    if found is None:
        yield Finding(
            Status.FAIL,
            f"the vault {vault.name} has no key {key.name}",
            fix=f"az keyvault key list --vault-name {vault.name}\n"
            "it shows those that there are: give --kms-key one of them",
        )
    elif not found.enabled:
        where = f"--vault-name {vault.name} --name {key.name}"
        yield Finding(
            Status.FAIL,
            f"the key {key.name} is disabled",
            fix=f"az keyvault key set-attributes {where} --enabled true",
        )
    elif not found.rsa:
        why = f"the key {key.name} is of type {found.kind}, and storage encrypts with RSA alone"
        yield Finding(Status.FAIL, why, fix="give --kms-key an RSA key")
    yield from _without_right(azure, vault, key, user)


def _without_right(azure: Azure, vault: Vault, key: KeyName, user: Identity) -> Iterator[Finding]:
    if vault.by_roles:
        whole = f"{vault.id}/keys/{key.name}".lower()
        held = {
            item.role
            for item in azure.roles.held(vault.id, user.principal_id)
            if f"{whole}/".startswith(f"{item.scope}/")
        }
        permissions = [item for role in held for item in azure.roles.permissions(role)]
        lacking = [name for name in RIGHTS if not any(p.allows_data(name) for p in permissions)]
    else:
        granted = vault.policies.get(user.principal_id.lower(), frozenset())
        lacking = [name for name in POLICY if name.lower() not in granted]
    if lacking:
        why = f"{user.name} may not use the key: it lacks {', '.join(lacking)}"
        yield Finding(Status.FAIL, why, tuple(lacking), grant(key, user.principal_id, vault))


def grant(key: KeyName, principal_id: str, vault: Vault | None = None) -> str:
    """What whoever looks after the vault types to let an identity use its key."""
    if vault is not None and not vault.by_roles:
        return (
            f"az keyvault set-policy --name {vault.name} --object-id {principal_id} "
            f"--key-permissions {' '.join(POLICY)}"
        )
    scope = vault.id if vault else f"$(az keyvault show --name {key.vault} --query id --output tsv)"
    return (
        f'az role assignment create --role "{ROLE_NAME}" --assignee-object-id {principal_id} '
        f"--assignee-principal-type ServicePrincipal --scope {scope}/keys/{key.name}"
    )


@contextmanager
def named(key: str, account: str) -> Iterator[None]:
    """Around what writes an account: Azure's no to its key, in our words."""
    try:
        yield
    except CloudFailure as failure:
        if not failure.api_code.startswith(_OF_KEYS):
            raise
        raise errors.CliError(
            errors.ADOPTED_UNFIT,
            f"The key {key} cannot encrypt the storage account {account}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=f'let the identity of --kms-identity use it (role "{ROLE_NAME}" on the key, or an '
            f"access policy with {', '.join(POLICY)}), protect its vault from purging, and run the "
            "same command again; a role that was just assigned takes some minutes",
        ) from failure
