"""Microsoft.ManagedIdentity: user-assigned identities and whose tokens stand for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
from anyscale_k8s_cli.sandbox.azure.directory import Directory, FederatedCredential, Principal
from anyscale_k8s_cli.sandbox.azure.errors import (
    ArmError,
    bad_request,
    conflict,
    resource_not_found,
)
from anyscale_k8s_cli.sandbox.azure.locks import Locks
from anyscale_k8s_cli.sandbox.azure.policies import Policies
from anyscale_k8s_cli.sandbox.azure.resources import IDENTITIES, Resource, Resources
from anyscale_k8s_cli.sandbox.azure.subscriptions import Subscriptions, location_of

_CREDENTIALS = f"{IDENTITIES}/federatedIdentityCredentials"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}")
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_MOST_CREDENTIALS = 20


@dataclass
class Identities:
    """The operations on identities; their principals are in the directory."""

    resources: Resources
    directory: Directory
    subscriptions: Subscriptions
    locks: Locks
    policies: Policies

    def __post_init__(self) -> None:
        self.resources.on_removal.append(self._removed)

    def routes(self) -> list[Route]:
        one = GROUP + f"/providers/{IDENTITIES}" + "/{identity}"
        credential = one + "/federatedIdentityCredentials/{credential}"
        name, credential_name = "UserAssignedIdentities", "FederatedIdentityCredentials"
        read, write, delete = (f"{IDENTITIES}/{verb}" for verb in ("read", "write", "delete"))
        return [
            Route("PUT", one, f"{name}_CreateOrUpdate", write, self.put),
            Route("PATCH", one, f"{name}_Update", write, self.patch),
            Route("GET", one, f"{name}_Get", read, self.get),
            Route("DELETE", one, f"{name}_Delete", delete, self.delete),
            Route(
                "GET",
                GROUP + f"/providers/{IDENTITIES}",
                f"{name}_ListByResourceGroup",
                read,
                self.list,
            ),
            Route(
                "GET",
                SUBSCRIPTION + f"/providers/{IDENTITIES}",
                f"{name}_ListBySubscription",
                read,
                self.list,
                Needs.IN_LIST,
            ),
            Route(
                "PUT",
                credential,
                f"{credential_name}_CreateOrUpdate",
                f"{_CREDENTIALS}/write",
                self.put_credential,
            ),
            Route(
                "GET",
                credential,
                f"{credential_name}_Get",
                f"{_CREDENTIALS}/read",
                self.get_credential,
            ),
            Route(
                "DELETE",
                credential,
                f"{credential_name}_Delete",
                f"{_CREDENTIALS}/delete",
                self.delete_credential,
            ),
            Route(
                "GET",
                one + "/federatedIdentityCredentials",
                f"{credential_name}_List",
                f"{_CREDENTIALS}/read",
                self.list_credentials,
            ),
        ]

    # -- identities ------------------------------------------------------------------

    def put(self, request: ArmRequest) -> Answer:
        self.subscriptions.check_registered("Microsoft.ManagedIdentity")
        name = request["identity"]
        if not _NAME.fullmatch(name):
            raise bad_request(
                "InvalidParameter",
                f"The identity name '{name}' is not valid: it must have 3 to 128 characters, "
                "begin with a letter or a digit, and hold letters, digits, '-' and '_' only.",
            )
        location, wanted = location_of(request.body), tags.checked(request.body.get("tags"))
        existing = self._find(request)
        if existing is None:
            return Answer(self._create(request, name, location, wanted).as_json(), 201)
        if existing.location != location:
            raise conflict(
                "InvalidResourceLocation",
                f"The resource '{name}' already exists in location '{existing.location}' in "
                f"resource group '{existing.group}'. A resource with the same name cannot be "
                f"created in location '{location}'. Please select a new resource name.",
            )
        return self._retag(existing, wanted)

    def _create(
        self, request: ArmRequest, name: str, location: str, wanted: dict[str, str]
    ) -> Resource:
        group = self.resources.group(request["group"])
        own_id = f"{group.id if group else ''}/providers/{IDENTITIES}/{name}"
        self.policies.check(Resource(own_id, IDENTITIES, location, wanted))
        return self.add(own_id, location, wanted, settled=False)

    def add(
        self, resource_id: str, location: str, wanted: dict[str, str], *, settled: bool
    ) -> Resource:
        """A new identity, with its principal in the directory."""
        name = resource_id.rsplit("/", 1)[-1]
        principal = self.directory.add_identity(name, resource_id, settled=settled)
        return self.resources.put(
            Resource(
                resource_id,
                IDENTITIES,
                location,
                wanted,
                {
                    "isolationScope": "None",
                    "tenantId": self.directory.tenant_id,
                    "principalId": principal.object_id,
                    "clientId": principal.app_id,
                },
            )
        )

    def _retag(self, found: Resource, wanted: dict[str, str]) -> Answer:
        self.locks.check_write(found.id)
        self.policies.check(Resource(found.id, found.type, found.location, wanted))
        found.tags = wanted
        return Answer(found.as_json())

    def patch(self, request: ArmRequest) -> Answer:
        found = self._identity(request)
        if "tags" not in request.body:
            return Answer(found.as_json())
        return self._retag(found, tags.checked(request.body["tags"]))

    def get(self, request: ArmRequest) -> Answer:
        return Answer(self._identity(request).as_json())

    def delete(self, request: ArmRequest) -> Answer:
        """Its role assignments stay, of a principal that nobody knows any more."""
        found = self._find(request)
        if found is None:
            return Answer(status=204)
        self.locks.check_delete(found.id)
        self.resources.remove(found)
        return Answer(status=200)

    def _removed(self, resource: Resource) -> None:
        if resource.type == IDENTITIES:
            self.directory.remove(resource.properties["principalId"])

    def list(self, request: ArmRequest) -> Answer:
        found = self.resources.of(IDENTITIES, request.labels.get("group", ""))
        return Answer({"value": [item.as_json() for item in found]})

    def _find(self, request: ArmRequest) -> Resource | None:
        return self.resources.named(request["group"], IDENTITIES, request["identity"])

    def _identity(self, request: ArmRequest) -> Resource:
        found = self._find(request)
        if found is None:
            raise resource_not_found(IDENTITIES, request["identity"], request["group"])
        return found

    def principal(self, identity: Resource) -> Principal:
        """Raises LookupError if somebody took it out of the directory."""
        found = self.directory.find(identity.properties["principalId"])
        if found is None:
            raise LookupError(identity.id)
        return found

    # -- federated credentials ----------------------------------------------------------

    def put_credential(self, request: ArmRequest) -> Answer:
        identity = self._identity(request)
        self.locks.check_write(identity.id)
        principal = self.principal(identity)
        wanted = _wanted(request)
        existing = principal.credentials.get(wanted.name)
        others = [item for item in principal.credentials.values() if item.name != wanted.name]
        if any((o.issuer, o.subject) == (wanted.issuer, wanted.subject) for o in others):
            raise conflict(
                "Conflict",
                "Issuer and subject combination already exists for this Managed Identity.",
            )
        if existing is None and len(others) >= _MOST_CREDENTIALS:
            raise bad_request(
                "BadRequest",
                "Too many Federated Identity Credentials already exist for this Managed Identity. "
                f"The maximum is {_MOST_CREDENTIALS}.",
            )
        principal.credentials[wanted.name] = wanted
        if existing != wanted:
            self.directory.federation.begin((principal.object_id, wanted))
        return Answer(_credential(identity, wanted), 200 if existing else 201)

    def get_credential(self, request: ArmRequest) -> Answer:
        identity = self._identity(request)
        found = self.principal(identity).credentials.get(request["credential"])
        if found is None:
            raise ArmError(
                404,
                "NotFound",
                "The Federated Identity Credential with name "
                f"'{request['credential']}' was not found.",
            )
        return Answer(_credential(identity, found))

    def delete_credential(self, request: ArmRequest) -> Answer:
        identity = self._identity(request)
        self.locks.check_delete(identity.id)
        gone = self.principal(identity).credentials.pop(request["credential"], None)
        return Answer(status=200 if gone is not None else 204)

    def list_credentials(self, request: ArmRequest) -> Answer:
        identity = self._identity(request)
        credentials = self.principal(identity).credentials.values()
        return Answer({"value": [_credential(identity, item) for item in credentials]})


def _wanted(request: ArmRequest) -> FederatedCredential:
    name = request["credential"]
    if not _CREDENTIAL_NAME.fullmatch(name):
        raise bad_request(
            "BadRequest",
            f"The federated identity credential name '{name}' is not valid: it must have 3 to 120 "
            "characters, begin with a letter or a digit, and hold letters, digits, '-' and '_' "
            "only.",
        )
    properties = request.properties
    issuer, subject = properties.get("issuer"), properties.get("subject")
    audiences = properties.get("audiences")
    if not issuer or not subject or not audiences:
        raise bad_request(
            "BadRequest",
            "The request format was unexpected. Federated Identity Credential must specify "
            "'issuer', 'subject' and 'audience'.",
        )
    if not str(issuer).startswith("https://"):
        raise bad_request("BadRequest", f"The issuer '{issuer}' is not a valid https URL.")
    if len(audiences) != 1:
        raise bad_request("BadRequest", "Exactly one audience must be specified.")
    return FederatedCredential(name, str(issuer), str(subject), tuple(map(str, audiences)))


def _credential(identity: Resource, credential: FederatedCredential) -> dict[str, Any]:
    return {
        "id": f"{identity.id}/federatedIdentityCredentials/{credential.name}",
        "name": credential.name,
        "type": _CREDENTIALS,
        "properties": {
            "issuer": credential.issuer,
            "subject": credential.subject,
            "audiences": list(credential.audiences),
        },
    }
