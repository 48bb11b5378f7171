"""Microsoft.KeyVault: vaults with keys, and whether storage may encrypt with one.

https://learn.microsoft.com/azure/storage/common/customer-managed-keys-overview
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.azure.arm_routes import (
    GROUP,
    SUBSCRIPTION,
    Answer,
    ArmRequest,
    Needs,
    Route,
)
from anyscale_k8s_cli.sandbox.azure.directory import Directory, Principal
from anyscale_k8s_cli.sandbox.azure.errors import ArmError, bad_request, resource_not_found
from anyscale_k8s_cli.sandbox.azure.resources import Resource, Resources
from anyscale_k8s_cli.sandbox.azure.rights import Rights

VAULTS = "Microsoft.KeyVault/vaults"
_DATA = {
    "get": f"{VAULTS}/keys/read",
    "wrapKey": f"{VAULTS}/keys/wrap/action",
    "unwrapKey": f"{VAULTS}/keys/unwrap/action",
}
_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_STORAGE_WRITE = "Microsoft.Storage/storageAccounts/write"
_OF_VAULTS = "Microsoft.Keyvault"


@dataclass
class VaultKey:
    version: str
    enabled: bool = True
    kty: str = "RSA"


@dataclass
class KeyVaults:
    """The operations on vaults; `keys` are by the vault's name and their own."""

    resources: Resources
    rights: Rights
    directory: Directory
    keys: dict[tuple[str, str], VaultKey] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        kind, name = f"/providers/{VAULTS}", "Vaults"
        one, read = GROUP + kind + "/{vault}", f"{VAULTS}/read"
        return [
            Route("GET", one, f"{name}_Get", read, self.get),
            Route("GET", SUBSCRIPTION + kind, f"{name}_List", read, self.list, Needs.IN_LIST),
            Route("GET", one + "/keys/{key}", "Keys_Get", f"{VAULTS}/keys/read", self.get_key),
        ]

    def get(self, request: ArmRequest) -> Answer:
        return Answer(self._vault(request).as_json())

    def list(self, request: ArmRequest) -> Answer:
        return Answer({"value": [item.as_json() for item in self.resources.of(VAULTS)]})

    def get_key(self, request: ArmRequest) -> Answer:
        vault = self._vault(request)
        name = request["key"]
        found = self.keys.get((vault.name, name))
        if found is None:
            raise ArmError(404, "KeyNotFound", f"The key '{name}' was not found.")
        uri = f"{vault.properties['vaultUri']}keys/{name}"
        properties = {
            "attributes": {"enabled": found.enabled},
            "kty": found.kty,
            "keyUri": uri,
            "keyUriWithVersion": f"{uri}/{found.version}",
        }
        shown = {"id": f"{vault.id}/keys/{name}", "name": name, "type": f"{VAULTS}/keys"}
        return Answer({**shown, "location": vault.location, "properties": properties})

    def _vault(self, request: ArmRequest) -> Resource:
        found = self.resources.named(request["group"], VAULTS, request["vault"])
        if found is None:
            raise resource_not_found(VAULTS, request["vault"], request["group"])
        return found

    # -- for storage -------------------------------------------------------------------

    def check(self, caller: Principal | None, account: Resource) -> None:
        """Raises for an account as it would be, if it cannot be encrypted with its key."""
        assigned = (account.extra.get("identity") or {}).get("userAssignedIdentities") or {}
        for identity in assigned:
            self._check_assign(caller, identity, account)
        encryption = account.properties.get("encryption") or {}
        if encryption.get("keySource") != _OF_VAULTS:
            return
        told = encryption.get("keyvaultproperties") or {}
        user = str((encryption.get("identity") or {}).get("userAssignedIdentity") or "")
        if user.lower() not in {item.lower() for item in assigned}:
            raise bad_request(
                "InvalidValuesForRequestParameters",
                "Values for request parameters are invalid: properties.encryption.identity.",
            )
        vault = self._by_uri(str(told.get("keyvaulturi") or ""))
        key = self.keys.get((vault.name, str(told.get("keyname")))) if vault else None
        if vault is None or key is None:
            raise bad_request("KeyVaultKeyNotFound", "The key vault key is not found to unwrap.")
        if not self._may_use(user, vault, str(told.get("keyname"))) or not key.enabled:
            raise bad_request(
                "KeyVaultAuthenticationFailure",
                "The operation failed because of authentication issue on the keyvault. For more "
                "information, see - https://aka.ms/storagekeyvaultaccesspolicy",
            )
        if not vault.properties.get("enablePurgeProtection"):
            raise bad_request("KeyVaultPolicyError", "Keyvault policy recoverable is not set")

    def _check_assign(self, caller: Principal | None, identity: str, account: Resource) -> None:
        if self.resources.find(identity) is None:
            raise bad_request(
                "FailedIdentityOperation",
                f"Identity operation for resource '{account.id}' failed with error 'Failed to "
                f"perform resource identity operation. The identity '{identity}' was not found.'.",
            )
        if caller is None or self.rights.allowed(caller, _ASSIGN, identity):
            return
        raise ArmError(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{caller.app_id}' with object id '{caller.object_id}' has permission to "
            f"perform action '{_STORAGE_WRITE}' on scope '{account.id}'; however, it does not have "
            f"permission to perform action(s) '{_ASSIGN}' on the linked scope(s) '{identity}' "
            "(respectively) or the linked scope(s) are invalid.",
        )

    def _by_uri(self, uri: str) -> Resource | None:
        wanted = uri.rstrip("/").lower()
        vaults = self.resources.of(VAULTS)
        found = (v for v in vaults if v.properties["vaultUri"].rstrip("/").lower() == wanted)
        return next(found, None)

    def _may_use(self, identity: str, vault: Resource, key: str) -> bool:
        found = self.resources.find(identity)
        principal = self.directory.find(str(found.properties["principalId"])) if found else None
        if principal is None:
            return False
        if vault.properties.get("enableRbacAuthorization"):
            held = list(self.rights.held(principal, f"{vault.id}/keys/{key}"))
            return all(
                any(item.role.allows(action, data=True) for item in held)
                for action in _DATA.values()
            )
        policies: list[dict[str, Any]] = vault.properties.get("accessPolicies") or []
        granted = {
            str(name).lower()
            for item in policies
            if item["objectId"] == principal.object_id
            for name in item["permissions"]["keys"]
        }
        return {name.lower() for name in _DATA} <= granted
