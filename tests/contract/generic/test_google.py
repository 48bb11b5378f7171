"""A bucket of Google's beside any cluster, entered by a key file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import storage_credentials
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.credential_kinds import GoogleKey
from anyscale_k8s_cli.providers.gcs.bucket import AdoptedBucket
from anyscale_k8s_cli.providers.gcs.bucket_settings import cors_rule
from anyscale_k8s_cli.providers.generic import GenericProvider
from anyscale_k8s_cli.providers.generic.google import KEY_FILE
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.google.seed import TEAM_DATA
from anyscale_k8s_cli.sandbox.google.standin import GoogleStandIn
from anyscale_k8s_cli.spec import CloudSpec, Scope, StorageSpec
from tests.cloud_sides import CONSOLE, KeptKeys, remove
from tests.google_by_hand import GoogleByHand

from .conftest import CLUSTER, SAID, StoreWorld

World = StoreWorld[GoogleStandIn]
Begin = Callable[..., World]
GCS = Scope(storage=StorageSpec(kind="gcs"))
MAY_USE = (
    *("storage.buckets.get", "storage.objects.create", "storage.objects.get"),
    *("storage.objects.list", "storage.objects.delete"),
)


def bucket_of(world: World) -> dict[str, Any]:
    buckets = world.snapshot()["buckets"]
    (name,) = [name for name in buckets if name.startswith("anyscale-prod-")]
    return {**buckets[name], "name": name}


def test_it_is_made_proven_and_left_alone(google: Begin) -> None:
    world = google()
    side = world.setup()
    made = bucket_of(world)
    assert side.storage.output.url == f"gs://{made['name']}"
    assert (side.storage.output.endpoint, side.storage.output.region) == ("", "us")
    bucket = world.stand_in.buckets.get(made["name"])
    assert not list(bucket.objects.listed(versions=False))
    uploads = [call for call in world.wire.calls() if call.operation.name.endswith("insert")]
    assert len(uploads) > 2, "whole, and as a resumable upload"
    assert set(world.changes().values()) == {"adopt", "none"}
    assert world.writes(world.setup) == []


def test_settings_are_as_on_googles_own_clusters(google: Begin) -> None:
    world = google()
    world.setup(world.spec(storage={"kind": "gcs", "location": "europe-west4"}))
    state = world.provider.find_owned(GCS, world.install(world.spec(), CLUSTER))[0].read()
    assert state is not None
    settings, location = state.state.settings, state.state.location
    assert location == "EUROPE-WEST4"
    assert (settings.versioning, settings.uniform_access) == (True, True)
    assert settings.public_access_prevention == "enforced"
    assert settings.cors == [cors_rule(CONSOLE)]
    # Where it is not said again, it stays where it is.
    assert set(world.changes().values()) == {"adopt", "none"}


def test_pods_get_the_key_by_the_chart_and_nothing_tells_it(google: Begin) -> None:
    world = google()
    side = world.setup()
    key = GoogleKey.of(json.dumps(world.stand_in.key_file()))
    assert key is not None
    assert side.storage_keys is not None
    assert side.storage_keys.output == key
    values = storage_credentials.storage_values(side)
    assert values["global"]["gcp"]["projectId"] == "demo"
    mount = values["credentialMount"]["gcp"]
    assert mount["createSecret"] == {"create": False}
    assert mount["fromSecret"]["name"] == GoogleKey.SECRET
    secret = json.loads(key.text)["private_key"]
    assert secret not in str(values)
    assert secret not in repr(key)


def test_without_a_file_the_key_of_an_earlier_setup_is_used(
    google: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, kept = google(), KeptKeys()
    kept.setup(world)
    monkeypatch.delenv(KEY_FILE)
    again = World(
        world.stand_in, world.settings, world.wire, world.issuer, world.factory, world.said
    )
    assert set(kept.changes(again).values()) == {"adopt", "none"}
    with pytest.raises(errors.CliError) as caught:
        again.plan(again.cloud_side())
    assert caught.value.code is errors.CLOUD_CREDENTIALS_MISSING


@pytest.mark.parametrize("text", ["", "[]", '{"type": "authorized_user"}', "no JSON"])
def test_a_file_without_a_key_is_told(google: Begin, tmp_path: Path, text: str) -> None:
    world = google()
    file = tmp_path / "other.json"
    file.write_text(text)
    named = world.spec(credentials={"google_key_file": str(file)})
    with pytest.raises(errors.CliError) as caught:
        world.plan(world.cloud_side(named))
    assert caught.value.code is errors.CLOUD_CREDENTIALS_MISSING
    assert str(file) in caught.value.message


def test_where_no_bucket_may_be_made_the_statement_is_told(google: Begin) -> None:
    world = google()
    world.stand_in.set_admin_permissions(MAY_USE)
    email = world.stand_in.admin.email
    denied = world.check_all()["store-keys-denied"]
    assert denied.status is Status.FAIL
    assert f"--member=serviceAccount:{email} --role=roles/storage.admin" in denied.fix
    assert "--bucket" in denied.fix
    # Seeing is not making.
    world.stand_in.set_admin_permissions((*MAY_USE, "storage.buckets.list"))
    assert world.check_all()["store-keys-denied"].status is Status.PASS
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert caught.value.code is errors.FORBIDDEN
    assert caught.value.fix == denied.fix


def test_a_bucket_of_ones_own_takes_rights_on_it_alone(google: Begin) -> None:
    world = google()
    spec = world.spec(existing={"bucket": f"gs://{TEAM_DATA.name}"}, storage={})
    rules = {"cors": [dict(cors_rule(CONSOLE))]}
    GoogleByHand(os.environ).call("storage", "PATCH", f"/b/{TEAM_DATA.name}", rules)
    world.stand_in.set_admin_permissions(MAY_USE[:-1])
    lacking = world.check_all(spec)["store-keys-denied"]
    assert lacking.status is Status.FAIL
    assert "storage.objects.delete" in lacking.detail
    assert f"gs://{TEAM_DATA.name}" in lacking.fix
    assert "roles/storage.objectAdmin" in lacking.fix
    world.stand_in.set_admin_permissions(MAY_USE)
    assert {item.status for item in world.check_all(spec).values()} == {Status.PASS}
    before = world.snapshot()["buckets"][TEAM_DATA.name]
    side = world.setup(spec)
    assert isinstance(side.storage, AdoptedBucket)
    assert world.snapshot()["buckets"][TEAM_DATA.name] == before, "nothing of the proof stays"


def test_a_name_of_another_projects_is_refused(google: Begin) -> None:
    world = google()
    named = world.spec(rules={"names": {"bucket": "somebody-elses"}})
    assert world.changes(named)["gcs-bucket"] == "refuse"


def test_all_of_it_is_found_and_removed(google: Begin) -> None:
    world = google()
    before = world.snapshot()["buckets"]
    world.setup(world.spec(rules={"names": {"bucket": "named-otherwise"}}))
    found = world.elsewhere().find_owned(GCS, world.install(world.spec(), CLUSTER))
    assert [item.key for item in found] == ["gcp:bucket/named-otherwise"]
    remove(found, bucket=True)
    assert world.snapshot()["buckets"] == before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"existing": {"bucket": "gs://A"}}, "--bucket"),
        ({"rules": {"names": {"bucket": "A"}}, "storage": {"kind": "gcs"}}, "rules.names.bucket"),
        ({"rules": {"tags": {"A": "b"}}, "storage": {"kind": "gcs"}}, "--tag"),
    ],
)
def test_what_cannot_be_is_refused_offline(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        GenericProvider(Run()).check_spec(CloudSpec.model_validate({**SAID, **wrong}))
    assert caught.value.code is errors.INVALID_SPEC
    assert caught.value.message.startswith(told)
