"""An identity of their own for Ray's pods: what is made, who becomes it, what is removed."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.aks import bucket_access, codes
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Trust
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.sandbox.azure.seed import PolicySeed
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.spec import CloudSpec
from tests.cloud_sides import remove
from tests.issuer import OPERATOR, WORKLOADS

from .conftest import ACCOUNTS, CLUSTER, IDENTITIES, World
from .test_rights import Start, finding, role
from .test_setup import ACCOUNT, CONTRIBUTOR, IDENTITY, azure
from .test_teardown import HERE

NAME = IDENTITY.replace("-operator", "-workloads")
OWN = {f"azure:managed-identity/{NAME}", f"azure:role-assignment/{ACCOUNT}/{NAME}"}
CONTAINER = f"{ACCOUNTS}{ACCOUNT}/blobServices/default/containers/anyscale-data"
SEPARATE = {"identity": {"workloads": "separate"}}


def separate(world: World, **more: Any) -> CloudSpec:
    return world.spec(**SEPARATE, **more)


def found_by_another(world: World, install: Install) -> list[Resource[Any]]:
    return list(world.elsewhere().find_owned(HERE, install))


def held(world: World, principal: str) -> dict[str, str]:
    """The roles of one identity, by what they are on, in lower case."""
    return {
        own_id.partition("/providers/Microsoft.Authorization/")[0].lower(): item["role"]
        for own_id, item in world.snapshot()["role_assignments"].items()
        if item["principal"] == principal
    }


def test_it_is_as_narrow_as_can_be_and_settles(world: World) -> None:
    spec = separate(world, rules={"tags": {"team": "ml"}})
    before = world.by_key(spec)
    assert set(before.values()) == {"create"}
    assert set(before) > OWN
    side = world.setup(spec)
    assert set(world.by_key(spec).values()) == {"none"}
    made = world.snapshot()["identities"]
    theirs, operators = made[IDENTITIES + NAME], made[IDENTITIES + IDENTITY]
    assert theirs["tags"]["team"] == "ml"
    audiences = ["api://AzureADTokenExchange"]
    assert theirs["federated"] == {"anyscale-workloads": (CLUSTER.issuer, WORKLOADS, audiences)}
    assert operators["federated"] == {"anyscale-operator": (CLUSTER.issuer, OPERATOR, audiences)}
    assert held(world, theirs["principal"]) == {CONTAINER.lower(): CONTRIBUTOR}
    assert held(world, operators["principal"]) == {f"{ACCOUNTS}{ACCOUNT}".lower(): CONTRIBUTOR}
    assert side.workloads is not None
    client = side.workloads.identity.output.helm
    assert side.workloads.annotations() == {"azure.workload.identity/client-id": client}
    assert client != side.identity.output.helm  # type: ignore[union-attr]
    assert world.prove_workloads(side)[0].endswith(f"anyscale-workloads can act as {NAME}")
    assert "towards Anyscale" in world.prove(side)[0]


def test_neither_account_becomes_the_others(world: World) -> None:
    side = world.setup(separate(world, timeouts={"identity": 1}))
    assert {item.code for item in world.refused_crosswise(side)} == {codes.SUBJECT_MISMATCH}


def test_what_is_changed_by_hand_is_named_and_mended(world: World) -> None:
    spec = separate(world)
    world.setup(spec)
    own, access = sorted(OWN)
    azure(world).identities.put_trust(
        "demo", NAME, "anyscale-workloads", Trust(CLUSTER.issuer, OPERATOR)
    )
    roles = azure(world).roles
    (granted,) = [item for item in roles.assignments(CONTAINER) if item.scope == CONTAINER.lower()]
    roles.withdraw(granted)
    changed = {key: change for key, change in world.by_key(spec).items() if change != "none"}
    assert changed == {own: "update", access: "create"}
    side = world.setup(spec)
    assert set(world.by_key(spec).values()) == {"none"}
    assert len(world.prove_workloads(side)) == 2


def test_a_role_that_is_gone_is_told_with_the_command_for_the_container(world: World) -> None:
    side = world.setup(separate(world, timeouts={"identity": 1}))
    assert side.workloads is not None
    access = side.workloads.identity
    access.delete(access.observed)  # type: ignore[arg-type]
    with pytest.raises(CliError) as refused:
        world.prove_workloads(side)
    assert refused.value.code is codes.ASSIGNMENT_MISSING
    assert refused.value.fix.lower().endswith(f"--scope {CONTAINER}".lower())
    assert len(world.prove(side)) == 2


def test_what_the_user_has_is_used_for_the_operator(world: World) -> None:
    """The role of the second identity is ours, on one container of the user's account."""
    made, _ = world.installed(world.spec(name="other"))
    identity = next(item for item in made.resources if item.kind == "managed-identity")
    account = made.storage.output.url.partition("@")[2].partition(".")[0]
    assert identity.observed is not None
    existing = {"bucket": f"{account}/anyscale-data", "identity": identity.observed.id}
    spec = separate(world, existing=existing)
    side, install = world.installed(spec)
    kept = {key for key, change in world.by_key(spec).items() if change == "none"}
    assert kept == {
        f"azure:managed-identity/{NAME}",
        f"azure:role-assignment/{account}/{NAME}",
    }
    assert len(world.prove_workloads(side)) == len(world.prove(side)) == 2
    owned = found_by_another(world, install)
    assert {item.key for item in owned} == kept
    remove(owned, bucket=True)
    assert len(world.prove(side)) == 2


