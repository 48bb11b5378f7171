"""Microsoft.Storage: the blob service of an account and its containers, by Resource Manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.azure.arm_routes import GROUP, Answer, ArmRequest, Route
from anyscale_k8s_cli.sandbox.azure.blob_store import BlobAccount, Container, valid_container_name
from anyscale_k8s_cli.sandbox.azure.errors import (
    ArmError,
    bad_request,
    conflict,
    resource_not_found,
)
from anyscale_k8s_cli.sandbox.azure.locks import Locks
from anyscale_k8s_cli.sandbox.azure.resources import STORAGE_ACCOUNTS, Resource
from anyscale_k8s_cli.sandbox.azure.storage import StorageAccounts

_SERVICE = f"{STORAGE_ACCOUNTS}/blobServices"
_CONTAINERS = f"{_SERVICE}/containers"
_METHODS = {"DELETE", "GET", "HEAD", "MERGE", "POST", "OPTIONS", "PUT", "PATCH", "CONNECT", "TRACE"}
_RULE_FIELDS = (
    "allowedOrigins",
    "allowedMethods",
    "maxAgeInSeconds",
    "exposedHeaders",
    "allowedHeaders",
)
_MOST_RULES = 5
_ACCESS = {"None", "Blob", "Container"}


@dataclass(frozen=True)
class BlobServices:
    """The operations on blob services and containers."""

    accounts: StorageAccounts
    locks: Locks

    def routes(self) -> list[Route]:
        service = GROUP + f"/providers/{STORAGE_ACCOUNTS}" + "/{account}/blobServices/default"
        container = service + "/containers/{container}"
        name = "BlobContainers"
        read, write, delete = (f"{_CONTAINERS}/{verb}" for verb in ("read", "write", "delete"))
        return [
            Route(
                "GET",
                service,
                "BlobServices_GetServiceProperties",
                f"{_SERVICE}/read",
                self.get_service,
            ),
            Route(
                "PUT",
                service,
                "BlobServices_SetServiceProperties",
                f"{_SERVICE}/write",
                self.put_service,
            ),
            Route("PUT", container, f"{name}_Create", write, self.create),
            Route("PATCH", container, f"{name}_Update", write, self.update),
            Route("GET", container, f"{name}_Get", read, self.get),
            Route("DELETE", container, f"{name}_Delete", delete, self.delete),
            Route("GET", service + "/containers", f"{name}_List", read, self.list),
        ]

    def _account(self, request: ArmRequest) -> tuple[Resource, BlobAccount]:
        found = self.accounts.resources.named(
            request["group"], STORAGE_ACCOUNTS, request["account"]
        )
        if found is None:
            raise resource_not_found(STORAGE_ACCOUNTS, request["account"], request["group"])
        return found, self.accounts.data[found.name]

    # -- the service ----------------------------------------------------------------

    def get_service(self, request: ArmRequest) -> Answer:
        return Answer(_service(*self._account(request)))

    def put_service(self, request: ArmRequest) -> Answer:
        """What the request does not name stays; rules for browsers come and go as a whole."""
        account, data = self._account(request)
        self.locks.check_write(account.id)
        changes = request.properties
        if "cors" in changes:
            changes["cors"] = {"corsRules": _rules(changes["cors"])}
        if changes.get("isVersioningEnabled") and account.properties.get("isHnsEnabled"):
            raise conflict(
                "FeatureNotSupportedForAccount",
                "Versioning is not supported for accounts with a hierarchical namespace.",
            )
        data.settings.update(changes)
        return Answer(_service(account, data))

    # -- containers ---------------------------------------------------------------------

    def create(self, request: ArmRequest) -> Answer:
        account, data = self._account(request)
        self.locks.check_write(account.id)
        name = request["container"]
        if not valid_container_name(name):
            raise bad_request(
                "ContainerInvalidName",
                f"The container name '{name}' is not valid: 3 to 63 lower-case letters, digits "
                "and single hyphens between them.",
            )
        access = self._access(account, request)
        existing = data.containers.get(name)
        if existing is not None:
            return Answer(_container(account, name, existing))
        if data.still_being_deleted(name):
            raise conflict(
                "ContainerBeingDeleted",
                "The specified container is being deleted. Try operation later.",
            )
        metadata = request.properties.get("metadata")
        return Answer(_container(account, name, data.add_container(name, access, metadata)), 201)

    @staticmethod
    def _access(account: Resource, request: ArmRequest) -> str:
        access = str(request.properties.get("publicAccess") or "None")
        if access not in _ACCESS:
            raise bad_request(
                "InvalidRequestPropertyValue",
                f"The value '{access}' is not allowed for property publicAccess.",
            )
        if access != "None" and not account.properties.get("allowBlobPublicAccess"):
            raise conflict(
                "PublicAccessNotPermitted",
                "Public access is not permitted on this storage account.",
            )
        return access

    def update(self, request: ArmRequest) -> Answer:
        account, container = self._container(request)
        self.locks.check_write(account.id)
        if "publicAccess" in request.properties:
            container.public_access = self._access(account, request)
        container.metadata = dict(request.properties.get("metadata") or container.metadata)
        return Answer(_container(account, request["container"], container))

    def get(self, request: ArmRequest) -> Answer:
        account, container = self._container(request)
        return Answer(_container(account, request["container"], container))

    def delete(self, request: ArmRequest) -> Answer:
        account, data = self._account(request)
        self.locks.check_delete(account.id)
        gone = data.remove_container(request["container"])
        return Answer(status=200 if gone else 204)

    def list(self, request: ArmRequest) -> Answer:
        account, data = self._account(request)
        found = [_container(account, name, item) for name, item in sorted(data.containers.items())]
        return Answer({"value": found})

    def _container(self, request: ArmRequest) -> tuple[Resource, Container]:
        account, data = self._account(request)
        found = data.containers.get(request["container"])
        if found is None:
            raise ArmError(404, "ContainerNotFound", "The specified container does not exist.")
        return account, found


def _rules(cors: Any) -> list[dict[str, Any]]:
    """The rules for browsers of a request; raises 400 for those that Azure refuses."""
    rules = list((cors or {}).get("corsRules") or [])
    if len(rules) > _MOST_RULES:
        raise _bad_cors(f"A maximum of {_MOST_RULES} CORS rules can be set.")
    for rule in rules:
        missing = [name for name in _RULE_FIELDS if rule.get(name) is None]
        if missing:
            raise _bad_cors(f"A CORS rule lacks {', '.join(missing)}.")
        unknown = set(rule["allowedMethods"]) - _METHODS
        if unknown or not rule["allowedMethods"] or not rule["allowedOrigins"]:
            raise _bad_cors("A CORS rule needs origins and methods that exist.")
        if not 0 <= int(rule["maxAgeInSeconds"]) <= 2**31 - 1:
            raise _bad_cors("A CORS rule's maxAgeInSeconds is out of range.")
    return [{name: rule[name] for name in _RULE_FIELDS} for rule in rules]


def _bad_cors(why: str) -> ArmError:
    return bad_request("InvalidCorsRule", why)


def _service(account: Resource, data: BlobAccount) -> dict[str, Any]:
    return {
        "sku": account.extra["sku"],
        "id": f"{account.id}/blobServices/default",
        "name": "default",
        "type": _SERVICE,
        "properties": dict(data.settings),
    }


def _container(account: Resource, name: str, container: Container) -> dict[str, Any]:
    at = container.created.isoformat()
    return {
        "id": f"{account.id}/blobServices/default/containers/{name}",
        "name": name,
        "type": _CONTAINERS,
        "etag": f'"{container.etag}"',
        "properties": {
            "publicAccess": container.public_access,
            "metadata": dict(container.metadata),
            "lastModifiedTime": at,
            "leaseStatus": "Unlocked",
            "leaseState": "Available",
            "hasImmutabilityPolicy": False,
            "hasLegalHold": False,
            "deleted": False,
        },
    }
