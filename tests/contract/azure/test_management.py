"""Resource Manager: routes, rights, groups, lists by tag, policies and locks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.azure.seed import (
    ADMIN,
    NO_SHARED_KEY,
    SUBSCRIPTION_ID,
    TENANT_ID,
    LockSeed,
    PolicySeed,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

SCOPE = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP = f"{SCOPE}/resourceGroups/demo"
VERSION = "api-version=2022-12-01"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/teamdatademo"


def test_every_request_says_its_version(azure: Any) -> None:
    answer = azure.raw("GET", "/subscriptions")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"
    answer = azure.raw("GET", "/subscriptions?api-version=latest")
    assert answer.json()["error"]["code"] == "InvalidApiVersionParameter"
    answer = azure.raw("GET", "/subscriptions?api-version=2016-06-01-preview")
    assert answer.ok
    assert answer.headers["x-ms-request-id"] != answer.headers["x-ms-correlation-request-id"]


def test_paths_have_no_case(azure: Any) -> None:
    lower = azure.raw("GET", f"{ACCOUNT.lower()}?{VERSION}").json()
    assert lower["id"] == ACCOUNT
    group = azure.raw("GET", f"{SCOPE}/resourcegroups/DEMO?{VERSION}").json()
    assert (group["id"], group["properties"]["provisioningState"]) == (GROUP, "Succeeded")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subscriptions/11111111-2222-3333-4444-555555555555", "SubscriptionNotFound"),
        (f"{SCOPE}/resourceGroups/nowhere", "ResourceGroupNotFound"),
        (
            f"{SCOPE}/resourceGroups/nowhere/providers/Microsoft.Storage/storageAccounts/x",
            "ResourceGroupNotFound",
        ),
        (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/nothing", "ResourceNotFound"),
        (f"{GROUP}/providers/Microsoft.Web/sites/x", "InvalidResourceType"),
        (f"{SCOPE}/providers/Microsoft.Nothing", "InvalidResourceNamespace"),
    ],
)
def test_what_is_not_there(azure: Any, path: str, code: str) -> None:
    answer = azure.raw("GET", f"{path}?{VERSION}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_methods_that_nobody_serves(azure: Any) -> None:
    answer = azure.raw("DELETE", f"{SCOPE}/resourceGroups?{VERSION}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "HttpMethodNotSupported")
    answer = azure.raw("PUT", f"{ACCOUNT}?{VERSION}", data="no json")
    assert answer.json()["error"]["code"] == "InvalidRequestContent"


# -- tenant, subscription, groups, providers ---------------------------------------------


def test_who_may_see_the_subscription(azure: Any) -> None:
    (tenant,) = azure.raw("GET", f"/tenants?{VERSION}").json()["value"]
    assert tenant["tenantId"] == TENANT_ID
    (found,) = azure.raw("GET", f"/subscriptions?{VERSION}").json()["value"]
    assert (found["subscriptionId"], found["state"]) == (SUBSCRIPTION_ID, "Enabled")
    nobody = azure.application("nobody").get_token("https://management.azure.com/.default").token
    assert azure.raw("GET", f"/subscriptions?{VERSION}", token=nobody).json()["value"] == []
    answer = azure.raw("GET", f"{SCOPE}?{VERSION}", token=nobody)
    assert answer.json()["error"]["code"] == "AuthorizationFailed"
    # Whoever holds a role further down knows that it is there.
    reader = azure.application("reader", {"role": "Reader", "scope": GROUP})
    token = reader.get_token("https://management.azure.com/.default").token
    assert azure.raw("GET", f"{SCOPE}?{VERSION}", token=token).ok
    groups = azure.raw("GET", f"{SCOPE}/resourceGroups?{VERSION}", token=token).json()["value"]
    assert [group["name"] for group in groups] == ["demo"]


def test_groups_come_and_go(azure: Any) -> None:
    path = f"{SCOPE}/resourcegroups/new-one?{VERSION}"
    assert azure.raw("HEAD", path).status_code == 404
    made = azure.raw("PUT", path, json={"location": "West Europe", "tags": {"a": "b"}})
    assert (made.status_code, made.json()["location"]) == (201, "westeurope")
    assert azure.raw("HEAD", path).status_code == 204
    moved = azure.raw("PUT", path, json={"location": "eastus"})
    assert moved.json()["error"]["code"] == "InvalidResourceGroupLocation"
    assert azure.raw("PUT", path, json={}).json()["error"]["code"] == "LocationRequired"
    gone = azure.raw("DELETE", path)
    assert gone.status_code == 202
    poll = gone.headers["Location"].removeprefix(azure.stand_in.url)
    assert azure.raw("GET", poll).status_code == 202
    assert azure.raw("HEAD", path).status_code == 204
    assert azure.raw("GET", poll).status_code == 200
    assert azure.raw("HEAD", path).status_code == 404


def test_what_is_in_a_group_goes_with_it(azure: Any) -> None:
    azure.make_identity()
    answer = azure.raw("DELETE", f"{GROUP}?{VERSION}")
    poll = answer.headers["Location"].removeprefix(azure.stand_in.url)
    while azure.raw("GET", poll).status_code == 202:
        pass
    left = azure.stand_in.snapshot()
    assert left["storage_accounts"] == {}
    assert left["identities"] == {}
    assert azure.stand_in.world.clusters.items == []


class TestUnregistered:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, unregistered=("Microsoft.Storage",))

    def test_a_namespace_must_be_registered(self, azure: Any, refused: Any) -> None:
        path = f"{SCOPE}/providers/Microsoft.Storage"
        shown = azure.raw("GET", f"{path}?{VERSION}").json()
        assert shown["registrationState"] == "NotRegistered"
        with refused("MissingSubscriptionRegistration", "namespace 'Microsoft.Storage'", 409):
            azure.make_account()
        azure.raw("POST", f"{path}/register?{VERSION}")
        assert azure.make_account().provisioning_state == "Succeeded"

    def test_who_may_register_it(self, azure: Any) -> None:
        path = f"{SCOPE}/providers/Microsoft.Storage/register?{VERSION}"
        azure.stand_in.set_admin_roles([{"role": "Reader"}])
        assert azure.raw("POST", path).json()["error"]["code"] == "AuthorizationFailed"


# -- lists of everything -----------------------------------------------------------------


def test_resources_by_tag(azure: Any) -> None:
    def listed(filters: str, where: str = SCOPE) -> Any:
        return azure.raw("GET", f"{where}/resources?{VERSION}", params={"$filter": filters})

    found = listed("tagName eq 'TEAM' and tagValue eq 'ml'").json()["value"]
    assert {item["name"] for item in found} == {"teamdatademo", "team-data-reader"}
    # A list by a tag says no tags.
    assert all("tags" not in item for item in found)
    assert listed("tagName eq 'team' and tagValue eq 'ML'").json()["value"] == []
    kind = "resourceType eq 'Microsoft.Storage/storageAccounts'"
    (account,) = listed(kind, GROUP).json()["value"]
    assert account["tags"]["cost-center"] == "4711"
    both = listed(f"tagName eq 'team' and tagValue eq 'ml' and {kind}")
    assert both.json()["error"]["code"] == "InvalidFilterInQueryString"
    names = {item["name"] for item in listed("").json()["value"]}
    names = {name for name in names if not name.startswith("aks-vnet-")}
    assert names == {"demo", "bare", "teamdatademo", "team-data-reader"}


def test_lists_show_what_the_caller_may_read(azure: Any) -> None:
    role = {"actions": ["Microsoft.Storage/storageAccounts/read"], "scope": GROUP}
    token = azure.application("auditor", role).get_token("https://management.azure.com/.default")
    found = azure.raw("GET", f"{SCOPE}/resources?{VERSION}", token=token.token).json()["value"]
    assert [item["name"] for item in found] == ["teamdatademo"]
    # Lists of one kind, too, in the whole subscription; a group asks for its right.
    kinds = {
        "Microsoft.Storage/storageAccounts": 1,
        "Microsoft.ContainerService/managedClusters": 0,
    }
    for kind, count in kinds.items():
        listed = azure.raw("GET", f"{SCOPE}/providers/{kind}?{VERSION}", token=token.token)
        assert len(listed.json()["value"]) == count
    path = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters?{VERSION}"
    answer = azure.raw("GET", path, token=token.token)
    assert answer.json()["error"]["code"] == "AuthorizationFailed"


# -- rights ------------------------------------------------------------------------------


def test_a_missing_right_is_named(azure: Any, refused: Any) -> None:
    azure.stand_in.set_admin_roles([{"role": "Reader"}])
    assert azure.storage().storage_accounts.get_properties("demo", "teamdatademo").name
    action = "Microsoft.ManagedIdentity/userAssignedIdentities/write"
    scope = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/new-one"
    with refused("AuthorizationFailed", f"perform action '{action}' over scope '{scope}'", 403):
        azure.identities().create_or_update("demo", "new-one", {"location": "eastus"})
    action = "Microsoft.Storage/storageAccounts/listkeys/action"
    with refused("AuthorizationFailed", f"'{action}' over scope '{ACCOUNT}'", 403):
        azure.storage().storage_accounts.list_keys("demo", "teamdatademo")


def test_effective_permissions(azure: Any) -> None:
    azure.stand_in.set_admin_roles(
        [
            {"role": "Contributor"},
            {"name": "data", "actions": ["Microsoft.Storage/*/read"], "scope": GROUP},
        ]
    )
    permissions = azure.authorization().permissions
    here = list(permissions.list_for_resource_group("demo"))
    assert [item.actions for item in here] == [["*"], ["Microsoft.Storage/*/read"]]
    assert "Microsoft.Authorization/*/Write" in here[0].not_actions
    elsewhere = list(permissions.list_for_resource_group("MC_demo_demo_eastus"))
    assert [item.actions for item in elsewhere] == [["*"]]


def test_contributors_assign_no_roles(azure: Any, refused: Any) -> None:
    identity = azure.make_identity()
    role = azure.role_id("Storage Blob Data Contributor")
    azure.stand_in.set_admin_roles([{"role": "Contributor"}])
    properties = {"roleDefinitionId": role, "principalId": identity.principal_id}
    with refused("AuthorizationFailed", "Microsoft.Authorization/roleAssignments/write"):
        azure.authorization().role_assignments.create(
            ACCOUNT, "8e3af657-a8ff-443c-a75c-2fe8c4bcb631", {"properties": properties}
        )


# -- policies and locks ------------------------------------------------------------------


class TestPolicies:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        tag = PolicySeed("require-owner", "Require the tag owner", required_tag="owner")
        return replace(settings, policies=(NO_SHARED_KEY, tag))

    def test_what_they_deny(self, azure: Any, refused: Any) -> None:
        accounts = azure.storage().storage_accounts
        body = {
            "location": "eastus",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "properties": {"allowSharedKeyAccess": False},
        }
        with refused("RequestDisallowedByPolicy", "Require the tag owner", 403):
            accounts.begin_create("demo", "anyscale1234", body)
        body["tags"] = {"owner": "ml"}
        assert accounts.begin_create("demo", "anyscale1234", body).result().name
        body["properties"] = {}
        with refused("RequestDisallowedByPolicy", "'anyscale1235' was disallowed by policy"):
            accounts.begin_create("demo", "anyscale1235", body)
        with refused("RequestDisallowedByPolicy"):
            change = {"properties": {"allowSharedKeyAccess": True}}
            accounts.update("demo", "anyscale1234", change)
        with refused("RequestDisallowedByPolicy"):
            azure.identities().create_or_update("demo", "new-one", {"location": "eastus"})

    def test_the_policy_is_named_for_machines(self, azure: Any) -> None:
        body = {"location": "eastus", "tags": {}}
        path = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/new-one"
        error = azure.raw("PUT", f"{path}?{VERSION}", json=body).json()["error"]
        (info,) = error["additionalInfo"]
        assert info["type"] == "PolicyViolation"
        assert info["info"]["policyAssignmentName"] == "require-owner"


class TestLocks:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(
            settings, locks=(LockSeed("keep", GROUP), LockSeed("frozen", ACCOUNT, "ReadOnly"))
        )

    def test_what_they_hold(self, azure: Any, refused: Any) -> None:
        identity = azure.make_identity()
        with refused("ScopeLocked", f"following scope(s) are locked: '{GROUP}'", 409):
            azure.identities().delete("demo", identity.name)
        with refused("ScopeLocked", "cannot perform write operation"):
            azure.storage().storage_accounts.update("demo", "teamdatademo", {"tags": {}})
        shown = azure.raw(
            "GET", f"{GROUP}/providers/Microsoft.Authorization/locks?{VERSION}"
        ).json()["value"]
        assert [lock["properties"]["level"] for lock in shown] == ["CanNotDelete", "ReadOnly"]


# -- the record and faults ---------------------------------------------------------------


def test_requests_are_recorded_as_operations(azure: Any) -> None:
    azure.make_identity("new-one")
    azure.storage().storage_accounts.list_keys("demo", "teamdatademo")
    calls = [call for call in azure.wire.calls() if call.operation.service != "entra"]
    told = [(c.operation.service, c.operation.name, c.operation.write) for c in calls]
    assert told == [
        ("microsoft.managedidentity", "UserAssignedIdentities_CreateOrUpdate", True),
        ("microsoft.storage", "StorageAccounts_ListKeys", False),
    ]
    assert {call.operation.principal for call in calls} == {ADMIN}
    assert calls[0].operation.body == {"location": "eastus"}
    recorded = json.dumps([call.as_json() for call in azure.wire.calls()])
    secret = azure.stand_in.environment()["AZURE_CLIENT_SECRET"]
    assert secret not in recorded
    assert azure.token() not in recorded
    (key,) = {azure.stand_in.world.accounts.data["teamdatademo"].keys["key1"]}
    assert key not in recorded


@pytest.mark.parametrize(
    ("kind", "code"),
    [(FaultKind.THROTTLE, "TooManyRequests"), (FaultKind.ERROR, "InternalError")],
)
def test_faults(azure: Any, refused: Any, kind: FaultKind, code: str) -> None:
    azure.wire.inject(FaultRule(kind, service="microsoft.storage", status=500))
    with refused(code):
        azure.storage().storage_accounts.get_properties("demo", "teamdatademo")
    assert azure.storage().storage_accounts.get_properties("demo", "teamdatademo").name


def test_error_after_the_work_is_done(azure: Any, refused: Any) -> None:
    azure.wire.inject(
        FaultRule(FaultKind.ERROR_AFTER, operation="UserAssignedIdentities_CreateOrUpdate")
    )
    with refused("InternalError"):
        azure.make_identity("new-one")
    assert azure.identities().get("demo", "new-one").principal_id
