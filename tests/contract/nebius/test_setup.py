"""What setup makes, finds changed, mends, and will not touch."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.nebius import codes
from anyscale_k8s_cli.providers.nebius.keys import LIFETIME
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings
from anyscale_k8s_cli.sandbox.wire import Call, FaultKind
from anyscale_k8s_cli.spec import Addressing, Checksums
from anyscale_k8s_cli.storage_keys import IssuedKeys
from tests.cloud_sides import CONSOLE, KeptKeys

from .conftest import World

BUCKET, ACCOUNT, GROUP, KEY = (
    "nebius-bucket",
    "nebius-service-account",
    "nebius-group",
    IssuedKeys.kind,
)
ALL = {BUCKET, ACCOUNT, GROUP, KEY}
IAM = "nebius.iam."


def name_of(world: World) -> str:
    spec = world.spec()
    return world.install(spec, world.provider.discover(spec)).name(limit=63)


def named(world: World, kind: str, name: str) -> dict[str, Any]:
    return next(item for item in world.snapshot()[kind].values() if item["name"] == name)


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
    for kind in ("service_accounts", "groups", "buckets"):
        labels = named(world, kind, name)["labels"]
        assert labels["team"] == "ml"
        assert labels["anyscale-k8s-managed-by"] == "anyscale-k8s-cli"
    storage = side.storage.output
    assert (storage.url, storage.region) == (f"s3://{name}", "eu-north1")
    assert storage.endpoint == world.stand_in.store.url
    assert (storage.addressing, storage.checksums) == (
        Addressing.PATH,
        Checksums.WHEN_REQUIRED,
    )
    assert CONSOLE in named(world, "buckets", name)["spec"]
    (rule,) = world.snapshot()["objects"]["buckets"][name]["cors"]
    assert rule["AllowedOrigin"] == [CONSOLE]
    assert world.snapshot()["objects"]["buckets"][name]["objects"] == {}
    group = named(world, "groups", name)
    (group_id,) = [key for key, item in world.snapshot()["groups"].items() if item == group]
    specs = [
        item["spec"] for item in world.snapshot()["permits"].values() if item["parent"] == group_id
    ]
    assert len(specs) == 2
    assert "storage.object-editor" in "".join(specs)
    assert "storage.editor" not in "".join(specs)


def test_a_key_ends_at_a_stated_time_and_lets_into_its_bucket_alone(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    cluster_of_others = KeptKeys()
    cluster_of_others.setup(world, name="dev")
    assert cluster.keys is not None
    (key,) = [
        item
        for item in world.stand_in.nebius.tenant.keys.items.values()
        if item.status is not None and item.status.aws_access_key_id == cluster.keys.access_key
    ]
    assert key.spec.expires_at is not None
    left = key.spec.expires_at - datetime.now(UTC)
    assert LIFETIME - timedelta(hours=1) < left <= LIFETIME
    reached = world.stand_in.nebius.buckets_of(cluster.keys.access_key)
    assert reached == {name_of(world)}


def test_secrets_are_in_nothing_that_is_told(world: World) -> None:
    cluster = KeptKeys()
    side = cluster.setup(world)
    assert cluster.keys is not None
    secret = cluster.keys.secret
    told = [
        world.events,
        world.snapshot(),
        [call.as_json() for call in world.wire.calls()],
        [(item.key, item.title, item.observed) for item in side.resources],
    ]
    assert secret not in repr(told)


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER])
def test_what_was_done_after_all_is_found_when_it_is_repeated(
    world: World, kind: FaultKind
) -> None:
    for lost in ("nebius.iam.v1.GroupService/Create", "nebius.storage.v1.BucketService/Create"):
        world.fault(lost, kind)
    cluster = KeptKeys()
    cluster.setup(world)
    assert all(rule.fired for rule in world.wire.rules)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def test_a_key_whose_secret_was_lost_on_the_way_is_revoked(world: World) -> None:
    world.fault("nebius.iam.v2.AccessKeyService/GetSecret", FaultKind.ERROR_AFTER)
    cluster = KeptKeys()
    with pytest.raises(errors.CliError):
        cluster.setup(world)
    assert world.snapshot()["access_keys"] == {}
    cluster.setup(world)
    assert len(world.snapshot()["access_keys"]) == 1


def test_a_key_whose_secret_the_cluster_lost_is_replaced(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    (before,) = world.snapshot()["access_keys"]
    cluster.keys = None
    cluster.setup(world)
    (after,) = world.snapshot()["access_keys"]
    assert after != before


def test_a_key_that_has_ended_is_replaced(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    before = cluster.keys
    world.stand_in.nebius.expire_keys()
    assert cluster.changes(world)[KEY] == "update"
    cluster.setup(world)
    assert cluster.keys != before
    assert len(world.snapshot()["access_keys"]) == 1
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def test_a_change_by_hand_is_named_and_mended(world: World) -> None:
    cluster, tenant = KeptKeys(), world.stand_in.nebius.tenant
    cluster.setup(world)
    name = name_of(world)
    (bucket,) = tenant.buckets.items.values()
    bucket.spec.cors = None
    (group,) = [item for item in tenant.groups.items.values() if item.metadata.name == name]
    for item in tenant.permits.of_parent(group.metadata.id):
        item.spec.role = "storage.editor"
    side = cluster.seen_by(world.cloud_side())
    reasons = {item.resource.kind: item.decision.reason for item in world.plan(side).changes}
    assert "CORS for the console" in reasons[BUCKET]
    assert "storage.editor" in reasons[GROUP]
    assert "storage.object-editor" in reasons[GROUP]
    cluster.setup(world)
    roles = {item.spec.role for item in tenant.permits.of_parent(group.metadata.id)}
    assert roles == {"storage.object-editor", "storage.viewer"}
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def test_rules_and_labels_of_others_stay(world: World) -> None:
    from nebius.api.nebius.storage.v1 import CORSRule

    cluster, tenant = KeptKeys(), world.stand_in.nebius.tenant
    cluster.setup(world)
    (bucket,) = tenant.buckets.items.values()
    assert bucket.spec.cors is not None
    theirs = CORSRule(allowed_origins=["https://theirs.example"], allowed_methods=["GET"])
    bucket.spec.cors.rules = [*bucket.spec.cors.rules, theirs]
    bucket.metadata.labels["theirs"] = "yes"
    del bucket.metadata.labels["anyscale-k8s-namespace"]
    cluster.setup(world)
    (now,) = tenant.buckets.items.values()
    assert now.metadata.labels["theirs"] == "yes"
    assert now.metadata.labels["anyscale-k8s-namespace"] == "anyscale-operator"
    assert now.spec.cors is not None
    assert [list(rule.allowed_origins) for rule in now.spec.cors.rules] == [
        [CONSOLE],
        ["https://theirs.example"],
    ]


def test_a_bucket_name_that_somebody_in_the_region_has(world: World) -> None:
    world.stand_in.store.store.taken = frozenset({name_of(world)})
    with pytest.raises(errors.CliError) as refused:
        KeptKeys().setup(world)
    assert refused.value.code is errors.FOREIGN_OBJECT
    assert "rules.names.bucket" in refused.value.fix


def test_what_is_not_ours_is_not_touched(world: World) -> None:
    from nebius.api.nebius.common.v1 import ResourceMetadata
    from nebius.api.nebius.iam.v1 import ServiceAccountSpec

    tenant = world.stand_in.nebius.tenant
    metadata = ResourceMetadata(name=name_of(world))
    tenant.accounts.create(
        metadata, ServiceAccountSpec(), world.provider.discover(world.spec()).account
    )
    assert KeptKeys().changes(world)[ACCOUNT] == "refuse"


def test_a_bucket_and_an_account_of_the_users_own(world: World) -> None:
    """Neither is written; the group that lets one into the other is ours."""
    from nebius.api.nebius.common.v1 import ResourceMetadata
    from nebius.api.nebius.iam.v1 import ServiceAccountSpec

    cluster, tenant = KeptKeys(), world.stand_in.nebius.tenant
    project = world.provider.discover(world.spec()).account
    account = tenant.accounts.create(
        ResourceMetadata(name="theirs"), ServiceAccountSpec(), project
    ).metadata.id
    KeptKeys().setup(world, name="first")
    bucket = next(iter(tenant.buckets.items.values())).metadata.name
    existing = {"bucket": f"s3://{bucket}", "identity": account}
    before = named(world, "buckets", bucket), named(world, "service_accounts", "theirs")
    side = cluster.setup(world, existing=existing)
    assert (named(world, "buckets", bucket), named(world, "service_accounts", "theirs")) == before
    assert side.storage.output.url == f"s3://{bucket}"
    assert cluster.keys is not None
    assert world.stand_in.nebius.buckets_of(cluster.keys.access_key) == {bucket}
    missing = {"bucket": "nobodys", "identity": "serviceaccount-e00nobody"}
    changes = KeptKeys().changes(world, existing=missing)
    assert (changes[BUCKET], changes[ACCOUNT]) == ("refuse", "refuse")


@pytest.mark.parametrize("settings", [NebiusSettings(admin_role="editor", operation_polls=0)])
def test_whoever_gives_no_roles_is_told_which_role_it_takes(world: World) -> None:
    with pytest.raises(errors.CloudFailure) as refused:
        KeptKeys().setup(world)
    assert refused.value.code is errors.FORBIDDEN
    assert refused.value.denied
    assert "anyscale cloud permissions --provider nebius" in refused.value.fix


@pytest.mark.parametrize("settings", [NebiusSettings(most={"group": 1}, operation_polls=0)])
def test_a_quota_is_told_at_once(world: World) -> None:
    with pytest.raises(errors.CloudFailure) as refused:
        KeptKeys().setup(world)
    assert refused.value.code is codes.NEBIUS_QUOTA
    assert "group" in refused.value.cause


@pytest.mark.parametrize("settings", [NebiusSettings(operation_polls=3, refused_attempts=2)])
def test_slow_operations_and_late_rights_are_waited_for(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def shape(world: World) -> dict[str, list[str]]:
    """What there is, without ids, which differ from one making to the next."""
    seen = world.snapshot()
    kinds = ("service_accounts", "groups", "memberships", "permits", "buckets", "access_keys")
    return {
        kind: sorted(str(sorted(item["labels"].items())) for item in seen[kind].values())
        for kind in kinds
    }


def test_a_setup_that_ended_at_any_write_is_gone_on_with(
    start: Callable[[NebiusSettings], World], settings: NebiusSettings
) -> None:
    """What was done is told as failed: the same command again has the same end, with one key."""
    whole = start(settings)
    written = [call for call in whole.writes(lambda: KeptKeys().setup(whole)) if is_nebius(call)]
    assert len(written) >= len(ALL)
    world, cluster = start(settings), KeptKeys()
    world.interrupted(lambda: cluster.setup(world), written, FaultKind.ERROR_AFTER, 500)
    assert shape(world) == shape(whole)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def is_nebius(call: Call) -> bool:
    return call.operation.service == "nebius"


def test_the_review_tells_who_may_what(world: World) -> None:
    found, kept = world.reviewed(world.setup())
    (text,) = found.values()
    assert len(json.loads(text)["members"]) == 1
    assert {item["role"] for item in json.loads(text)["permits"]} == {
        "storage.object-editor",
        "storage.viewer",
    }
    assert kept["versioning"] == "on"
