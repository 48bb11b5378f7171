"""What setup makes, finds changed, mends and removes, and will not touch."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.coreweave.keys import LIFETIME
from anyscale_k8s_cli.sandbox.coreweave.seed import ADMIN
from anyscale_k8s_cli.sandbox.wire import Call, FaultKind, FaultRule
from anyscale_k8s_cli.spec import Addressing, Checksums, ClusterSpec, Scope
from anyscale_k8s_cli.storage_keys import IssuedKeys
from tests.cloud_sides import CONSOLE, KeptKeys, remove

from .conftest import Settings, Start, World

POLICY, KEY, BUCKET = "coreweave-access-policy", IssuedKeys.kind, "s3-bucket"
ALL = {POLICY, KEY, BUCKET}


def name_of(world: World) -> str:
    spec = world.spec()
    return world.install(spec, world.provider.discover(spec)).name(limit=63)


def policy_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.snapshot()["access_policies"][name_of(world)]
    return found


def is_coreweave(call: Call) -> bool:
    return call.operation.service == "coreweave"


def test_a_plan_writes_nothing(world: World) -> None:
    before = world.snapshot()
    assert world.writes(world.changes) == []
    assert world.snapshot() == before


def test_everything_is_made_once(world: World) -> None:
    cluster = KeptKeys()
    assert cluster.changes(world) == dict.fromkeys(ALL, "create")
    cluster.setup(world)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")
    assert world.writes(lambda: cluster.setup(world)) == []


def test_what_is_made(world: World) -> None:
    side, name = KeptKeys().setup(world, rules={"tags": {"team": "ml"}}), name_of(world)
    storage = side.storage.output
    assert (storage.url, storage.region) == (f"s3://{name}", "US-EAST-04A")
    assert storage.endpoint == "http://cwobject"
    assert (storage.addressing, storage.checksums) == (
        Addressing.VIRTUAL,
        Checksums.WHEN_REQUIRED,
    )
    assert storage.cors
    (rule,) = world.snapshot()["objects"]["buckets"][name]["cors"]
    assert rule["AllowedOrigin"] == [CONSOLE]
    (statement,) = policy_of(world)["statements"]
    assert statement["resources"] == [name, f"{name}/*"]
    assert statement["principals"] == [f"coreweave/{ADMIN}"]
    (key,) = world.snapshot()["access_keys"].values()
    assert (key["attributes"]["name"], key["attributes"]["team"]) == (name, "ml")


def test_a_key_ends_at_a_stated_time(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    assert cluster.keys is not None
    key = world.stand_in.organisation.keys[cluster.keys.access_key]
    assert key.expiry is not None
    left = key.expiry - datetime.now(UTC)
    assert LIFETIME - timedelta(hours=1) < left <= LIFETIME


def test_a_new_key_is_waited_for(start: Start) -> None:
    world = start(Settings(refused_attempts=2))
    KeptKeys().setup(world)
    assert list(world.snapshot()["objects"]["buckets"]) == [name_of(world)]


def test_a_store_without_cors_is_told_and_no_failure(start: Start) -> None:
    world = start(Settings(cors=False))
    side = KeptKeys().setup(world)
    assert not side.storage.output.cors
    assert any("CORS" in getattr(event, "text", "") for event in world.events)


def test_what_others_changed_is_mended(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    organisation = world.stand_in.organisation
    organisation.policies[name_of(world)]["statements"][0]["resources"] = ["*"]
    assert cluster.changes(world)[POLICY] == "update"
    cluster.setup(world)
    assert policy_of(world)["statements"][0]["resources"][0] == name_of(world)
    organisation.withdraw_policies()
    assert cluster.changes(world)[POLICY] == "create"
    cluster.setup(world)
    assert policy_of(world)["statements"][0]["resources"][0] == name_of(world)


@pytest.mark.parametrize("how", ["revoked", "expired", "secret lost"])
def test_a_key_of_no_use_is_replaced_and_none_is_left_behind(world: World, how: str) -> None:
    cluster, organisation = KeptKeys(), world.stand_in.organisation
    cluster.setup(world)
    assert cluster.keys is not None
    old = cluster.keys.access_key
    if how == "revoked":
        organisation.revoke_all()
    elif how == "expired":
        organisation.expire_all()
    else:
        cluster.keys = None
    cluster.setup(world)
    assert list(organisation.keys) != [old]
    assert len(organisation.keys) == 1
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def test_a_key_whose_answer_was_lost_is_not_made_twice_and_is_revoked_later(world: World) -> None:
    rule = FaultRule(
        FaultKind.ERROR_AFTER, service="coreweave", operation="cwobject:CreateAccessKey", times=1
    )
    world.wire.inject(rule)
    cluster, organisation = KeptKeys(), world.stand_in.organisation
    with pytest.raises(errors.CloudFailure):
        cluster.setup(world)
    (lost,) = organisation.keys
    cluster.setup(world)
    assert len(organisation.keys) == 1
    assert lost not in organisation.keys


def test_a_setup_that_ended_at_any_write_is_gone_on_with(start: Start) -> None:
    whole = start(Settings())
    written = [call for call in whole.writes(lambda: KeptKeys().setup(whole)) if is_coreweave(call)]
    assert len(written) == 2
    for nth in range(1, len(written) + 1):
        world, cluster = start(Settings()), KeptKeys()
        world.wire.inject(
            FaultRule(
                FaultKind.ERROR_AFTER, service="coreweave", writes_only=True, nth=nth, times=1
            )
        )
        with suppress(errors.CliError):
            cluster.setup(world)
        cluster.setup(world)
        assert len(world.stand_in.organisation.keys) == 1
        assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def test_a_policy_of_others_is_left_alone(world: World) -> None:
    statement = {"name": "x", "effect": "Allow", "actions": ["s3:*"], "resources": ["*"]}
    theirs = {
        "version": "v1alpha1",
        "name": name_of(world),
        "statements": [{**statement, "principals": ["*"]}],
    }
    world.stand_in.organisation.ensure_policy(theirs)
    with pytest.raises(errors.CliError) as caught:
        KeptKeys().setup(world)
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert world.snapshot()["access_policies"] == {name_of(world): theirs}


def test_a_bucket_of_another_cloud_is_left_alone(world: World) -> None:
    """Its key is not known when the plan is made, so creation is what finds it out."""
    KeptKeys().setup(world, name="dev")
    (bucket,) = world.snapshot()["objects"]["buckets"]
    before = world.snapshot()["objects"]
    with pytest.raises(errors.CliError) as caught:
        KeptKeys().setup(world, rules={"names": {"bucket": bucket}})
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert world.snapshot()["objects"] == before


def test_a_colleague_is_added_to_the_policy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    world.stand_in.organisation.tokens["CW-SECRET-colleague"] = "colleague"
    monkeypatch.setenv("COREWEAVE_API_TOKEN", "CW-SECRET-colleague")
    world.provider = world.elsewhere()
    assert cluster.changes(world)[POLICY] == "update"
    cluster.setup(world)
    (statement,) = policy_of(world)["statements"]
    assert statement["principals"] == ["coreweave/colleague", f"coreweave/{ADMIN}"]


def test_somebody_without_the_role_is_told_which(world: World) -> None:
    world.stand_in.organisation.taken[ADMIN] = ("cwobject:*",)
    with pytest.raises(errors.CliError) as caught:
        world.changes()
    assert caught.value.code is errors.FORBIDDEN
    assert "permissions --provider coreweave" in caught.value.fix


def test_an_install_is_found_from_nothing(world: World) -> None:
    _, install = world.installed()
    world.installed(world.spec(name="Dev"))
    provider = world.elsewhere()
    here = (Scope(), Scope(region="us-east-04a"), Scope(cluster=ClusterSpec(name="demo")))
    for scope in here:
        found = provider.search(scope, "prod")
        assert (found.installs, found.unsearched) == ((install,), ())
    assert {item.cloud for item in provider.search(Scope(), None).installs} == {"prod", "Dev"}
    assert provider.search(Scope(region="us-west-01a"), "prod").installs == ()
    assert provider.locate(install).cluster.name == "demo"


@pytest.mark.parametrize("names", [{}, {"bucket": "b-w", "policy": "p-w"}])
def test_nothing_of_ours_is_left_and_keys_are_revoked(world: World, names: dict[str, str]) -> None:
    from anyscale_k8s_cli.sandbox.objectstore.state import StoredObject

    before = world.snapshot()
    cluster = KeptKeys()
    cluster.setup(world, rules={"names": names})
    spec = world.spec()
    install = world.install(spec, world.provider.discover(spec))
    bucket = names.get("bucket") or name_of(world)
    world.stand_in.store.store.buckets[bucket].objects["a/b"] = StoredObject.of(b"1234")
    remove(world.elsewhere().find_owned(Scope(), install), bucket=True)
    assert world.snapshot() == before
    assert world.elsewhere().find_owned(Scope(), install) == []


def test_a_bucket_that_is_kept_forgets_its_cluster(world: World) -> None:
    _, install = world.installed()
    bucket = world.elsewhere().find_owned(Scope(), install)[0]
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install
    kept: Any = bucket
    kept.forget_cluster(observed)
    again = bucket.read()
    assert again is not None
    assert again.owner is not None
    assert again.owner.cluster_uid == ""
    # Only the key of the install is left of those that were made.
    assert len(world.stand_in.organisation.keys) == 1


def test_the_review_tells_who_may_what(world: World) -> None:
    (text,) = world.reviewed(world.setup())[0].values()
    (statement,) = json.loads(text)["statements"]
    assert statement["actions"] == ["s3:*"]
    assert len(statement["principals"]) == 1
