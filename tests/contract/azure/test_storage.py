"""Storage accounts, their blob service and containers, by Resource Manager."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings

BODY = {"location": "eastus", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
RULE = {
    "allowedOrigins": ["https://*.anyscale.com"],
    "allowedMethods": ["GET", "HEAD", "PUT"],
    "maxAgeInSeconds": 3600,
    "exposedHeaders": ["*"],
    "allowedHeaders": ["*"],
}


def availability(azure: Any, name: str) -> Any:
    body = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
    return azure.storage().storage_accounts.check_name_availability(body)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("anyscale1234", None),
        ("teamdatademo", "AlreadyExists"),
        ("somebodyelses", "AlreadyExists"),
        ("Any-Scale", "AccountNameInvalid"),
        ("x" * 25, "AccountNameInvalid"),
        ("ab", "AccountNameInvalid"),
    ],
)
def test_whether_a_name_is_free(azure: Any, name: str, reason: str | None) -> None:
    found = availability(azure, name)
    assert (found.name_available, found.reason) == (reason is None, reason)


def test_an_account_comes_and_goes(azure: Any, refused: Any) -> None:
    accounts = azure.storage().storage_accounts
    body = {**BODY, "tags": {"a": "b"}, "properties": {"isHnsEnabled": True}}
    made = accounts.begin_create("demo", "anyscale1234", body).result()
    assert (made.provisioning_state, made.is_hns_enabled) == ("Succeeded", True)
    assert made.primary_endpoints.blob == f"{azure.stand_in.world.blob_url}/anyscale1234/"
    assert (made.minimum_tls_version, made.allow_blob_public_access) == ("TLS1_2", False)
    assert made.allow_shared_key_access is None
    found = accounts.get_properties("demo", "anyscale1234")
    assert (found.tags, found.sku.name, found.kind) == ({"a": "b"}, "Standard_LRS", "StorageV2")
    names = {account.name for account in accounts.list_by_resource_group("demo")}
    assert names == {"teamdatademo", "anyscale1234"} == {item.name for item in accounts.list()}
    accounts.delete("demo", "anyscale1234")
    accounts.delete("demo", "anyscale1234")
    with refused("ResourceNotFound", "storageAccounts/anyscale1234", 404):
        accounts.get_properties("demo", "anyscale1234")
    # The name is free again, as long as nobody else takes it.
    assert azure.make_account().name == "anyscale1234"


def test_names_are_everybody_s(azure: Any, refused: Any) -> None:
    accounts = azure.storage().storage_accounts
    with refused("StorageAccountAlreadyTaken", "somebodyelses is already taken", 409):
        accounts.begin_create("demo", "somebodyelses", BODY)
    with refused("StorageAccountInAnotherResourceGroup", status=409):
        accounts.begin_create("MC_demo_demo_eastus", "teamdatademo", BODY)
    with refused("AccountNameInvalid", "between 3 and 24 characters", 400):
        accounts.begin_create("demo", "anyscale-1234", BODY)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"location": ""}, "LocationRequired"),
        ({"sku": {"name": "Cheap"}}, "InvalidRequestPropertyValue"),
        ({"kind": "Bucket"}, "InvalidRequestPropertyValue"),
        ({"properties": {"minimumTlsVersion": "SSL3"}}, "InvalidRequestPropertyValue"),
        ({"tags": {"x" * 129: "a"}}, "InvalidTagName"),
    ],
)
def test_what_an_account_cannot_be(
    azure: Any, refused: Any, changed: dict[str, Any], code: str
) -> None:
    with refused(code, status=400):
        azure.storage().storage_accounts.begin_create("demo", "anyscale1234", {**BODY, **changed})


def test_creating_again_changes_what_can_be_changed(azure: Any, refused: Any) -> None:
    accounts = azure.storage().storage_accounts
    first = azure.make_account()
    body = {**BODY, "tags": {"a": "b"}, "properties": {"allowSharedKeyAccess": False}}
    again = accounts.begin_create("demo", first.name, body).result()
    assert (again.tags, again.allow_shared_key_access) == ({"a": "b"}, False)
    assert again.creation_time == first.creation_time
    with refused("InvalidResourceLocation", status=409):
        accounts.begin_create("demo", first.name, {**BODY, "location": "westus"})
    with refused("InvalidRequestPropertyValue", "isHnsEnabled"):
        accounts.begin_create("demo", first.name, {**BODY, "properties": {"isHnsEnabled": True}})


def test_updates(azure: Any, refused: Any) -> None:
    accounts, account = azure.storage().storage_accounts, azure.make_account()
    changed = accounts.update("demo", account.name, {"tags": {"a": "b"}})
    assert (changed.tags, changed.minimum_tls_version) == ({"a": "b"}, "TLS1_2")
    changed = accounts.update("demo", account.name, {"properties": {"allowSharedKeyAccess": False}})
    assert (changed.tags, changed.allow_shared_key_access) == ({"a": "b"}, False)
    with refused("InvalidRequestPropertyValue"):
        accounts.update("demo", account.name, {"properties": {"isHnsEnabled": True}})


def test_an_account_is_made_in_its_time(azure: Any, refused: Any) -> None:
    azure.stand_in.world.operations.polls = 2
    accounts = azure.storage().storage_accounts
    poller = accounts.begin_create("demo", "anyscale1234", BODY, polling=False)
    assert accounts.get_properties("demo", "anyscale1234").provisioning_state == "Creating"
    with refused("StorageAccountOperationInProgress", status=409):
        accounts.begin_create("demo", "anyscale1234", BODY)
    assert poller
    while (found := accounts.get_properties("demo", "anyscale1234")).provisioning_state != (
        "Succeeded"
    ):
        assert found.primary_endpoints is None
    assert accounts.begin_create("demo", "anyscale1234", BODY).result().primary_endpoints.blob


def test_keys_are_told_to_who_may_have_them(azure: Any, refused: Any) -> None:
    account = azure.make_account(allowSharedKeyAccess=False)
    keys = azure.raw("POST", f"{account.id}/listKeys?api-version=2024-01-01").json()["keys"]
    assert [key["keyName"] for key in keys] == ["key1", "key2"]
    reader = azure.application("reader", {"role": "Reader"})
    with refused("AuthorizationFailed", "listkeys/action"):
        azure.storage(reader).storage_accounts.list_keys("demo", account.name)


# -- the blob service --------------------------------------------------------------------


def test_rules_for_browsers_come_as_a_whole(azure: Any) -> None:
    services, account = azure.storage().blob_services, azure.make_account()

    def put(properties: dict[str, Any]) -> Any:
        body = {"properties": properties}
        return services.set_service_properties("demo", account.name, body)

    assert services.get_service_properties("demo", account.name).cors.cors_rules == []
    put({"cors": {"corsRules": [RULE]}})
    put({"isVersioningEnabled": True, "deleteRetentionPolicy": {"enabled": True, "days": 7}})
    found = services.get_service_properties("demo", account.name)
    (rule,) = found.cors.cors_rules
    assert (rule.allowed_origins, rule.max_age_in_seconds) == (["https://*.anyscale.com"], 3600)
    assert (found.is_versioning_enabled, found.delete_retention_policy.days) == (True, 7)
    put({"cors": {"corsRules": []}})
    assert services.get_service_properties("demo", account.name).cors.cors_rules == []


@pytest.mark.parametrize(
    "rules",
    [
        [RULE] * 6,
        [{**RULE, "allowedMethods": ["FETCH"]}],
        [{**RULE, "allowedOrigins": []}],
        [{key: value for key, value in RULE.items() if key != "exposedHeaders"}],
        [{**RULE, "maxAgeInSeconds": -1}],
    ],
)
def test_rules_that_are_refused(azure: Any, rules: list[dict[str, Any]]) -> None:
    account = azure.make_account()
    answer = azure.raw(
        "PUT",
        f"{account.id}/blobServices/default?api-version=2024-01-01",
        json={"properties": {"cors": {"corsRules": rules}}},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidCorsRule")


def test_versions_and_a_hierarchy_exclude_each_other(azure: Any, refused: Any) -> None:
    account = azure.make_account(isHnsEnabled=True)
    with refused("FeatureNotSupportedForAccount", status=409):
        azure.storage().blob_services.set_service_properties(
            "demo", account.name, {"properties": {"isVersioningEnabled": True}}
        )


# -- containers --------------------------------------------------------------------------


def test_a_container_comes_and_goes(azure: Any, refused: Any) -> None:
    containers, account = azure.storage().blob_containers, azure.make_account()
    made = containers.create("demo", account.name, "anyscale-data", {})
    assert made.public_access == "None"
    containers.create("demo", account.name, "anyscale-data", {})
    body = {"properties": {"metadata": {"a": "b"}}}
    assert containers.update("demo", account.name, "anyscale-data", body).metadata == {"a": "b"}
    assert [item.name for item in containers.list("demo", account.name)] == ["anyscale-data"]
    containers.delete("demo", account.name, "anyscale-data")
    containers.delete("demo", account.name, "anyscale-data")
    with refused("ContainerNotFound", status=404):
        containers.get("demo", account.name, "anyscale-data")
    with refused("ContainerBeingDeleted", "Try operation later", 409):
        containers.create("demo", account.name, "anyscale-data", {})
    assert containers.create("demo", account.name, "anyscale-data", {}).name == "anyscale-data"


def test_what_a_container_cannot_be(azure: Any, refused: Any) -> None:
    containers, account = azure.storage().blob_containers, azure.make_account()
    with refused("ContainerInvalidName", status=400):
        containers.create("demo", account.name, "Any_Scale", {})
    public = {"properties": {"publicAccess": "Blob"}}
    with refused("PublicAccessNotPermitted", status=409):
        containers.create("demo", account.name, "anyscale-data", public)


def test_the_snapshot_knows_what_changed(azure: Any) -> None:
    before = azure.stand_in.snapshot()
    assert azure.stand_in.snapshot() == before
    azure.storage().storage_accounts.update("demo", "teamdatademo", {"tags": {"a": "b"}})
    after = azure.stand_in.snapshot()
    assert after["storage_accounts"]["teamdatademo"]["tags"] == {"a": "b"}
    assert {**after, "storage_accounts": before["storage_accounts"]} == before


class TestSlowRemoval:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, container_removal_attempts=0)

    def test_names_of_containers_can_be_free_at_once(self, azure: Any) -> None:
        containers = azure.storage().blob_containers
        containers.delete("demo", "teamdatademo", "data")
        assert containers.create("demo", "teamdatademo", "data", {}).name == "data"
