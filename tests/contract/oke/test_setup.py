"""What setup makes, finds changed, mends, and will not touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.providers.oke import codes
from anyscale_k8s_cli.sandbox.oci.seed import COMPARTMENT_ID, OTHER_COMPARTMENT_ID
from anyscale_k8s_cli.sandbox.oci.standin import OciSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import Addressing, Checksums
from anyscale_k8s_cli.storage_keys import IssuedKeys
from tests.cloud_sides import KeptKeys

from .conftest import World

BUCKET, USER, GROUP, POLICY, KEY = (
    "oci-bucket",
    "oci-user",
    "oci-group",
    "oci-policy",
    IssuedKeys.kind,
)
ALL = {BUCKET, USER, GROUP, POLICY, KEY}


def name_of(world: World) -> str:
    spec = world.spec()
    return world.install(spec, world.provider.discover(spec)).name(limit=63)


def named(world: World, kind: str, name: str) -> tuple[str, dict[str, Any]]:
    return next(pair for pair in world.snapshot()[kind].items() if pair[1]["name"] == name)


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
    user, made_user = named(world, "users", name)
    group, made_group = named(world, "groups", name)
    _, policy = named(world, "policies", name)
    bucket = world.snapshot()["buckets"][name]
    for made in (made_user, made_group, policy, bucket):
        assert made["tags"]["team"] == "ml"
        assert made["tags"]["anyscale-k8s-managed-by"] == "anyscale-k8s-cli"
    assert (user, group) in world.snapshot()["members"].values()
    where = f"in compartment id {COMPARTMENT_ID} where target.bucket.name='{name}'"
    assert policy["statements"] == [
        f"Allow group id {group} to manage objects {where}",
        f"Allow group id {group} to read buckets {where}",
    ]
    assert bucket["public"] == "NoPublicAccess"
    storage = side.storage.output
    assert (storage.url, storage.region) == (f"s3://{name}", "us-ashburn-1")
    assert storage.endpoint == world.stand_in.store.url
    assert (storage.addressing, storage.checksums, storage.cors) == (
        Addressing.PATH,
        Checksums.WHEN_REQUIRED,
        False,
    )
    assert world.snapshot()["objects"][name]["objects"] == {}


def test_it_is_told_what_the_console_will_not_show(world: World) -> None:
    KeptKeys().setup(world)
    told = [event.text for event in world.events if isinstance(event, Notice)]
    assert [text for text in told if "no CORS call" in text]


def test_a_key_reaches_its_bucket_alone(world: World) -> None:
    cluster, others = KeptKeys(), KeptKeys()
    cluster.setup(world)
    others.setup(world, name="dev")
    assert cluster.keys is not None
    reached = world.stand_in.store.store.admitted(cluster.keys.access_key).buckets
    assert reached == {name_of(world)}


@pytest.mark.parametrize("settings", [OciSettings(refused_attempts=2)])
def test_a_store_that_learns_late_is_waited_for(world: World) -> None:
    KeptKeys().setup(world)


@pytest.mark.parametrize("settings", [OciSettings(home_region="us-phoenix-1", refused_attempts=0)])
def test_identity_is_changed_in_the_home_region(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")
    paths = {call.path.split("/")[1] for call in world.wire.calls() if "/users" in call.path}
    assert paths == {"us-phoenix-1"}


@pytest.mark.parametrize(
    ("spoil", "mended"),
    [
        (lambda world: world.stand_in.oci.revoke_keys(), {KEY}),
        (lambda world: world.stand_in.oci.withdraw_policies(), {POLICY}),
        (lambda world: world.stand_in.oci.tenancy.members.popitem(), {GROUP}),
    ],
)
def test_what_somebody_spoils_is_mended(
    world: World, spoil: Callable[[World], Any], mended: set[str]
) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    spoil(world)
    changes = cluster.changes(world)
    assert {kind for kind, change in changes.items() if change != "none"} == mended
    cluster.setup(world)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")


def test_further_statements_are_taken_out(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    policy_id, policy = named(world, "policies", name_of(world))
    wider = policy["statements"][0].partition(" where ")[0]
    world.stand_in.oci.tenancy.policies[policy_id].more["statements"].append(wider)
    assert cluster.changes(world)[POLICY] == "update"
    cluster.setup(world)
    assert wider not in named(world, "policies", name_of(world))[1]["statements"]


def test_a_key_without_its_secret_is_replaced_within_the_limit(world: World) -> None:
    """Twice the cluster lost the secret: there are never more than two keys."""
    for _ in range(3):
        KeptKeys().setup(world)
    assert len(world.snapshot()["secret_keys"]) == 1


def test_two_keys_of_somebody_else_are_left_and_told(world: World) -> None:
    tenancy = world.stand_in.oci.tenancy
    lent = tenancy.add("user", "lent")
    there = {tenancy.issue(lent.id, name).id for name in ("one", "two")}
    before = world.snapshot()
    with pytest.raises(CliError) as caught:
        KeptKeys().setup(world, existing={"identity": lent.id})
    assert caught.value.code is errors.ADOPTED_UNFIT
    assert f"--user-id {lent.id} " in caught.value.fix
    assert there <= set(world.snapshot()["secret_keys"])
    assert world.snapshot() == before


def test_a_key_that_somebody_makes_meanwhile_is_told_too(world: World) -> None:
    tenancy = world.stand_in.oci.tenancy
    lent = tenancy.add("user", "lent")
    tenancy.issue(lent.id, "one")
    side = world.cloud_side(world.spec(existing={"identity": lent.id}))
    assert {item.change.value for item in world.plan(side).changes} == {"adopt", "create"}
    tenancy.issue(lent.id, "two")
    keys = KeptKeys().seen_by(side).storage_keys
    assert keys is not None
    with pytest.raises(CliError) as caught:
        keys.create()
    assert caught.value.code is codes.OCI_KEY_LIMIT


def test_what_is_lent_is_used_and_not_changed(world: World) -> None:
    oci = world.stand_in.oci
    lent = oci.tenancy.add("user", "lent")
    world.stand_in.store.store.create_bucket("theirs")
    oci.buckets.record("theirs").compartment = OTHER_COMPARTMENT_ID
    before = world.snapshot()
    cluster = KeptKeys()
    cluster.setup(world, existing={"identity": lent.id, "bucket": "theirs"})
    after = world.snapshot()
    assert after["users"] == before["users"]
    assert after["buckets"] == before["buckets"]
    _, policy = named(world, "policies", name_of(world))
    assert policy["compartment"] == OTHER_COMPARTMENT_ID


def test_a_bucket_of_somebody_else_is_not_taken(world: World) -> None:
    world.stand_in.store.store.create_bucket(name_of(world))
    assert world.changes()[BUCKET] == "refuse"


def test_a_busy_service_is_asked_again(world: World) -> None:
    world.fault("CreateUser", FaultKind.THROTTLE)
    world.fault("CreatePolicy")
    KeptKeys().setup(world)


def test_a_key_is_not_made_twice(world: World) -> None:
    world.fault("CreateCustomerSecretKey", FaultKind.ERROR_AFTER)
    cluster = KeptKeys()
    with pytest.raises(CliError):
        cluster.setup(world)
    assert len(world.snapshot()["secret_keys"]) == 1
    cluster.setup(world)
    assert len(world.snapshot()["secret_keys"]) == 1


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"account": {"compartment_id": "demo"}}, "--compartment-id"),
        ({"region": "ashburn"}, "--region"),
        ({"rules": {"tags": {str(n): "x" for n in range(6)}}}, "--tag"),
        ({"rules": {"names": {"role": "x"}}}, "rules.names"),
        ({"existing": {"identity": "me"}}, "--identity"),
        ({"network": {"load_balancer_subnets": ["one"]}}, "--lb-subnet"),
    ],
)
def test_what_oracle_would_refuse_is_refused_offline(
    world: World, said: dict[str, Any], word: str
) -> None:
    with pytest.raises(CliError) as caught:
        world.provider.check_spec(world.spec(**said))
    assert caught.value.code is errors.INVALID_SPEC
    assert word in str(caught.value)
    assert world.wire.calls() == []


def test_tags_that_are_no_longer_wanted_go(world: World) -> None:
    KeptKeys().setup(world, rules={"tags": {"team": "ml"}})
    dropped = {"team": "ml"}
    world.apply(world.cloud_side(world.spec(), dropped))
    name = name_of(world)
    for kind in ("users", "groups", "policies"):
        assert "team" not in named(world, kind, name)[1]["tags"]
    assert "team" not in world.snapshot()["buckets"][name]["tags"]


def test_a_setup_that_ended_at_any_write_is_gone_on_with(
    start: Callable[[OciSettings], World], settings: OciSettings
) -> None:
    """What was done is told as failed: the same command again has the same end, with one key."""
    whole = start(settings)
    made = whole.writes(lambda: KeptKeys().setup(whole))
    written = [call for call in made if call.operation.service == "oci"]
    assert len(written) >= len(ALL)
    world, cluster = start(settings), KeptKeys()
    world.interrupted(lambda: cluster.setup(world), written, FaultKind.ERROR_AFTER, 400)
    assert cluster.changes(world) == dict.fromkeys(ALL, "none")
    assert len(world.snapshot()["secret_keys"]) == 1


def test_the_review_tells_who_may_what(world: World) -> None:
    found, kept = world.reviewed(world.setup())
    (text,) = found.values()
    assert len(text.splitlines()) == 2
    assert all("where target.bucket.name=" in line for line in text.splitlines())
    assert kept["public access"] == "NoPublicAccess"
