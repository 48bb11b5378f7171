"""A service account of their own for Ray's pods: what is made, who acts as it, what is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.sandbox.google.seed import TEAM_DATA, email_of
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from anyscale_k8s_cli.spec import CloudSpec
from tests.cloud_sides import remove

from .conftest import World, by_hand
from .test_adopted import ADOPTED, HAND_MADE, OWN_ACCOUNT, admit_console, grant, own_account
from .test_rights import check_all, granted, only
from .test_setup import ACCOUNT, BUCKET, TWIN, account_of, bucket_of, forget
from .test_teardown import HERE

NAME = f"{BUCKET}-ray"
EMAIL = email_of(NAME)
MEMBER = f"serviceAccount:{EMAIL}"
THEIR_TWIN = TWIN.replace("/anyscale-operator]", "/anyscale-workloads]")
USER, SIGNER = "roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator"
OBJECTS = "roles/storage.objectUser"
OWN = {f"gcp:service-account/{NAME}", f"gcp:bucket-access/{BUCKET}/{NAME}"}


def separate(world: World, **more: Any) -> CloudSpec:
    return world.spec(identity={"workloads": "separate"}, **more)


def found_by_another(world: World, install: Install) -> list[Resource[Any]]:
    return list(world.elsewhere().find_owned(HERE, install))


def test_it_is_as_narrow_as_can_be_and_settles(world: World) -> None:
    spec = separate(world)
    before = world.by_key(spec)
    assert set(before.values()) == {"create"}
    assert set(before) > OWN
    side = world.setup(spec)
    assert set(world.by_key(spec).values()) == {"none"}
    # Its twin acts as it; it signs nothing, and has one role at one bucket.
    assert account_of(world, EMAIL)["policy"] == {USER: [THEIR_TWIN]}
    held = [role for role, members in bucket_of(world)["policy"].items() if MEMBER in members]
    assert held == [OBJECTS]
    assert MEMBER not in str(world.snapshot()["policy"])
    assert account_of(world)["policy"][USER] == [TWIN]
    assert side.workloads is not None
    assert side.workloads.annotations() == {"iam.gke.io/gcp-service-account": EMAIL}
    assert side.service_account_annotations() == {"iam.gke.io/gcp-service-account": ACCOUNT}
    asked = world.calls(lambda: world.prove_workloads(side))
    assert not [call for call in asked if call.operation.name.endswith("generateIdToken")]
    assert f"anyscale-workloads can act as {EMAIL}" in world.prove_workloads(side)[0]
    assert len(world.prove(side)) == 2


def test_neither_account_is_the_others(world: World) -> None:
    side = world.setup(separate(world, timeouts={"identity": 1}))
    assert {item.code for item in world.refused_crosswise(side)} == {codes.NOT_IMPERSONABLE}


def test_what_is_undone_by_hand_is_named_and_mended(world: World) -> None:
    spec = separate(world)
    world.setup(spec)
    account, access = sorted(OWN, reverse=True)
    forget(world, world.stand_in.project.accounts.get(EMAIL).policy, USER)
    assert {key for key, change in world.by_key(spec).items() if change == "update"} == {account}
    forget(world, world.stand_in.buckets.get(BUCKET).policy, OBJECTS)
    # Nothing of it is left in the policy, so it is made and not changed.
    assert world.by_key(spec)[access] == "create"
    side = world.setup(spec)
    assert set(world.by_key(spec).values()) == {"none"}
    assert len(world.prove_workloads(side)) == 2


def test_what_the_user_has_is_used_for_the_operator_and_granted_by_him(
    start: Callable[[GoogleSettings], World], settings: GoogleSettings
) -> None:
    world = start(replace(settings, buckets=(TEAM_DATA, ADOPTED)))
    own_account(world, *HAND_MADE)
    admit_console(world)
    policy = world.stand_in.buckets.get(ADOPTED.name).policy
    grant(world, policy, ("roles/storage.admin", f"serviceAccount:{OWN_ACCOUNT}"))
    spec = separate(world, existing={"bucket": ADOPTED.name, "identity": OWN_ACCOUNT})
    with pytest.raises(CliError) as refused:
        world.setup(spec)
    assert f"--member={MEMBER} --role={OBJECTS}" in refused.value.fix
    grant(world, policy, (OBJECTS, MEMBER))
    side = world.setup(spec)
    made = {key for key, change in world.by_key(spec).items() if change == "none"}
    assert made == {f"gcp:service-account/{NAME}"}
    assert len(world.prove_workloads(side)) == len(world.prove(side)) == 2


@pytest.mark.parametrize("name", ["", "our-pods"])
def test_all_of_it_is_found_and_removed_with_no_ledger(world: World, name: str) -> None:
    before = world.snapshot()
    rules = {"rules": {"names": {"workload-service-account": name}}} if name else {}
    side, install = world.installed(separate(world, **rules))
    keys = {item.key for item in side.resources}
    assert f"gcp:service-account/{name or NAME}" in keys
    owned = found_by_another(world, install)
    assert {item.key for item in owned} == keys
    remove(owned, bucket=False)
    assert "serviceAccount:" not in str(bucket_of(world)["policy"])
    remove(found_by_another(world, install), bucket=True)
    assert world.snapshot() == before
    assert found_by_another(world, install) == []


def test_what_is_left_of_it_in_a_kept_bucket_is_found(world: World) -> None:
    _, install = world.installed(separate(world))
    by_hand(world, "iam", "DELETE", f"/v1/projects/demo/serviceAccounts/{EMAIL}")
    owned = found_by_another(world, install)
    assert {item.key for item in owned} & OWN == {f"gcp:bucket-access/{BUCKET}/{NAME}"}
    remove(owned, bucket=False)
    assert NAME not in str(bucket_of(world)["policy"])


def test_what_was_separate_is_still_found_when_it_is_the_same_again(world: World) -> None:
    world.setup(separate(world))
    _, install = world.installed()
    assert {item.key for item in found_by_another(world, install)} > OWN


def test_who_may_not_list_accounts_finds_those_of_the_usual_names(world: World) -> None:
    _, install = world.installed()
    rights = granted(Verb.DELETE) - {"iam.serviceAccounts.list"}
    world.stand_in.set_admin_permissions(sorted(rights))
    found = {item.key for item in found_by_another(world, install)}
    assert f"gcp:service-account/{BUCKET}" in found


def test_a_name_that_is_taken_is_refused(world: World) -> None:
    by_hand(world, "iam", "POST", "/v1/projects/demo/serviceAccounts", accountId=NAME)
    planned = world.plan(world.cloud_side(separate(world)))
    with pytest.raises(CliError) as refused:
        planned.raise_for_refusals()
    assert "--name" in refused.value.fix
    assert "--identity" not in refused.value.fix


def test_a_prefix_that_leaves_no_room_is_told(world: World) -> None:
    rules = {"name_prefix": "ninechars"}
    world.cloud_side(world.spec(rules=rules))
    with pytest.raises(CliError) as refused:
        world.cloud_side(separate(world, rules=rules))
    assert "8 characters at most" in refused.value.message
    named = {**rules, "names": {"workload-service-account": "our-pods"}}
    world.cloud_side(separate(world, rules=named))


def test_the_printed_roles_are_enough_for_both(world: World) -> None:
    only(world, Verb.SETUP)
    spec = separate(world)
    assert check_all(world, spec)["gcp-permissions"].status is Status.PASS
    _, install = world.installed(spec)
    only(world, Verb.DELETE)
    owned = found_by_another(world, install)
    assert world.elsewhere().removal_rights(install, owned, ()).status is Status.PASS
    remove(owned, bucket=True)
    assert found_by_another(world, install) == []


def test_a_right_that_is_missing_for_the_second_account_is_told(world: World) -> None:
    """The operator's is there, and takes none."""
    world.setup()
    rights = granted(Verb.SETUP) - {"iam.serviceAccounts.create"}
    world.stand_in.set_admin_permissions(sorted(rights))
    assert check_all(world)["gcp-permissions"].status is Status.PASS
    found = check_all(world, separate(world))["gcp-permissions"]
    assert found.status is Status.FAIL
    assert [line for line in found.evidence if line.startswith("iam.serviceAccounts.create on")]
    world.stand_in.set_admin_permissions(None)
    _, install = world.installed(separate(world))
    world.stand_in.set_admin_permissions(
        sorted(granted(Verb.DELETE) - {"iam.serviceAccounts.delete"})
    )
    told = world.elsewhere().removal_rights(install, found_by_another(world, install), ())
    assert [line for line in told.evidence if EMAIL in line]


def test_documents_are_told_beforehand_and_afterwards(world: World) -> None:
    spec = separate(world)
    install = world.install(spec, world.provider.discover(spec))
    told = {item.name: item.text for item in world.provider.grants(spec, install, "data")}
    acting = told[f"who may act as {NAME}@<project>.iam.gserviceaccount.com"]
    assert "anyscale-workloads]" in acting
    assert SIGNER not in acting
    found, _ = world.reviewed(world.setup(spec))
    assert THEIR_TWIN in found[f"who may act as {EMAIL}"]
