"""Checks, and the least rights: enough for what is done, and nothing beside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status, When
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.events import CallMade, Notice
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.aks import AksProvider, codes, permissions
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
# Azure shows these to whoever has any role: a subscription, and one's own rights.
SHOWN_TO_ALL = {
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Resources/subscriptions/read",
}
# What a key of the user's takes alone is tried where there is one, beside this.
OF_KEYS = {item for item in permissions.actions(Verb.SETUP) if item.startswith(permissions.OF_KEYS)}
ON_OTHER_WAYS = {"Microsoft.Authorization/roleDefinitions/read"} | OF_KEYS


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
    assert found.evidence == (
        "Microsoft.Authorization/roleAssignments/write on resource group demo",
    )
    first, second, last = found.fix.splitlines()
    made = json.loads(first.partition("--role-definition ")[2].strip("'"))
    assert made["Actions"] == ["Microsoft.Authorization/roleAssignments/write"]
    assert made["AssignableScopes"] == [GROUP]
    assert f"--role '{made['Name']}' --scope {GROUP}" in second
    assert "run the same command again" in last
    assert "cloud permissions --provider aks --verb setup" in last


# -- one action less -------------------------------------------------------------------

NAMED = re.compile(r"\bMicrosoft(?:\.\w+)(?:/\w+)+/(?:action|delete|read|write)\b")


def less(verb: Verb, *taken: str) -> list[dict[str, Any]]:
    document = role(verb)
    return [{**document, "Actions": [i for i in document["Actions"] if i not in taken]}]


def told(found: Finding) -> str:
    return " ".join((found.detail, *found.evidence))


def told_before_anything_is_made(world: World, code: str) -> str:
    """By the check, or by what looking ended with."""
    try:
        found = finding(world, code)
    except CliError as problem:
        return f"{problem.code.slug}: {problem}"
    assert found.status is not Status.PASS
    return told(found)


@pytest.mark.parametrize(
    ("verb", "code"),
    [(Verb.SETUP, "azure-permissions"), (Verb.VERIFY, "azure-read-permissions")],
    ids=["setup", "verify"],
)
def test_each_action_that_is_taken_away_is_named(world: World, verb: Verb, code: str) -> None:
    granted = {*role(verb)["Actions"]} - OF_KEYS
    world.stand_in.set_admin_roles([role(verb)])
    looking = replace(world, events=[])
    assert finding(looking, code).status is Status.PASS
    looked = used(looking)

    def take_away() -> None:
        """What ends the looking alone, and all else together."""
        for taken in (*({item} for item in sorted(granted & looked)), granted - looked):
            world.stand_in.set_admin_roles(less(verb, *taken))
            text = told_before_anything_is_made(replace(world), code)
            assert set(NAMED.findall(text)) == taken, text
            assert " on " in text or text.startswith(f"{errors.FORBIDDEN.slug}: "), text

    assert not world.writes(take_away)


def test_an_action_that_a_role_takes_out_again_is_named(world: World) -> None:
    taken = "Microsoft.Storage/storageAccounts/write"
    world.stand_in.set_admin_roles([{"Actions": ["*"], "NotActions": [taken]}])
    found = finding(world, "azure-permissions")
    assert (found.status, set(NAMED.findall(told(found)))) == (Status.FAIL, {taken})
    # Another role that has it gives it all the same.
    roles = [{"Actions": ["*"], "NotActions": [taken]}, {"Actions": [taken]}]
    world.stand_in.set_admin_roles(roles)
    assert finding(world, "azure-permissions").status is Status.PASS


def test_what_is_only_warned_of_setup_does_without(world: World) -> None:
    world.stand_in.set_admin_roles(less(Verb.SETUP, *permissions.DISPENSABLE))
    found = finding(world, "azure-permissions")
    assert found.status is Status.WARN
    assert set(NAMED.findall(told(found))) == permissions.DISPENSABLE
    assert len(world.prove(world.setup())) == 2


def test_what_is_there_needs_no_making(world: World) -> None:
    """A contributor, who may not assign roles, sets up again what an owner has set up."""
    world.setup()
    world.stand_in.set_admin_roles([{"role": "Contributor"}])
    assert finding(world, "azure-permissions").status is Status.WARN
    assert set(world.changes().values()) == {"none"}


def test_what_the_user_has_needs_no_rights(world: World) -> None:
    own = {"bucket": "abfss://data@teamdata.dfs.core.windows.net", "identity": "team"}
    writes = [item for item in role(Verb.SETUP)["Actions"] if item.endswith("/write")]
    world.stand_in.set_admin_roles(less(Verb.SETUP, *writes))
    assert finding(world, "azure-permissions").status is Status.FAIL
    assert finding(world, "azure-permissions", existing=own).status is Status.PASS


def test_each_action_of_delete_that_is_taken_away_is_named(world: World) -> None:
    """The account goes; or stays, and the cluster's UID is taken off it."""
    side, install = world.installed()

    def survey(taken: str) -> str:
        told_meanwhile = replace(world, events=[])
        provider = told_meanwhile.provider
        try:
            search = provider.search(HERE, "prod")
            provider.discover(provider.locate(install))
            owned = provider.find_owned(HERE, install)
            for item in owned:
                item.observed = item.read()
            if search.unsearched:
                return " ".join(search.unsearched)
        except CliError as problem:
            return f"{problem.code.slug}: {problem}"
        account = next(item for item in owned if item.key == side.storage.key)
        if taken.endswith("listKeys/action"):
            return contents(account)  # type: ignore[arg-type]
        provider.load_balancer_left(install, ["203.0.113.1"])
        notices = [event.text for event in told_meanwhile.events if isinstance(event, Notice)]
        kept = [account] if taken.endswith("storageAccounts/write") else []
        going = [item for item in owned if item not in kept]
        found = provider.removal_rights(install, going, kept)
        assert notices or found.status is Status.FAIL
        return " ".join((told(found), *notices))

    def one_by_one() -> None:
        for taken in sorted(set(role(Verb.DELETE)["Actions"]) - SHOWN_TO_ALL):
            world.stand_in.set_admin_roles(less(Verb.DELETE, taken))
            text = survey(taken)
            assert set(NAMED.findall(text)) == {taken}, text

    assert not world.writes(one_by_one)


def test_a_role_on_one_object_counts_when_it_is_to_be_removed(world: World) -> None:
    _, install = world.installed()
    owned = world.provider.find_owned(HERE, install)
    for item in owned:
        item.observed = item.read()
    read = {**role(Verb.PLAN)}
    roles = [{"role": "Owner", "scope": item.observed.id} for item in owned if item.observed]
    world.stand_in.set_admin_roles([read, *roles])
    assert world.provider.removal_rights(install, owned, ()).status is Status.PASS


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
