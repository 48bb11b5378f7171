"""Storage: accounts, the rules of their blob service, containers; not what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli.providers.aks.sdk.policies import Draft
from anyscale_k8s_cli.providers.azureblob.cors import CorsRule
from anyscale_k8s_cli.providers.azureblob.sdk.enums import word
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_KIND = "Microsoft.Storage/storageAccounts"
_CONTAINER = f"{_KIND}/blobServices/containers"
TLS = "TLS1_2"
SUCCEEDED = "Succeeded"
NO_ACCESS = "None"
_KEYS = "/keys/"
_VAULT = "Microsoft.Keyvault"
_SYSTEM, _USER = "SystemAssigned", "UserAssigned"
_CLOSED = {"properties": {"publicAccess": NO_ACCESS}}


@dataclass(frozen=True)
class Settings:
    """What an account is set to and can be set to again.

    `kms_key` is the identifier of a key in a vault, `kms_identity` the id, in lower case, of the
    identity in whose name it is used; empty with keys of Azure's.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    https_only: bool = True
    tls: str = TLS
    public_access: bool = False
    shared_key: bool = True
    kms_key: str = ""
    kms_identity: str = ""
    # Whether it has an identity of its own besides, which then stays.
    system_identity: bool = False


@dataclass(frozen=True)
class Account:
    """A storage account. The endpoint and `host` are empty until it is `settled`.

    `endpoint` is where its blobs are, with no slash at its end; `host` the name by
    which `abfss://` addresses call it.
    """

    id: str
    name: str
    location: str
    settled: bool
    hierarchical: bool
    endpoint: str
    host: str
    settings: Settings

    @property
    def group(self) -> str:
        """The name of its resource group."""
        return self.id.split("/")[4]


