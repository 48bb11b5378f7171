"""Checks, and the least rights: enough for what is done, and nothing beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.checks import Finding, Status, When
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.aks import AksProvider, codes
from anyscale_k8s_cli.providers.azureblob import codes as azure_codes
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.azure.seed import ANYSCALE_APP_ID, SUBSCRIPTION_ID, AgentPoolSeed
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.spec import Scope
from tests.cloud_sides import remove

from .conftest import CLUSTER, GROUP, World
from .test_setup import BREAKS, azure
from .test_teardown import HERE, contents

Start = Callable[[AzureSettings], World]
# Of the role of whoever brings an account and an identity: they are only looked at.
ON_OTHER_WAYS = {"Microsoft.Authorization/roleDefinitions/read"}


def role(verb: Verb) -> dict[str, Any]:
    (document,) = AksProvider(Run()).permissions(verb)
    found: dict[str, Any] = json.loads(document.text)
    return found


def used(world: World) -> set[str]:
    told = (event.call for event in world.events if isinstance(event, CallMade))
    return {call for call in told if call.startswith("Microsoft.")}


def setup_and_all_drifts(world: World) -> None:
    world.provider.discover(world.spec())
    for check in world.provider.checks(world.spec(), world.provider.discover(world.spec())):
        check.run()
    side = world.setup()
    for make in BREAKS.values():
        administrator = azure(world)
        administrator.session.run = Run()
        make(administrator)
        world.setup()
    world.prove(side)


def test_the_role_of_setup_is_enough(world: World) -> None:
    """What somebody else breaks is broken with the administrator's rights."""
    world.stand_in.set_admin_roles([role(Verb.SETUP)])
    world.setup()
    assert not world.writes(world.setup)
    world.stand_in.set_admin_roles([role(Verb.PLAN)])
    assert set(world.changes().values()) == {"none"}


def test_rights_on_the_resource_group_alone_suffice(world: World) -> None:
    before = world.snapshot()
    owner = {"role": "Owner", "scope": GROUP}
    world.stand_in.set_admin_roles([owner])
    assert finding(world, "azure-permissions").status is Status.PASS
    side, install = world.installed()
    assert len(world.prove(side)) == 2
    assert world.elsewhere().search(HERE, "prod").installs == (install,)
    remove(world.elsewhere().find_owned(HERE, install), bucket=True)
    assert world.provider.load_balancer_left(install, ["203.0.113.1"]) == ()
    assert any("load balancer is gone is not known" in str(event) for event in world.events)
    world.stand_in.set_admin_roles([{"role": "Owner"}])
    assert world.snapshot() == before


def test_nothing_is_granted_that_is_not_used(world: World) -> None:
    setup_and_all_drifts(world)
    install = world.install(world.spec(), world.provider.discover(world.spec()))
    world.provider.load_balancer_left(install, ["203.0.113.1"])
    granted = set(role(Verb.SETUP)["Actions"])
    by_proof = {item for item in used(world) if "/containers/blobs/" in item}
    assert granted - used(world) == ON_OTHER_WAYS
    assert used(world) - granted == by_proof


def test_the_role_of_delete_is_enough_and_not_too_much(world: World) -> None:
    side, install = world.installed()
    world.stand_in.set_admin_roles([role(Verb.DELETE)])
    world.events.clear()
    provider = world.provider
    assert provider.search(HERE, "prod").installs
    owned = provider.find_owned(HERE, install)
    bucket = next(item for item in owned if item.key == side.storage.key)
    assert contents(bucket) == "0 object versions, 0 Bytes"  # type: ignore[arg-type]
    observed = bucket.read()
    assert observed is not None
    bucket.forget_cluster(observed)  # type: ignore[attr-defined]
    remove(owned, bucket=True)
    beside = set(role(Verb.DELETE)["Actions"]) - set(role(Verb.PLAN)["Actions"])
    assert beside <= used(world)


def test_the_role_of_verify_is_enough_and_not_too_much(world: World) -> None:
    _, install = world.installed()
    world.stand_in.set_admin_roles([role(Verb.VERIFY)])
    world = replace(world, events=[])
    assert world.provider.search(HERE, "prod").installs == (install,)
    spec = world.provider.locate(install)
    cluster = world.provider.discover(spec)
    for check in world.provider.checks(spec, cluster):
        assert When.VERIFY not in check.check.when or check.run().status is Status.PASS
    assert set(world.changes().values()) == {"none"}
    world.provider.load_balancer_left(install, ["203.0.113.1"])
    granted = set(role(Verb.VERIFY)["Actions"])
    assert used(world) == granted - ON_OTHER_WAYS


