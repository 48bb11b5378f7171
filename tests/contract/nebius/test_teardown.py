"""Finding and removing what is ours, with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli.provider import ClusterState
from anyscale_k8s_cli.providers.nebius.bucket import Bucket
from anyscale_k8s_cli.sandbox.nebius.seed import PROJECT_ID
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import AccountSpec, ClusterSpec, Scope
from tests.cloud_sides import KeptKeys, remove

from .conftest import World
from .test_setup import is_nebius, name_of

PATH = f"projects/{PROJECT_ID}/clusters/demo"


HERE = (
    Scope(),
    Scope(account=AccountSpec(project_id=PROJECT_ID)),
    Scope(region="eu-north1"),
    Scope(cluster=ClusterSpec(name="demo")),
    Scope(cluster=ClusterSpec(name=PATH)),
)
ELSEWHERE = (Scope(region="eu-west1"), Scope(cluster=ClusterSpec(name="other")))


def test_an_install_is_found_from_nothing(world: World) -> None:
    _, install = world.installed()
    world.installed(world.spec(name="Dev"))
    provider = world.elsewhere()
    for scope in HERE:
        found = provider.search(scope, "prod")
        assert (found.installs, found.unsearched) == ((install,), ())
    both = provider.search(Scope(), None).installs
    assert {item.cloud for item in both} == {"prod", "Dev"}
    assert provider.locate(install).cluster.name == "demo"
    assert [provider.search(scope, "prod").installs for scope in ELSEWHERE] == [(), ()]


def test_a_search_tells_where_it_was_not_let(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.installed()
    nebius = world.stand_in.nebius
    monkeypatch.setenv("NEBIUS_IAM_TOKEN", nebius.token(nebius.outsider_id))
    found = world.elsewhere().search(Scope(), "prod")
    assert (found.installs, found.searched) == ((), ())
    assert len(found.unsearched) == 3


@pytest.mark.parametrize("names", [{}, {"bucket": "b-w", "service-account": "a-w", "group": "g-w"}])
def test_nothing_of_ours_is_left_and_keys_are_revoked(world: World, names: dict[str, str]) -> None:
    before = world.snapshot()
    cluster = KeptKeys()
    spec = world.spec(rules={"names": names})
    cluster.setup(world, rules={"names": names})
    install = world.install(spec, world.provider.discover(spec))
    put(world, names.get("bucket") or name_of(world))
    assert cluster.keys is not None
    assert world.stand_in.nebius.key_secret(cluster.keys.access_key)
    remove(world.elsewhere().find_owned(Scope(), install), bucket=True)
    assert world.snapshot() == before
    assert world.stand_in.nebius.key_secret(cluster.keys.access_key) is None
    assert world.elsewhere().find_owned(Scope(), install) == []


def test_a_deletion_that_ended_at_any_write_is_gone_on_with(world: World) -> None:
    """What was done is told as failed: the same again has the same end."""

    def delete() -> None:
        spec = world.spec()
        install = world.install(spec, world.provider.discover(spec))
        remove(world.provider.find_owned(Scope(), install), bucket=True)

    before = world.snapshot()
    KeptKeys().setup(world)
    written = [call for call in world.writes(delete) if is_nebius(call)]
    assert world.snapshot() == before
    KeptKeys().setup(world)
    put(world, name_of(world))
    world.interrupted(delete, written, FaultKind.ERROR_AFTER, 500)
    left = world.snapshot()
    # A key of the caller's own, whose secret was not told, ends within the hour.
    assert len(left.pop("access_keys")) <= 1
    before.pop("access_keys")
    assert left == before


def put(world: World, bucket: str) -> None:
    """What a workload leaves in the bucket."""
    from anyscale_k8s_cli.sandbox.objectstore.state import StoredObject

    found = world.stand_in.store.store.buckets[bucket]
    found.objects["a/b"] = StoredObject.of(b"1234")


def test_a_bucket_that_is_kept_tells_its_contents_and_forgets_its_cluster(world: World) -> None:
    _, install = world.installed()
    name = name_of(world)
    put(world, name)
    owned = world.elsewhere().find_owned(Scope(), install)
    remove(owned, bucket=False)
    (kept,) = world.elsewhere().find_owned(Scope(), install)
    assert isinstance(kept, Bucket)
    observed = kept.read()
    assert observed is not None
    told: list[str] = []
    assert world.writes(lambda: told.append(kept.contents(observed))) == []
    assert told == ["1 object versions, 4 Bytes"]
    kept.forget_cluster(observed)
    again = kept.read()
    assert again is not None
    assert again.owner is not None
    assert again.owner.cluster_uid == ""
    assert again.owner.id == install.id


def test_own_keys_for_emptying_are_gone_afterwards(world: World) -> None:
    _, install = world.installed()
    put(world, name_of(world))
    made: list[Any] = []
    owned = world.elsewhere().find_owned(Scope(), install)
    made += world.writes(lambda: remove(owned, bucket=True))
    operations = [call.operation.name.rpartition(".")[2] for call in made]
    assert operations.count("AccessKeyService/Create") >= 1
    assert world.snapshot()["access_keys"] == {}


def test_what_the_cloud_says_of_the_cluster(world: World) -> None:
    _, install = world.installed()
    assert world.elsewhere().cluster_state(install) is ClusterState.PRESENT
    world.fault("nebius.mk8s.v1.ClusterService/List", status=500, times=1)
    assert world.elsewhere().cluster_state(install) is ClusterState.UNKNOWN
    world.stand_in.nebius.delete_cluster("demo")
    assert world.elsewhere().cluster_state(install) is ClusterState.DELETED


async def test_addresses_that_are_left_are_told_until_they_are_gone(world: World) -> None:
    _, install = await _in_thread(world.installed)
    balancers = world.stand_in.nebius.load_balancers("demo")
    service = {"metadata": {"uid": "u", "namespace": "w", "name": "n"}, "spec": {}}
    (entry,) = await balancers.ensure(service) or []
    provider = world.elsewhere()
    left = await _in_thread(lambda: provider.load_balancer_left(install, [entry["ip"]]))
    assert len(left) == 1
    assert await _in_thread(lambda: provider.load_balancer_left(install, ["192.0.2.9"])) == ()
    assert await _in_thread(lambda: provider.load_balancer_left(install, [])) == ()


async def _in_thread(work: Callable[[], Any]) -> Any:
    import asyncio

    return await asyncio.to_thread(work)