@pytest.mark.parametrize("name", ["", "our-pods"])
def test_all_of_it_is_found_and_removed_with_no_ledger(world: World, name: str) -> None:
    before = world.snapshot()
    rules = {"rules": {"names": {"workload-identity": name}}} if name else {}
    side, install = world.installed(separate(world, **rules))
    keys = {item.key for item in side.resources}
    assert f"azure:managed-identity/{name or NAME}" in keys
    owned = found_by_another(world, install)
    assert {item.key for item in owned} == keys
    remove(owned, bucket=True)
    assert world.snapshot() == before
    assert found_by_another(world, install) == []


@pytest.mark.parametrize("name", [NAME, IDENTITY])
def test_a_role_of_one_that_is_gone_is_found_and_removed(world: World, name: str) -> None:
    before = world.snapshot()["role_assignments"]
    _, install = world.installed(separate(world))
    azure(world).identities.delete("demo", name)
    owned = found_by_another(world, install)
    assert f"azure:role-assignment/{ACCOUNT}/{name}" in {item.key for item in owned}
    remove(owned, bucket=False)
    assert world.snapshot()["role_assignments"] == before


def test_what_was_separate_is_still_found_when_it_is_the_same_again(world: World) -> None:
    world.setup(separate(world))
    _, install = world.installed()
    assert {item.key for item in found_by_another(world, install)} > OWN


def test_a_name_that_is_taken_is_refused(world: World) -> None:
    azure(world).identities.put("demo", NAME, "eastus", {})
    planned = world.plan(world.cloud_side(separate(world)))
    with pytest.raises(CliError) as refused:
        planned.raise_for_refusals()
    assert "--name" in refused.value.fix
    assert "--identity" not in refused.value.fix


def test_the_printed_roles_are_enough_for_both(world: World) -> None:
    world.stand_in.set_admin_roles([role(Verb.SETUP)])
    assert finding(world, "azure-permissions", **SEPARATE).status is Status.PASS
    _, install = world.installed(separate(world))
    world.stand_in.set_admin_roles([role(Verb.DELETE)])
    owned = found_by_another(world, install)
    assert world.elsewhere().removal_rights(install, owned, ()).status is Status.PASS
    remove(owned, bucket=True)
    assert found_by_another(world, install) == []


def test_a_right_that_is_missing_for_the_second_identity_is_told(world: World) -> None:
    """What the operator has is there, and takes none."""
    world.setup()
    actions = [item for item in role(Verb.SETUP)["Actions"] if not item.endswith("/write")]
    world.stand_in.set_admin_roles([{**role(Verb.SETUP), "Actions": actions}])
    assert finding(world, "azure-permissions").status is Status.WARN
    found = finding(world, "azure-permissions", **SEPARATE)
    assert found.status is Status.FAIL
    assert [line for line in found.evidence if "userAssignedIdentities/write" in line]


def test_rules_of_the_company_are_asked_about_it(start: Start) -> None:
    owned = PolicySeed("owned", "Everything has an owner", required_tag="owner")
    world = start(AzureSettings(clusters=(CLUSTER,), policies=(owned,), poll_seconds=0.01))
    world.setup(world.spec(rules={"tags": {"owner": "ml"}}))
    # What is there is not made.
    assert finding(world, "azure-policies").status is Status.PASS
    assert finding(world, "azure-policies", **SEPARATE).status is Status.FAIL


def test_documents_are_told_beforehand_and_afterwards(world: World) -> None:
    spec = separate(world)
    install = world.install(spec, world.provider.discover(spec))
    told = [item.name for item in world.provider.grants(spec, install, ACCOUNT)]
    assert told == [
        "federated credential anyscale-operator",
        "role assignment",
        "federated credential anyscale-workloads",
        "role assignment",
    ]
    side = world.setup(spec)
    found, _ = world.reviewed(side)
    assert WORKLOADS in found["federated credential anyscale-workloads"]
    assert side.workloads is not None
    access = side.workloads.identity
    assert isinstance(access, bucket_access.BucketAccess)
    (document,) = access.grants(access.observed)  # type: ignore[arg-type]
    assert "/containers/anyscale-data" in document.text
