"""Microsoft.Resources: the tenant, the subscription, resource groups, providers, all resources."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
from anyscale_k8s_cli.sandbox.azure.errors import ArmError, bad_request, conflict, group_not_found
from anyscale_k8s_cli.sandbox.azure.locks import Locks
from anyscale_k8s_cli.sandbox.azure.operations import Operations
from anyscale_k8s_cli.sandbox.azure.policies import Policies
from anyscale_k8s_cli.sandbox.azure.resources import GROUPS, Resource, Resources
from anyscale_k8s_cli.sandbox.azure.rights import Rights

NAMESPACES = (
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.ContainerService",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Resources",
    "Microsoft.Storage",
)
_GROUP_NAME = re.compile(r"[\w().-]{0,89}[\w()-]")
_GROUP_ACTION = "Microsoft.Resources/subscriptions/resourceGroups"


@dataclass
class Subscriptions:
    """The operations of one subscription. `registered` tells of each namespace whether it is on."""

    tenant_id: str
    resources: Resources
    rights: Rights
    locks: Locks
    policies: Policies
    operations: Operations
    registered: dict[str, bool]

    def routes(self) -> list[Route]:
        read = f"{_GROUP_ACTION}/read"
        provider = SUBSCRIPTION + "/providers/{namespace}"
        listing = "Microsoft.Resources/subscriptions/resources/read"
        own = "Microsoft.Resources/subscriptions/read"
        return [
            Route("GET", "/tenants", "Tenants_List", "", self.tenants),
            Route("GET", "/subscriptions", "Subscriptions_List", "", self.list),
            Route("GET", SUBSCRIPTION, "Subscriptions_Get", own, self.get, Needs.NOWHERE),
            Route("GET", GROUP, "ResourceGroups_Get", read, self.get_group),
            Route("HEAD", GROUP, "ResourceGroups_CheckExistence", read, self.head_group),
            Route(
                "PUT",
                GROUP,
                "ResourceGroups_CreateOrUpdate",
                f"{_GROUP_ACTION}/write",
                self.put_group,
            ),
            Route("DELETE", GROUP, "ResourceGroups_Delete", f"{_GROUP_ACTION}/delete", self.delete),
            Route(
                "GET",
                SUBSCRIPTION + "/resourceGroups",
                "ResourceGroups_List",
                read,
                self.list_groups,
                Needs.IN_LIST,
            ),
            Route("GET", provider, "Providers_Get", "", self.provider),
            Route("GET", SUBSCRIPTION + "/providers", "Providers_List", "", self.providers),
            Route(
                "POST",
                provider + "/register",
                "Providers_Register",
                "Microsoft.Resources/subscriptions/providers/register/action",
                self.register,
            ),
            Route(
                "POST",
                GROUP + "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions",
                "PolicyRestrictions_CheckAtResourceGroupScope",
                "Microsoft.PolicyInsights/checkPolicyRestrictions/read",
                self.check_policies,
            ),
            Route(
                "GET",
                SUBSCRIPTION + "/resources",
                "Resources_List",
                listing,
                self.list_resources,
                Needs.IN_LIST,
            ),
            Route(
                "GET",
                GROUP + "/resources",
                "Resources_ListByResourceGroup",
                listing,
                self.list_resources,
                Needs.IN_LIST,
            ),
        ]

    def check_registered(self, namespace: str) -> None:
        """Raises 409 while the subscription does not use a namespace."""
        if not self.registered.get(namespace, False):
            raise conflict(
                "MissingSubscriptionRegistration",
                f"The subscription is not registered to use namespace '{namespace}'. See "
                "https://aka.ms/rps-not-found for how to register subscriptions.",
            )

    def check_policies(self, request: ArmRequest) -> Answer:
        content = (request.body.get("resourceDetails") or {}).get("resourceContent")
        if not isinstance(content, dict) or not content.get("type"):
            raise bad_request(
                "InvalidCheckRestrictionsRequest", "The type of the resource is missing."
            )
        draft = Resource(
            f"{request.path}/{content['type']}/{content.get('name', '')}",
            str(content["type"]),
            str(content.get("location", "")),
            dict(content.get("tags") or {}),
            dict(content.get("properties") or {}),
        )
        found = {"policyEvaluations": self.policies.evaluations(draft)}
        return Answer({"fieldRestrictions": [], "contentEvaluationResult": found})

    # -- tenant and subscription --------------------------------------------------------

    def tenants(self, request: ArmRequest) -> Answer:
        tenant = {
            "id": f"/tenants/{self.tenant_id}",
            "tenantId": self.tenant_id,
            "displayName": "Demo",
            "defaultDomain": "demo.onmicrosoft.com",
            "tenantCategory": "Home",
        }
        return Answer({"value": [tenant]})

    def list(self, request: ArmRequest) -> Answer:
        """Empty for a caller without any role in it, which is no error."""
        shown = [self._shown()] if self._visible(request, self.resources.scope) else []
        return Answer({"value": shown, "count": {"type": "Total", "value": len(shown)}})

    def get(self, request: ArmRequest) -> Answer:
        if not self._visible(request, self.resources.scope) and request.caller is not None:
            action = "Microsoft.Resources/subscriptions/read"
            self.rights.check(request.caller, action, self.resources.scope)
        return Answer(self._shown())

    def _visible(self, request: ArmRequest, scope: str) -> bool:
        """Whoever holds a role at a scope, or anywhere below, sees that it is there."""
        caller = request.caller
        return caller is not None and any(
            item.principal_id in {caller.object_id, *caller.groups}
            and item.scope.lower().startswith(scope.lower())
            for item in self.rights.assignments.values()
        )

    def _shown(self) -> dict[str, Any]:
        return {
            "id": self.resources.scope,
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": self.resources.subscription_id,
            "tenantId": self.tenant_id,
            "displayName": "Demo",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    # -- resource groups ------------------------------------------------------------------

    def get_group(self, request: ArmRequest) -> Answer:
        return Answer(self._group(request).as_json())

    def head_group(self, request: ArmRequest) -> Answer:
        found = self.resources.group(request["group"])
        return Answer(status=204 if found is not None else 404)

    def put_group(self, request: ArmRequest) -> Answer:
        name = request["group"]
        if not _GROUP_NAME.fullmatch(name):
            raise bad_request(
                "InvalidResourceGroup",
                f"The provided resource group name '{name}' has these invalid characters or a "
                "length of more than 90.",
            )
        location = location_of(request.body)
        existing = self.resources.group(name)
        if existing is not None and existing.location != location:
            raise conflict(
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location}'. The Resource group already exists "
                f"in location '{existing.location}'.",
            )
        group = Resource(
            existing.id if existing else self.resources.group_id(name),
            GROUPS,
            location,
            tags.checked(request.body.get("tags")),
            {"provisioningState": "Succeeded"},
        )
        self.policies.check(group)
        self.resources.put(group)
        return Answer(group.as_json(), 200 if existing else 201)

    def delete(self, request: ArmRequest) -> Answer:
        group = self._group(request)
        below = self.resources.under(group.id)
        self.locks.check_delete(group.id, (item.id for item in below))

        def finish() -> None:
            for item in [*self.resources.under(group.id), group]:
                self.resources.remove(item)

        return self.operations.begin(request, "Microsoft.Resources", group.location, finish)

    def list_groups(self, request: ArmRequest) -> Answer:
        return Answer({"value": [item.as_json() for item in self.resources.of(GROUPS)]})

    def _group(self, request: ArmRequest) -> Resource:
        found = self.resources.group(request["group"])
        if found is None:
            raise group_not_found(request["group"])
        return found

    # -- providers --------------------------------------------------------------------------

    def provider(self, request: ArmRequest) -> Answer:
        return Answer(self._provider(self._namespace(request)))

    def providers(self, request: ArmRequest) -> Answer:
        return Answer({"value": [self._provider(name) for name in self.registered]})

    def register(self, request: ArmRequest) -> Answer:
        namespace = self._namespace(request)
        self.registered[namespace] = True
        return Answer(self._provider(namespace))

    def _namespace(self, request: ArmRequest) -> str:
        wanted = request["namespace"].lower()
        found = next((name for name in self.registered if name.lower() == wanted), None)
        if found is None:
            raise ArmError(
                404,
                "InvalidResourceNamespace",
                f"The resource namespace '{request['namespace']}' is invalid.",
            )
        return found

    def _provider(self, namespace: str) -> dict[str, Any]:
        return {
            "id": f"{self.resources.scope}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": "Registered" if self.registered[namespace] else "NotRegistered",
            "resourceTypes": [],
        }

    # -- all resources ------------------------------------------------------------------------

    def list_resources(self, request: ArmRequest) -> Answer:
        """Heads of resources; a list by a tag leaves the tags out, as in life."""
        wanted = tags.ResourceFilter(request.query.get("$filter", ""))
        group = request.labels.get("group")
        scope = self.resources.group_id(group) if group else self.resources.scope
        found = [
            item.head(with_tags=not wanted.by_tag)
            for item in self.resources.under(scope)
            if item.type.count("/") == 1 and wanted.admits(item.type, item.tags)
        ]
        return Answer({"value": found})


def location_of(body: Mapping[str, Any]) -> str:
    """The location of a request, in its short form; raises 400 without one."""
    location = str(body.get("location") or "").replace(" ", "").lower()
    if not location:
        raise bad_request(
            "LocationRequired", "The location property is required for this definition."
        )
    return location
