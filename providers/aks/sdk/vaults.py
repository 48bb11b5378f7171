"""Key vaults, as Resource Manager knows them: whether a key can be used, and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_KIND = "Microsoft.KeyVault/vaults"
_VERSION = "2023-07-01"
READ = f"{_KIND}/read"
# What storage does with a key, in words of roles and of access policies.
RIGHTS = (
    f"{_KIND}/keys/read",
    f"{_KIND}/keys/wrap/action",
    f"{_KIND}/keys/unwrap/action",
)
POLICY = ("get", "wrapKey", "unwrapKey")


@dataclass(frozen=True)
class Vault:
    """`policies` are what access policies let each principal do with keys, in lower case.

    `recoverable` is whether nobody can destroy its keys at once.
    """

    id: str
    name: str
    recoverable: bool
    by_roles: bool
    policies: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    enabled: bool
    kind: str

    @property
    def rsa(self) -> bool:
        return self.kind.upper().startswith("RSA")


class Vaults:
    """Those of the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> Iterator[Vault]:
        path = f"/subscriptions/{self._session.subscription}/providers/{_KIND}"
        return map(_vault, self._session.pages(READ, path, _VERSION))

    def key(self, vault: Vault, name: str) -> Key | None:
        path = f"{vault.id}/keys/{name}"
        try:
            found = self._session.get(f"{_KIND}/keys/read", path, _VERSION)
        except CloudFailure as failure:
            if failure.status == 404:
                return None
            raise
        properties = found.get("properties") or {}
        attributes = properties.get("attributes") or {}
        # Not to say it means that it is.
        return Key(attributes.get("enabled") is not False, str(properties.get("kty") or ""))


def _vault(item: Mapping[str, Any]) -> Vault:
    properties = item.get("properties") or {}
    policies: dict[str, frozenset[str]] = {}
    for entry in properties.get("accessPolicies") or ():
        granted = (entry.get("permissions") or {}).get("keys") or ()
        policies[str(entry.get("objectId")).lower()] = frozenset(
            name for given in granted for name in _meant(str(given))
        )
    return Vault(
        id=str(item["id"]),
        name=str(item["name"]).lower(),
        # A new vault has soft delete whether that is said or not.
        recoverable=bool(properties.get("enablePurgeProtection"))
        and properties.get("enableSoftDelete") is not False,
        by_roles=bool(properties.get("enableRbacAuthorization")),
        policies=policies,
    )


def _meant(given: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in POLICY) if given.lower() == "all" else (given.lower(),)
