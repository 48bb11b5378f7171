"""Microsoft.Storage: storage accounts, as Azure Resource Manager knows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anyscale_k8s_cli.sandbox.azure import tags
from anyscale_k8s_cli.sandbox.azure.arm_routes import (
    GROUP,
    SUBSCRIPTION,
    Answer,
    ArmRequest,
    Needs,
    Route,
)
from anyscale_k8s_cli.sandbox.azure.blob_store import BlobAccount
from anyscale_k8s_cli.sandbox.azure.errors import bad_request, conflict, resource_not_found
from anyscale_k8s_cli.sandbox.azure.key_vaults import KeyVaults
from anyscale_k8s_cli.sandbox.azure.locks import Locks
from anyscale_k8s_cli.sandbox.azure.operations import Operations
from anyscale_k8s_cli.sandbox.azure.policies import Policies
from anyscale_k8s_cli.sandbox.azure.resources import STORAGE_ACCOUNTS, Resource, Resources, merged
from anyscale_k8s_cli.sandbox.azure.subscriptions import Subscriptions, location_of

_NAME = re.compile(r"[a-z0-9]{3,24}")
_KINDS = {"StorageV2", "Storage", "BlobStorage", "BlockBlobStorage", "FileStorage"}
_SKUS = {
    f"{tier}_{replication}"
    for tier in ("Standard", "Premium")
    for replication in ("LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS")
}
_TLS = {"TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"}
_LONGEST_TAG_NAME = 128
_DEFAULTS: dict[str, Any] = {
    "minimumTlsVersion": "TLS1_2",
    "allowBlobPublicAccess": False,
    "supportsHttpsTrafficOnly": True,
    "accessTier": "Hot",
    "networkAcls": {
        "bypass": "AzureServices",
        "virtualNetworkRules": [],
        "ipRules": [],
        "defaultAction": "Allow",
    },
    "encryption": {
        "services": {"blob": {"enabled": True, "keyType": "Account"}},
        "keySource": "Microsoft.Storage",
    },
}
# What cannot be changed once an account is there.
_FIXED = ("isHnsEnabled", "isNfsV3Enabled")


@dataclass
class StorageAccounts:
    """The operations on accounts. `taken` are names in other subscriptions.

    `data` is what is in them, by name; `blob_url` tells where the data plane answers.
    """

    resources: Resources
    subscriptions: Subscriptions
    operations: Operations
    locks: Locks
    policies: Policies
    clock: Callable[[], datetime]
    blob_url: Callable[[], str]
    vaults: KeyVaults
    removal_attempts: int = 1
    taken: set[str] = field(default_factory=set)
    data: dict[str, BlobAccount] = field(default_factory=dict)
    _creating: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.resources.on_removal.append(self._removed)

    def routes(self) -> list[Route]:
        kind, name = f"/providers/{STORAGE_ACCOUNTS}", "StorageAccounts"
        one = GROUP + kind + "/{account}"
        read, write = f"{STORAGE_ACCOUNTS}/read", f"{STORAGE_ACCOUNTS}/write"
        return [
            Route(
                "POST",
                SUBSCRIPTION + "/providers/Microsoft.Storage/checkNameAvailability",
                f"{name}_CheckNameAvailability",
                "Microsoft.Storage/checknameavailability/read",
                self.check_name,
            ),
            Route("PUT", one, f"{name}_Create", write, self.create),
            Route("PATCH", one, f"{name}_Update", write, self.update),
            Route("GET", one, f"{name}_GetProperties", read, self.get),
            Route("DELETE", one, f"{name}_Delete", f"{STORAGE_ACCOUNTS}/delete", self.delete),
            Route("GET", GROUP + kind, f"{name}_ListByResourceGroup", read, self.list),
            Route("GET", SUBSCRIPTION + kind, f"{name}_List", read, self.list, Needs.IN_LIST),
            Route(
                "POST",
                one + "/listKeys",
                f"{name}_ListKeys",
                f"{STORAGE_ACCOUNTS}/listkeys/action",
                self.list_keys,
            ),
        ]

    # -- names -------------------------------------------------------------------------

    def check_name(self, request: ArmRequest) -> Answer:
        name = str(request.body.get("name") or "")
        if str(request.body.get("type") or "").lower() != STORAGE_ACCOUNTS.lower():
            raise bad_request(
                "InvalidResourceType",
                f"The resource type must be '{STORAGE_ACCOUNTS}'.",
            )
        if not _NAME.fullmatch(name):
            return Answer(
                {"nameAvailable": False, "reason": "AccountNameInvalid", "message": _invalid(name)}
            )
        if name in self.taken or self._anywhere(name) is not None:
            message = f"The storage account named {name} is already taken."
            return Answer({"nameAvailable": False, "reason": "AlreadyExists", "message": message})
        return Answer({"nameAvailable": True})

    def _anywhere(self, name: str) -> Resource | None:
        """The account of a name in any group of the subscription."""
        found = (item for item in self.resources.of(STORAGE_ACCOUNTS) if item.name == name)
        return next(found, None)

    def _check_free(self, name: str, group: str) -> None:
        if not _NAME.fullmatch(name):
            raise bad_request("AccountNameInvalid", _invalid(name))
        if name in self.taken:
            raise conflict(
                "StorageAccountAlreadyTaken",
                f"The storage account named {name} is already taken.",
            )
        elsewhere = self._anywhere(name)
        if elsewhere is not None and elsewhere.group.lower() != group.lower():
            raise conflict(
                "StorageAccountInAnotherResourceGroup",
                f"The account {name} is already in another resource group in this subscription.",
            )

    # -- accounts ------------------------------------------------------------------------

    def create(self, request: ArmRequest) -> Answer:
        self.subscriptions.check_registered("Microsoft.Storage")
        name, body = request["account"], request.body
        self._check_free(name, request["group"])
        existing = self._find(request)
        if existing is not None and existing.id.lower() in self._creating:
            self._settle(existing)
            raise conflict(
                "StorageAccountOperationInProgress",
                "An operation is currently performing on this storage account that requires "
                "exclusive access.",
            )
        wanted = self._wanted(request, existing)
        self.policies.check(wanted)
        self.vaults.check(request.caller, wanted)
        if existing is not None:
            return self._replace(existing, wanted, location_of(body))
        self.add(wanted, settled=False)

        def finish() -> dict[str, Any]:
            self._creating.pop(wanted.id.lower(), None)
            wanted.properties["provisioningState"] = "Succeeded"
            return self._shown(wanted)

        return self.operations.begin(request, "Microsoft.Storage", wanted.location, finish)

    def add(self, account: Resource, *, settled: bool) -> BlobAccount:
        """A new account, with nothing in it."""
        if not settled and self.operations.polls:
            self._creating[account.id.lower()] = self.operations.polls
            account.properties["provisioningState"] = "Creating"
        self.resources.put(account)
        data = BlobAccount(account.name, self.clock, self.removal_attempts)
        self.data[account.name] = data
        return data

    def new(self, resource_id: str, location: str, properties: dict[str, Any]) -> Resource:
        """An account as it is when it is ready; what is not said has Azure's defaults."""
        return Resource(
            resource_id,
            STORAGE_ACCOUNTS,
            location,
            properties={
                **merged(_DEFAULTS, properties),
                "provisioningState": "Succeeded",
                "creationTime": self.clock().isoformat(),
                "primaryLocation": location,
                "statusOfPrimary": "available",
            },
            extra={"sku": {"name": "Standard_LRS", "tier": "Standard"}, "kind": "StorageV2"},
        )

    def _wanted(self, request: ArmRequest, existing: Resource | None) -> Resource:
        body, properties = request.body, request.properties
        location = location_of(body)
        sku = str((body.get("sku") or {}).get("name") or "")
        kind = str(body.get("kind") or "")
        for told, known, what in ((sku, _SKUS, "sku.name"), (kind, _KINDS, "kind")):
            if told not in known:
                raise bad_request(
                    "InvalidRequestPropertyValue",
                    f"The value '{told}' is not allowed for property {what}.",
                )
        _check(properties)
        group = self.resources.group(request["group"])
        own_id = f"{group.id if group else ''}/providers/{STORAGE_ACCOUNTS}/{request['account']}"
        wanted = self.new(existing.id if existing else own_id, location, properties)
        wanted.extra = {"sku": {"name": sku, "tier": sku.split("_", 1)[0]}, "kind": kind}
        if body.get("identity"):
            wanted.extra["identity"] = body["identity"]
        wanted.tags = tags.checked(body.get("tags"), longest_name=_LONGEST_TAG_NAME)
        return wanted

    def _replace(self, existing: Resource, wanted: Resource, location: str) -> Answer:
        self.locks.check_write(existing.id)
        if existing.location != location:
            raise conflict(
                "InvalidResourceLocation",
                f"The resource '{existing.name}' already exists in location "
                f"'{existing.location}' in resource group '{existing.group}'. A resource with the "
                f"same name cannot be created in location '{location}'. Please select a new "
                "resource name.",
            )
        self._check_fixed(existing, wanted.properties)
        kept = {
            key: existing.properties[key] for key in ("creationTime",) if key in existing.properties
        }
        existing.properties = merged(existing.properties, wanted.properties) | kept
        existing.tags, existing.extra = wanted.tags, wanted.extra
        return Answer(self._shown(existing))

    def update(self, request: ArmRequest) -> Answer:
        found = self._account(request)
        self.locks.check_write(found.id)
        changes = request.properties
        _check(changes)
        self._check_fixed(found, changes)
        new_tags = found.tags
        if "tags" in request.body:
            new_tags = tags.checked(request.body["tags"], longest_name=_LONGEST_TAG_NAME)
        extra = merged(found.extra, {"identity": request.body.get("identity") or {}})
        properties = merged(found.properties, changes)
        wanted = Resource(found.id, found.type, found.location, new_tags, properties, extra)
        self.policies.check(wanted)
        if "identity" in request.body or "encryption" in changes:
            self.vaults.check(request.caller, wanted)
        found.tags, found.properties, found.extra = new_tags, properties, extra
        return Answer(self._shown(found))

    @staticmethod
    def _check_fixed(found: Resource, wanted: dict[str, Any]) -> None:
        for name in _FIXED:
            told = wanted.get(name)
            if told is not None and bool(told) != bool(found.properties.get(name)):
                raise bad_request(
                    "InvalidRequestPropertyValue",
                    f"The value '{told}' is not allowed for property {name}.",
                )

    def get(self, request: ArmRequest) -> Answer:
        found = self._account(request)
        self._settle(found)
        return Answer(self._shown(found))

    def _settle(self, account: Resource) -> None:
        """Time goes by: an account that is being made is looked at once more."""
        key = account.id.lower()
        left = self._creating.get(key)
        if left is None:
            return
        if left > 0:
            self._creating[key] = left - 1
            return
        del self._creating[key]
        account.properties["provisioningState"] = "Succeeded"

    def delete(self, request: ArmRequest) -> Answer:
        """With all that is in it; the name is free again at once."""
        found = self._find(request)
        if found is None:
            return Answer(status=204)
        self.locks.check_delete(found.id)
        self.resources.remove(found)
        return Answer(status=200)

    def _removed(self, resource: Resource) -> None:
        if resource.type == STORAGE_ACCOUNTS:
            self._creating.pop(resource.id.lower(), None)
            self.data.pop(resource.name, None)

    def list(self, request: ArmRequest) -> Answer:
        found = self.resources.of(STORAGE_ACCOUNTS, request.labels.get("group", ""))
        return Answer({"value": [self._shown(item) for item in found]})

    def list_keys(self, request: ArmRequest) -> Answer:
        """Also while nobody may use them: it is the data plane that refuses them."""
        found = self._account(request)
        at = found.properties["creationTime"]
        keys = self.data[found.name].keys
        return Answer(
            {
                "keys": [
                    {"creationTime": at, "keyName": name, "value": value, "permissions": "FULL"}
                    for name, value in keys.items()
                ]
            }
        )

    def ready(self, name: str) -> tuple[Resource, BlobAccount] | None:
        """An account whose data plane answers, and what is in it."""
        found = self._anywhere(name)
        if found is None or found.id.lower() in self._creating:
            return None
        return found, self.data[name]

    def _find(self, request: ArmRequest) -> Resource | None:
        return self.resources.named(request["group"], STORAGE_ACCOUNTS, request["account"])

    def _account(self, request: ArmRequest) -> Resource:
        found = self._find(request)
        if found is None:
            raise resource_not_found(STORAGE_ACCOUNTS, request["account"], request["group"])
        return found

    def _shown(self, account: Resource) -> dict[str, Any]:
        shown = account.as_json()
        if account.properties["provisioningState"] == "Succeeded":
            base = f"{self.blob_url()}/{account.name}/"
            # In a sandbox names need no server: the account is in the path.
            shown["properties"]["primaryEndpoints"] = {"blob": base, "dfs": base}
        return shown


def _check(properties: dict[str, Any]) -> None:
    tls = properties.get("minimumTlsVersion")
    if tls is not None and tls not in _TLS:
        raise bad_request(
            "InvalidRequestPropertyValue",
            f"The value '{tls}' is not allowed for property minimumTlsVersion.",
        )


def _invalid(name: str) -> str:
    return (
        f"{name} is not a valid storage account name. Storage account name must be between 3 and "
        "24 characters in length and use numbers and lower-case letters only."
    )