class Storage:
    """The accounts of the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- accounts ------------------------------------------------------------------------

    def account(self, group: str, name: str) -> Account | None:
        found = self._session.find(
            f"{_KIND}/read", lambda: self._client.storage_accounts.get_properties(group, name)
        )
        return self._account(found) if found is not None else None

    def accounts(self) -> Iterator[Account]:
        """All of the subscription."""
        listed = self._session.ask(
            f"{_KIND}/read", lambda: list(self._client.storage_accounts.list())
        )
        return map(self._account, listed)

    @staticmethod
    def draft(name: str, location: str, wanted: Settings) -> Draft:
        """An account as it would be made."""
        return Draft(_KIND, "2024-01-01", {"name": name, **_content(location, wanted)})

    def taken(self, name: str) -> bool:
        """Whether somebody anywhere has an account of that name."""
        body = {"name": name, "type": _KIND}
        answer = self._session.ask(
            "Microsoft.Storage/checknameavailability/read",
            lambda: self._client.storage_accounts.check_name_availability(body),
        )
        return not answer.name_available and word(answer.reason) == "AlreadyExists"

    def create(self, group: str, name: str, location: str, wanted: Settings) -> None:
        """Begin to make it, with all of its settings. It is of use once it is settled."""
        body = _content(location, wanted)
        self._session.ask(
            f"{_KIND}/write",
            # Waited for by looking at it: what another run began is waited for the same way.
            lambda: self._client.storage_accounts.begin_create(group, name, body, polling=False),
        )

    def update(self, group: str, name: str, wanted: Settings) -> None:
        body = {
            "tags": dict(wanted.tags),
            "properties": _properties(wanted),
            **_identity(wanted),
        }
        self._session.ask(
            f"{_KIND}/write", lambda: self._client.storage_accounts.update(group, name, body)
        )

    def tag(self, group: str, name: str, tags: Mapping[str, str]) -> None:
        """These tags and no others; what the account is set to stays."""
        body = {"tags": dict(tags)}
        self._session.ask(
            f"{_KIND}/write", lambda: self._client.storage_accounts.update(group, name, body)
        )

    def delete(self, group: str, name: str) -> None:
        """With all that is in it; already gone is success."""
        self._session.find(
            f"{_KIND}/delete", lambda: self._client.storage_accounts.delete(group, name)
        )

    def key(self, group: str, name: str) -> str:
        """A key with which everything in it may be done."""
        answer = self._session.ask(
            f"{_KIND}/listKeys/action",
            lambda: self._client.storage_accounts.list_keys(group, name),
        )
        # The SDK's models became mappings, which have a method of the name.
        keys = getattr(answer, "keys_property", None) or answer.keys
        return str(keys[0].value)

    # -- the blob service ------------------------------------------------------------------

    def cors(self, group: str, name: str) -> list[CorsRule]:
        found = self._session.find(
            f"{_KIND}/blobServices/read",
            lambda: self._client.blob_services.get_service_properties(group, name),
        )
        rules = found.cors.cors_rules if found is not None and found.cors else ()
        return [_rule(rule) for rule in rules or ()]

    def set_cors(self, group: str, name: str, rules: Sequence[CorsRule]) -> None:
        """All rules, also those of others; whatever else is set there stays."""
        body = {"properties": {"cors": {"corsRules": [_body(rule) for rule in rules]}}}
        self._session.ask(
            f"{_KIND}/blobServices/write",
            lambda: self._client.blob_services.set_service_properties(group, name, body),
        )

    # -- containers --------------------------------------------------------------------------

    def container(self, group: str, account: str, name: str) -> str | None:
        """The public access of a container, None without one."""
        found = self._session.find(
            f"{_CONTAINER}/read",
            lambda: self._client.blob_containers.get(group, account, name),
        )
        return None if found is None else word(found.public_access or NO_ACCESS)

    def put_container(self, group: str, account: str, name: str) -> None:
        """Make it, for nobody without a role; an existing one stays as it is."""
        containers = self._client.blob_containers
        self._session.ask(
            f"{_CONTAINER}/write", lambda: containers.create(group, account, name, _CLOSED)
        )

    def close_container(self, group: str, account: str, name: str) -> None:
        """Let nobody in without a role."""
        containers = self._client.blob_containers
        self._session.ask(
            f"{_CONTAINER}/write", lambda: containers.update(group, account, name, _CLOSED)
        )

    @property
    def _client(self) -> Any:
        from azure.mgmt.storage import StorageManagementClient

        return self._session.client(
            "storage", lambda arguments: StorageManagementClient(**arguments)
        )

    def _account(self, item: Any) -> Account:
        name, endpoints = str(item.name), item.primary_endpoints
        settled = word(item.provisioning_state) == SUCCEEDED and endpoints is not None
        host = (urlsplit(endpoints.dfs or "").hostname or "") if settled else ""
        if settled and not host.startswith(f"{name}."):
            # Where accounts have no host names of their own, addresses have them all the same.
            host = f"{name}.dfs.{self._session.cloud.storage_suffix}"
        return Account(
            id=str(item.id),
            name=name,
            location=str(item.location).replace(" ", "").lower(),
            settled=settled,
            hierarchical=bool(item.is_hns_enabled),
            endpoint=str(endpoints.blob).rstrip("/") if settled else "",
            host=host,
            settings=Settings(
                tags=dict(item.tags or {}),
                https_only=bool(item.enable_https_traffic_only),
                tls=word(item.minimum_tls_version or ""),
                public_access=item.allow_blob_public_access is not False,
                # Not to say it means to allow it.
                shared_key=item.allow_shared_key_access is not False,
                kms_key=_key(item.encryption),
                kms_identity=_user(item.encryption),
                system_identity=bool(item.identity)
                and word(item.identity.type or "").startswith(_SYSTEM),
            ),
        )


def _content(location: str, wanted: Settings) -> dict[str, Any]:
    return {
        "location": location,
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "tags": dict(wanted.tags),
        **_identity(wanted),
        "properties": {
            "accessTier": "Hot",
            "isHnsEnabled": True,
            "networkAcls": {"defaultAction": "Allow"},
            **_properties(wanted),
        },
    }


def _properties(wanted: Settings) -> dict[str, Any]:
    return {
        "supportsHttpsTrafficOnly": wanted.https_only,
        "minimumTlsVersion": wanted.tls,
        "allowBlobPublicAccess": wanted.public_access,
        "allowSharedKeyAccess": wanted.shared_key,
        **({"encryption": _encryption(wanted)} if wanted.kms_key else {}),
    }


def _encryption(wanted: Settings) -> dict[str, Any]:
    uri, _, key = wanted.kms_key.partition(_KEYS)
    name, _, version = key.partition("/")
    return {
        "keySource": _VAULT,
        "keyvaultproperties": {"keyvaulturi": uri, "keyname": name, "keyversion": version},
        "identity": {"userAssignedIdentity": wanted.kms_identity},
        "services": {part: {"enabled": True, "keyType": "Account"} for part in ("blob", "file")},
    }


def _identity(wanted: Settings) -> dict[str, Any]:
    if not wanted.kms_identity:
        return {}
    kind = f"{_SYSTEM},{_USER}" if wanted.system_identity else _USER
    return {"identity": {"type": kind, "userAssignedIdentities": {wanted.kms_identity: {}}}}


def _key(encryption: Any) -> str:
    if encryption is None or word(encryption.key_source or "") != _VAULT:
        return ""
    held = encryption.key_vault_properties
    version = f"/{held.key_version}" if held.key_version else ""
    return f"{str(held.key_vault_uri).rstrip('/')}{_KEYS}{held.key_name}{version}"


def _user(encryption: Any) -> str:
    user = encryption.encryption_identity if encryption is not None else None
    return str(user.encryption_user_assigned_identity or "").lower() if user is not None else ""


def _rule(rule: Any) -> CorsRule:
    return CorsRule(
        tuple(rule.allowed_origins),
        tuple(map(word, rule.allowed_methods)),
        tuple(rule.allowed_headers),
        tuple(rule.exposed_headers),
        int(rule.max_age_in_seconds),
    )


def _body(rule: CorsRule) -> dict[str, Any]:
    return {
        "allowedOrigins": list(rule.origins),
        "allowedMethods": list(rule.methods),
        "allowedHeaders": list(rule.headers),
        "exposedHeaders": list(rule.exposed),
        "maxAgeInSeconds": rule.seconds,
    }
