"""A container in a storage account beside any cluster, entered with a client secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import storage_credentials
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.credential_kinds import AzureSecret, kept
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.providers.azureblob import cors
from anyscale_k8s_cli.providers.azureblob.container import AdoptedContainer
from anyscale_k8s_cli.providers.generic import GenericProvider
from anyscale_k8s_cli.providers.generic.azure import CLIENT, SECRET, TENANT, AzureStore
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.azure.standin import AzureStandIn
from anyscale_k8s_cli.spec import CloudSpec, Scope, StorageSpec
from tests.cloud_sides import CONSOLE, KeptKeys, remove

from .conftest import CLUSTER, SAID, TEAM_ACCOUNT, StoreWorld

World = StoreWorld[AzureStandIn]
Begin = Callable[..., World]
BLOBS, ACCOUNT = "Storage Blob Data Contributor", "Storage Account Contributor"
ACCOUNT_NAME = TEAM_ACCOUNT.name


def account(world: World) -> Any:
    """What is in the account."""
    return world.stand_in.world.accounts.data[ACCOUNT_NAME]


def scope(world: World) -> Scope:
    return Scope(storage=StorageSpec(kind="azure", account=world.said["storage"]["account"]))


def test_it_is_made_proven_and_left_alone(azure: Begin) -> None:
    world = azure(BLOBS, ACCOUNT)
    side = world.setup()
    found = account(world)
    (name,) = [name for name in found.containers if name.startswith("anyscale-prod-")]
    assert side.storage.output.url == f"abfss://{name}@{ACCOUNT_NAME}.dfs.core.windows.net"
    assert side.storage.output.endpoint == world.said["storage"]["account"]
    assert side.storage.output.cors
    made = found.containers[name]
    assert (made.public_access, made.blobs) == ("None", {})
    calls = {call.operation.name for call in world.wire.calls()}
    assert {"PutBlob", "PutBlockList"} <= calls, "whole, and in blocks"
    (rule,) = found.cors
    assert rule["allowedOrigins"] == [CONSOLE]
    assert set(world.changes().values()) == {"adopt", "none"}
    assert world.writes(world.setup) == []


def test_rules_of_others_stay(azure: Begin) -> None:
    world = azure(BLOBS, ACCOUNT)
    theirs = {
        "allowedOrigins": ["https://x.example"],
        "allowedMethods": ["GET"],
        "allowedHeaders": [],
        "exposedHeaders": [],
        "maxAgeInSeconds": 60,
    }
    account(world).settings["cors"] = {"corsRules": [theirs]}
    world.setup()
    assert account(world).cors[0] == theirs
    assert len(account(world).cors) == 2
    account(world).settings["cors"] = {"corsRules": [theirs]}
    assert world.changes()["azure-container"] == "update"


def test_rights_on_blobs_alone_suffice_and_what_they_do_not_show_is_told(azure: Begin) -> None:
    world = azure(BLOBS)
    warned = world.check_all()["store-cors-unsupported"]
    assert warned.status is Status.WARN
    assert f"az storage cors add --account-name {ACCOUNT_NAME}" in warned.fix
    side = world.setup()
    assert not side.storage.output.cors
    assert [event.text for event in world.events if isinstance(event, Notice)]
    assert world.writes(world.setup) == []


def test_without_the_role_its_statement_is_told_before_anything_is_made(azure: Begin) -> None:
    world = azure("Reader")
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert caught.value.code is errors.FORBIDDEN
    client = world.stand_in.environment()["AZURE_CLIENT_ID"]
    assert f"--assignee {client} --role '{BLOBS}'" in caught.value.fix
    spec = adopting(world)
    denied = world.check_all(spec)["store-keys-denied"]
    assert denied.status is Status.FAIL
    assert f"--assignee {client} --role '{BLOBS}'" in denied.fix


def adopting(world: World) -> CloudSpec:
    return world.spec(existing={"bucket": "data"})


def test_a_container_of_ones_own_is_used_and_never_changed(azure: Begin) -> None:
    world = azure(BLOBS, ACCOUNT)
    assert world.changes(adopting(world))["azure-container"] == "refuse"
    rule = cors.rule(CONSOLE)
    account(world).settings["cors"] = {
        "corsRules": [
            {
                "allowedOrigins": list(rule.origins),
                "allowedMethods": list(rule.methods),
                "allowedHeaders": list(rule.headers),
                "exposedHeaders": list(rule.exposed),
                "maxAgeInSeconds": rule.seconds,
            }
        ]
    }
    before = world.snapshot()
    side = world.setup(adopting(world))
    assert isinstance(side.storage, AdoptedContainer)
    assert world.snapshot() == before, "nothing of the proof stays"


def test_pods_get_the_secret_by_reference(azure: Begin) -> None:
    world = azure(BLOBS)
    side = world.setup()
    assert side.storage_keys is not None
    secret = side.storage_keys.output
    values = storage_credentials.storage_values(side)
    said = {item["name"]: item["valueFrom"] for item in additional(values)}
    assert set(said) == {TENANT, CLIENT, SECRET, "AZURE_AUTHORITY_HOST"}
    assert said[SECRET] == {"secretKeyRef": {"name": AzureSecret.SECRET, "key": SECRET}}
    patched = [step["value"] for patch in values["patches"] for step in patch["patch"]]
    assert {item["name"] for item in patched} == set(said)
    assert secret.secret not in str(values)
    assert secret.secret not in repr(secret)
    assert secret.secret not in secret.id


def additional(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = values["operator"]["container"]["additionalEnv"]
    return found


def test_without_variables_the_secret_of_an_earlier_setup_is_used(
    azure: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, keeper = azure(BLOBS), KeptKeys()
    keeper.setup(world)
    monkeypatch.delenv(SECRET)
    monkeypatch.delenv("AZURE_AUTHORITY_HOST")
    again = World(
        world.stand_in, world.settings, world.wire, world.issuer, world.factory, world.said
    )
    assert set(keeper.changes(again).values()) == {"adopt", "none"}
    with pytest.raises(errors.CliError) as caught:
        again.plan(again.cloud_side())
    assert caught.value.code is errors.CLOUD_CREDENTIALS_MISSING


def test_all_of_it_is_found_and_removed(azure: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    world = azure(BLOBS)
    before = set(account(world).containers)
    side = world.setup(world.spec(rules={"names": {"bucket": "named-otherwise"}}))
    install = world.install(world.spec(), CLUSTER)
    found = world.elsewhere().find_owned(scope(world), install)
    assert [item.key for item in found] == [f"azure:container/{ACCOUNT_NAME}/named-otherwise"]
    # The cluster's Secret tells where, too.
    assert side.storage_keys is not None
    secret = storage_credentials.secret(side.storage.output, side.storage_keys.output, "x")
    secret["metadata"]["annotations"] |= install.locator()
    assert kept(AzureSecret, secret, install) == side.storage_keys.output
    for name in (TENANT, CLIENT, SECRET, "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name)
    found = AzureStore(Run()).owned(Scope(), install, secret)
    assert [item.key for item in found] == [f"azure:container/{ACCOUNT_NAME}/named-otherwise"]
    remove(found, bucket=True)
    assert set(account(world).containers) == before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"existing": {"bucket": "abfss://A@x.dfs.core.windows.net"}}, "--bucket"),
        ({"existing": {"bucket": "abfss://data@x/y"}}, "--bucket"),
        ({"storage": {"account": "http://x.blob.core.windows.net"}}, "--storage-account"),
        ({"storage": {"account": "Team"}}, "--storage-account"),
        ({"storage": {"kind": "azure"}}, "Missing: --storage-account"),
        (
            {"storage": {"account": "team"}, "rules": {"names": {"bucket": "A"}}},
            "rules.names.bucket",
        ),
    ],
)
def test_what_cannot_be_is_refused_offline(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        GenericProvider(Run()).check_spec(CloudSpec.model_validate({**SAID, **wrong}))
    assert caught.value.message.startswith(told)


@pytest.mark.parametrize(
    "said",
    [
        {"existing": {"bucket": "abfss://data@team.dfs.core.windows.net"}},
        {"existing": {"bucket": "team/data"}, "storage": {"kind": "azure"}},
        {"storage": {"account": "team"}},
        {"storage": {"account": "https://team.blob.core.usgovcloudapi.net/"}},
    ],
)
def test_what_fits_is_taken(said: dict[str, Any]) -> None:
    GenericProvider(Run()).check_spec(CloudSpec.model_validate({**SAID, **said}))
