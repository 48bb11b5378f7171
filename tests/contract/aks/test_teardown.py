"""Finding and removing what is ours, with no ledger and no cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import ClusterState
from anyscale_k8s_cli.providers.aks.bucket import Bucket
from anyscale_k8s_cli.sandbox.azure.seed import OTHER_SUBSCRIPTION_ID, SUBSCRIPTION_ID
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.spec import AccountSpec, ClusterSpec, Scope
from tests.cloud_sides import remove

from .conftest import World
from .test_setup import ACCOUNT, ALL, OURS, USERS, azure

ACCOUNT_SPEC = AccountSpec(subscription_id=SUBSCRIPTION_ID)
HERE = Scope(account=ACCOUNT_SPEC)


def scope(group: str | None = None, **more: Any) -> Scope:
    account = AccountSpec(subscription_id=SUBSCRIPTION_ID, resource_group=group)
    return Scope(account=account, **more)


def test_an_install_is_found_from_nothing_and_a_scope_narrows(world: World) -> None:
    _, install = world.installed()
    world.installed(world.spec(name="dev"))
    for where in (HERE, scope("DEMO", region="eastus", cluster=ClusterSpec(name="demo"))):
        found = world.elsewhere().search(where, "prod")
        assert found.installs == (install,)
        assert len(world.elsewhere().search(where, None).installs) == 2
        assert found.searched == (
            f"managed identities of subscription {SUBSCRIPTION_ID}",
            f"storage accounts of subscription {SUBSCRIPTION_ID}",
        )
    for where in (
        scope(region="westus"),
        scope("other"),
        scope(cluster=ClusterSpec(name="other")),
    ):
        assert world.elsewhere().search(where, None).installs == ()


def test_another_subscription_is_not_searched(world: World) -> None:
    where = Scope(account=AccountSpec(subscription_id=OTHER_SUBSCRIPTION_ID))
    with pytest.raises(errors.CliError) as caught:
        world.elsewhere().search(where, None)
    assert caught.value.code is errors.ACCOUNT_MISMATCH


def test_the_subscription_need_not_be_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.installed()
    assert len(world.elsewhere().search(Scope(), "prod").installs) == 1, "by its variable"
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    assert len(world.elsewhere().search(Scope(), "prod").installs) == 1, "in all that are seen"


def test_where_one_may_not_look_is_told(world: World) -> None:
    world.installed()
    world.fault("StorageAccounts_List", status=403, code="AuthorizationFailed", times=0)
    found = world.elsewhere().search(HERE, "prod")
    assert len(found.installs) == 1
    assert "Microsoft.Storage/storageAccounts/read" in found.unsearched[0]


def test_a_kept_account_alone_is_found(world: World) -> None:
    _, install = world.installed()
    remove(world.elsewhere().find_owned(HERE, install), bucket=False)
    assert [item.id for item in world.elsewhere().search(HERE, "prod").installs] == [install.id]


def test_everything_of_ours_goes_and_nothing_else(world: World) -> None:
    before = world.snapshot()
    side, install = world.installed()
    owned = world.elsewhere().find_owned(HERE, install)
    assert {item.kind for item in owned} == ALL
    assert {item.key for item in owned} == {item.key for item in side.resources}
    remove(owned, bucket=True)
    assert world.snapshot() == before
    assert world.elsewhere().find_owned(HERE, install) == []


def test_again_and_again(world: World) -> None:
    """No name is in the way, nothing is left, and nobody is taken for his namesake."""
    before, principals = world.snapshot(), set()
    for _ in range(3):
        side, install = world.installed()
        principals.add(side.identity.output.registered)
        remove(world.provider.find_owned(HERE, install), bucket=True)
        assert world.snapshot() == before
    assert len(principals) == 3


def test_what_has_other_names_is_found_by_its_tags(world: World) -> None:
    names = {"storage-account": "acmedata", "identity": "acme-operator"}
    _, install = world.installed(world.spec(rules={"names": names}))
    keys = {item.key for item in world.elsewhere().find_owned(HERE, install)}
    assert keys == {
        "azure:storage-account/acmedata",
        "azure:managed-identity/acme-operator",
        "azure:role-assignment/acmedata/acme-operator",
    }


def test_the_other_installs_objects_stay(world: World) -> None:
    world.installed(world.spec(name="dev"))
    before = world.snapshot()
    _, install = world.installed()
    remove(world.elsewhere().find_owned(HERE, install), bucket=True)
    assert world.snapshot() == before


def test_of_the_users_account_only_the_role_goes(start: Callable[[AzureSettings], World]) -> None:
    world = start(AzureSettings(accounts=(USERS,), identities=(), poll_seconds=0.01))
    azure(world).storage.set_cors("demo", "usersdata", [OURS])
    before = world.snapshot()
    _, install = world.installed(world.spec(existing={"bucket": "usersdata/lake"}))
    owned = world.elsewhere().find_owned(HERE, install)
    assert {item.kind for item in owned} == {"managed-identity", "role-assignment"}
    remove(owned, bucket=True)
    assert world.snapshot() == before


# -- the account ---------------------------------------------------------------------


def fill(world: World, number: int) -> None:
    data = world.stand_in.world.accounts.data[ACCOUNT]
    for name in range(number):
        data.put(data.containers["anyscale-data"], f"runs/{name}", b"x" * 1024)


def account(world: World) -> Bucket:
    side, _ = world.installed()
    assert isinstance(side.storage, Bucket)
    return side.storage


def contents(bucket: Bucket) -> str:
    observed = bucket.read()
    assert observed is not None
    return bucket.contents(observed)


def test_a_full_account_is_counted_and_removed(world: World) -> None:
    bucket = account(world)
    fill(world, 3)
    assert contents(bucket) == "3 object versions, 3.0 KiB", "by the account's key"
    observed = bucket.read()
    assert observed is not None
    bucket.delete(observed)
    assert ACCOUNT not in world.snapshot()["storage_accounts"]


def test_who_may_not_count_says_so(world: World) -> None:
    bucket = account(world)
    world.stand_in.set_admin_roles([{"role": "Contributor"}, {"role": "Reader"}])
    assert contents(bucket) == "0 object versions, 0 Bytes", "Contributor has the keys"
    world.stand_in.set_admin_roles([{"role": "Reader"}])
    told = contents(bucket)
    assert told.startswith("what is in it you may not see: ")
    assert told.endswith("Microsoft.Storage/storageAccounts/listKeys/action")


def test_a_kept_account_forgets_the_cluster(world: World) -> None:
    side, install = world.installed()
    bucket = side.storage
    assert isinstance(bucket, Bucket)
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install
    bucket.forget_cluster(observed)
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install.forgetting_cluster()
    assert not world.writes(lambda: bucket.forget_cluster(observed))


# -- the cluster --------------------------------------------------------------------


def test_what_the_cloud_says_of_the_cluster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, install = world.installed()
    assert world.elsewhere().cluster_state(install) is ClusterState.PRESENT
    world.stand_in.delete_cluster("demo")
    assert world.elsewhere().cluster_state(install) is ClusterState.DELETED
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    assert world.elsewhere().cluster_state(install) is ClusterState.UNKNOWN


def test_the_install_leads_to_its_cluster(world: World) -> None:
    _, install = world.installed()
    spec = world.elsewhere().locate(install)
    cluster = world.elsewhere().discover(spec)
    assert world.install(spec, cluster) == install


@pytest.mark.parametrize("expose", ["public", "internal"])
def test_a_load_balancer_is_seen_until_it_is_gone(world: World, expose: str) -> None:
    spec = world.spec(network={"expose": expose})
    cluster = world.provider.discover(spec)
    install: Install = world.install(spec, cluster)
    balancer = world.provider.load_balancer(spec, cluster, install, None)  # type: ignore[arg-type]
    metadata = {
        "name": "gateway",
        "namespace": "anyscale-operator",
        "uid": "0f0e0d0c-0000-4000-8000-000000000001",
        "annotations": dict(balancer.annotations),
    }
    service = {"metadata": metadata, "spec": {"type": "LoadBalancer"}}
    serving = world.stand_in.load_balancers("demo")
    (ingress,) = asyncio.run(serving.ensure(service)) or ()
    addresses = [ingress["ip"], "gone.example"]
    other = "internal" if expose == "public" else "public"
    wanted = world.spec(network={"expose": other})
    moved = world.provider.load_balancer(wanted, cluster, install, None)  # type: ignore[arg-type]
    assert balancer.unlike is not None
    assert moved.unlike is not None
    assert balancer.unlike(ingress["ip"]) == balancer.unlike("203.0.113.9") == ""
    assert moved.unlike(ingress["ip"]) == f"is {expose}, and is to be {other}"
    (left,) = world.elsewhere().load_balancer_left(install, addresses)
    assert ("/publicIPAddresses/" in left) == (expose == "public")
    assert world.elsewhere().load_balancer_left(install, ["203.0.113.9"]) == ()
    assert world.elsewhere().load_balancer_left(install, []) == ()
    world.stand_in.delete_cluster("demo")
    assert world.elsewhere().load_balancer_left(install, addresses) == ()
