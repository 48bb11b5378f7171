"""Finding and removing what is ours, with no ledger and no cluster."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.oke import permissions
from anyscale_k8s_cli.providers.oke.bucket import Bucket
from anyscale_k8s_cli.sandbox.objectstore.state import StoredObject, Upload
from anyscale_k8s_cli.sandbox.oci.balancers import INTERNAL, TYPE
from anyscale_k8s_cli.sandbox.oci.seed import ADMINISTRATORS, COMPARTMENT_ID, ClusterSeed
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import AccountSpec, ClusterSpec, Scope
from tests.cloud_sides import KeptKeys, remove

from .conftest import World
from .test_setup import name_of

HERE = (
    Scope(),
    Scope(account=AccountSpec(compartment_id=COMPARTMENT_ID)),
    Scope(region="us-ashburn-1"),
    Scope(cluster=ClusterSpec(name="demo")),
)
NAMES = {"bucket": "b-w", "user": "u-w", "group": "g-w", "policy": "p-w"}


def put(world: World, bucket: str) -> None:
    """What workloads leave in the bucket."""
    found = world.stand_in.store.store.buckets[bucket]
    found.objects["a/b c"] = StoredObject.of(b"1234")
    found.uploads["1"] = Upload("a/part")


def test_an_install_is_found_from_nothing(world: World) -> None:
    _, install = world.installed()
    world.installed(world.spec(name="Dev"))
    provider = world.elsewhere()
    for scope in HERE:
        found = provider.search(scope, "prod")
        assert (found.installs, found.unsearched) == ((install,), ())
    both = provider.search(Scope(), None).installs
    assert {item.cloud for item in both} == {"prod", "Dev"}
    assert provider.search(Scope(cluster=ClusterSpec(name="other")), "prod").installs == ()
    assert provider.clusters(Scope()) == ["demo"]


@pytest.mark.parametrize("names", [{}, NAMES])
def test_nothing_of_ours_is_left_and_keys_are_revoked(world: World, names: dict[str, str]) -> None:
    before = world.snapshot()
    rules = {"names": names}
    KeptKeys().setup(world, rules=rules)
    install = world.install(world.spec(rules=rules), world.provider.discover(world.spec()))
    put(world, names.get("bucket") or name_of(world))
    assert world.snapshot()["secret_keys"]
    remove(world.elsewhere().find_owned(Scope(), install), bucket=True)
    assert world.snapshot() == before
    assert world.elsewhere().find_owned(Scope(), install) == []


def test_a_deletion_that_ended_at_any_write_is_gone_on_with(world: World) -> None:
    """What was done is told as failed: the same again has the same end."""

    def delete() -> None:
        install = world.install(world.spec(), world.provider.discover(world.spec()))
        remove(world.elsewhere().find_owned(Scope(), install), bucket=True)

    before = world.snapshot()
    KeptKeys().setup(world)
    put(world, name_of(world))
    written = world.writes(delete)
    names = {call.operation.name for call in written}
    assert {"DeleteUser", "DeleteGroup", "DeletePolicy", "DeleteCustomerSecretKey"} <= names
    KeptKeys().setup(world)
    put(world, name_of(world))
    world.interrupted(delete, written, FaultKind.ERROR_AFTER, 400)
    assert world.snapshot() == before


def test_a_user_who_was_lent_stays_without_our_key(world: World) -> None:
    tenancy = world.stand_in.oci.tenancy
    lent = tenancy.add("user", "lent")
    theirs = tenancy.issue(lent.id, "theirs")
    before = world.snapshot()
    KeptKeys().setup(world, existing={"identity": lent.id})
    install = world.install(world.spec(), world.provider.discover(world.spec()))
    assert len(world.snapshot()["secret_keys"]) == 2
    remove(world.elsewhere().find_owned(Scope(), install), bucket=True)
    assert world.snapshot() == before
    assert theirs.id in before["secret_keys"]


def test_a_bucket_that_is_kept_tells_its_contents_and_forgets_its_cluster(world: World) -> None:
    _, install = world.installed()
    put(world, name_of(world))
    remove(world.elsewhere().find_owned(Scope(), install), bucket=False)
    (kept,) = world.elsewhere().find_owned(Scope(), install)
    assert isinstance(kept, Bucket)
    observed = kept.read()
    assert observed is not None
    assert kept.contents(observed) == "about 1 object versions, 4 Bytes"
    kept.forget_cluster(observed)
    again = kept.read()
    assert again is not None
    assert again.owner is not None
    assert (again.owner.cluster_uid, again.owner.id) == ("", install.id)


def test_the_printed_rights_are_enough_for_a_deletion(world: World) -> None:
    _, install = world.installed()
    put(world, name_of(world))
    statements = permissions.of(Verb.DELETE, ADMINISTRATORS, COMPARTMENT_ID)
    world.stand_in.oci.set_admin_statements(statements)
    provider = world.elsewhere()
    remove(provider.find_owned(Scope(), install), bucket=True)
    assert provider.load_balancer_left(install, ["192.0.2.9"]) == ()


def test_verify_takes_each_of_its_statements_and_no_more(world: World) -> None:
    _, install = world.installed()
    statements = permissions.of(Verb.VERIFY, ADMINISTRATORS, COMPARTMENT_ID)

    def seen(granted: list[str]) -> tuple[Any, ...]:
        world.stand_in.oci.set_admin_statements(granted)
        another = replace(world)
        try:
            search = another.provider.search(Scope(), "prod")
            cluster = another.provider.discover(another.provider.locate(install))
            return (search, cluster.facts, KeptKeys().changes(another))
        except CliError as problem:
            return (problem.code,)

    everything = seen(statements)
    assert everything[0].installs == (install,)
    for statement in statements:
        assert seen([item for item in statements if item != statement]) != everything, statement


@pytest.mark.parametrize("left_out", ["users", "groups", "policies", "buckets"])
def test_who_may_not_delete_is_told_so(world: World, left_out: str) -> None:
    """Oracle answers as if it were gone, and it is not."""
    _, install = world.installed()
    statements = permissions.of(Verb.DELETE, ADMINISTRATORS, COMPARTMENT_ID)
    fewer = [item for item in statements if f"manage {left_out}" not in item]
    place = f"in compartment id {COMPARTMENT_ID}"
    seen = ["groups in tenancy", f"policies {place}", f"buckets {place}"]
    fewer += [f"Allow group {ADMINISTRATORS} to read {item}" for item in seen]
    world.stand_in.oci.set_admin_statements(fewer)
    with pytest.raises(CliError) as caught:
        remove(world.elsewhere().find_owned(Scope(), install), bucket=True)
    assert caught.value.code is errors.FORBIDDEN


def test_load_balancers_that_are_left_are_told(world: World) -> None:
    _, install = world.installed()
    balancers = world.stand_in.oci.load_balancers(ClusterSeed())

    def address(**annotations: str) -> str:
        metadata = {"uid": "u", "namespace": "w", "name": "n", "annotations": annotations}
        (entry,) = asyncio.run(balancers.ensure({"metadata": metadata, "spec": {}})) or []
        return str(entry["ip"])

    public, internal = address(**{TYPE: "nlb"}), address(**{TYPE: "nlb", INTERNAL: "true"})
    assert public.startswith("203.")
    assert internal.startswith("10.")
    provider = world.elsewhere()
    assert len(provider.load_balancer_left(install, [internal])) == 1
    assert provider.load_balancer_left(install, []) == ()