def finding(world: World, code: str, **more: Any) -> Finding:
    spec = world.spec(**more)
    checks = world.provider.checks(spec, world.provider.discover(spec))
    return next(check for check in checks if check.code == code).run()


def test_all_is_well(world: World) -> None:
    for check in world.provider.checks(world.spec(), world.provider.discover(world.spec())):
        assert check.run().status is Status.PASS, check.code


def in_tenant(world: World) -> Finding:
    """As setup and status ask it: of a cloud side that is there."""
    world.setup()
    return finding(world, "azure-anyscale-in-tenant")


def test_the_directory_knows_anyscale(world: World) -> None:
    found = in_tenant(world)
    assert (found.status, found.detail) == (Status.PASS, ANYSCALE_APP_ID)


def test_a_directory_without_anyscale(start: Start) -> None:
    found = in_tenant(start(AzureSettings(anyscale_known=False)))
    assert found.status is Status.FAIL
    assert ANYSCALE_APP_ID in found.detail
    assert "AADSTS500011" in found.evidence[0]
    assert found.fix == f"az ad sp create --id {ANYSCALE_APP_ID}"


def test_a_cluster_without_workload_identity(world: World) -> None:
    found = finding(world, "aks-workload-identity", cluster={"name": "bare"})
    assert found.status is Status.FAIL
    assert found.detail == "the cluster bare has no OIDC issuer and no workload identity"
    assert found.fix == (
        f"az aks update --subscription {SUBSCRIPTION_ID} --resource-group demo --name bare "
        "--enable-oidc-issuer --enable-workload-identity"
    )
    checks = world.provider.checks(world.spec(), world.provider.discover(world.spec()))
    (check,) = (item for item in checks if item.code == "aks-workload-identity")
    assert check.check.error is codes.AKS_IDENTITY_OFF


def test_pools_that_do_not_say_what_gpus_they_have(start: Start) -> None:
    pool = AgentPoolSeed("gpu", "Standard_NC24ads_A100_v4", 0, labels={"team": "ml"})
    world = start(AzureSettings(clusters=(replace(CLUSTER, pools=(pool,)),)))
    found = finding(world, "aks-gpu-labels")
    assert found.status is Status.WARN
    assert found.fix.endswith("--labels team=ml nvidia.com/gpu.product=NVIDIA-A100")


def test_a_subscription_that_is_not_registered(start: Start) -> None:
    world = start(AzureSettings(clusters=(CLUSTER,), unregistered=("Microsoft.Storage",)))
    found = finding(world, "azure-providers")
    assert found.status is Status.FAIL
    assert found.fix == (
        f"az provider register --namespace Microsoft.Storage --subscription {SUBSCRIPTION_ID}"
    )
    checks = world.provider.checks(world.spec(), world.provider.discover(world.spec()))
    (check,) = (item for item in checks if item.code == "azure-providers")
    assert check.check.error is azure_codes.NOT_REGISTERED


def test_what_is_missing_is_named(world: World) -> None:
    world.stand_in.set_admin_roles([{"role": "Contributor"}])
    found = finding(world, "azure-permissions")
    assert found.status is Status.FAIL
    assert found.evidence == ("Microsoft.Authorization/roleAssignments/write",)


def test_a_scope_needs_no_more_than_a_subscription(world: World) -> None:
    assert isinstance(HERE, Scope)
    assert world.provider.search(HERE, None).unsearched == ()


@pytest.mark.parametrize("verb", list(Verb))
def test_a_role_is_one_that_azure_takes(verb: Verb) -> None:
    found = role(verb)
    assert found["IsCustom"]
    assert found["AssignableScopes"] == ["/subscriptions/SUBSCRIPTION_ID"]
    assert len(set(found["Actions"])) == len(found["Actions"])


def test_room_is_told_by_azures_own_names(start: Start) -> None:
    world = start(AzureSettings(limits={"StorageAccounts": 0}))
    found = finding(world, "azure-address-quota")
    assert found.status is Status.PASS
    assert "PublicIPAddresses of " in found.detail
    assert "limit 1000, used " in found.detail
    found = finding(world, "azure-storage-quota")
    assert found.status is Status.WARN
    assert "limit 0, used " in found.detail
    world.stand_in.set_admin_roles([{"role": "Owner", "scope": GROUP}])
    assert finding(world, "azure-storage-quota").status is Status.UNKNOWN
    assert finding(world, "azure-permissions").status is Status.PASS
