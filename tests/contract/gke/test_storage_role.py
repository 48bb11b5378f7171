"""A role of the company's own in place of Google's: looked at first, granted, and enforced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.holders import OPERATOR
from anyscale_k8s_cli.providers.gke.policies import BUCKET_PERMISSIONS, BUCKET_ROLES
from anyscale_k8s_cli.spec import AccountSpec, CloudSpec, Scope

from .conftest import World, by_hand
from .test_proof import IMPATIENT
from .test_rights import ROLE, Verb, check_all, granted
from .test_setup import ACCOUNT, ALL, BUCKET, bucket_of

OF_ORGANIZATION = "organizations/684120977155/roles/anyscaleBucket"
GOOGLES = BUCKET_ROLES[OPERATOR]
MEMBER = f"serviceAccount:{ACCOUNT}"
READS = ["storage.buckets.get", "storage.objects.get", "storage.objects.list"]


def define(
    world: World, role: str = ROLE, permissions: Any = BUCKET_PERMISSIONS, **more: Any
) -> None:
    parent, _, name = role.rpartition("/roles/")
    wanted = {"title": "Anyscale", "includedPermissions": list(permissions), **more}
    by_hand(world, "iam", "POST", f"/v1/{parent}/roles", roleId=name, role=wanted)


def change(world: World, **fields: Any) -> None:
    by_hand(world, "iam", "PATCH", f"/v1/{ROLE}?updateMask={','.join(fields)}", **fields)


def with_role(world: World, role: str = ROLE, **more: Any) -> CloudSpec:
    return world.spec(rules={"storage_role": role}, **more)


def finding(world: World, role: str = ROLE) -> Finding:
    return check_all(world, with_role(world, role))["gcp-storage-role"]


def held(world: World) -> set[str]:
    return {role for role, members in bucket_of(world)["policy"].items() if MEMBER in members}


@pytest.mark.parametrize("role", [ROLE, OF_ORGANIZATION])
def test_it_is_granted_alone_and_is_enough(world: World, role: str) -> None:
    define(world, role)
    spec = with_role(world, role)
    assert finding(world, role).status is Status.PASS
    side = world.setup(spec)
    assert held(world) == {role}
    assert world.prove(side)
    assert set(world.changes(spec).values()) == {"none"}
    found, _ = world.reviewed(side)
    assert role in found[f"roles on the bucket {BUCKET}"]


def test_rays_pods_own_account_gets_it_too(world: World) -> None:
    define(world)
    spec = with_role(world, identity={"workloads": "separate"})
    side = world.setup(spec)
    assert side.workloads is not None
    own = f"serviceAccount:{side.workloads.identity.output.registered}"
    members = {role: set(found) for role, found in bucket_of(world)["policy"].items()}
    assert members[ROLE] == {MEMBER, own}
    assert not {MEMBER, own} & set().union(*(members[role] for role in members if role != ROLE))
    assert set(world.changes(spec).values()) == {"none"}


def test_pods_can_do_what_it_holds_and_nothing_else(world: World) -> None:
    define(world, permissions=READS)
    side = world.setup(with_role(world, **IMPATIENT))
    with pytest.raises(errors.CliError) as caught:
        world.prove(side)
    assert caught.value.code is errors.BUCKET_DENIED
    assert "storage.objects.create" in caught.value.message
    change(world, includedPermissions=list(BUCKET_PERMISSIONS))
    assert world.prove(side)
    change(world, stage="DISABLED")
    with pytest.raises(errors.CliError) as caught:
        world.prove(side)
    assert caught.value.code is errors.BUCKET_DENIED


def test_one_takes_the_place_of_the_other(world: World) -> None:
    """Google's roles would make one's own of no use; those of others stay."""
    define(world)
    world.setup()
    assert held(world) == set(GOOGLES)
    policy = world.stand_in.buckets.get(BUCKET).policy
    policy.grants.append(replace(policy.grants[0], role=ROLE, member="user:me@example.com", uid=""))
    spec = with_role(world)
    reasons = world.reasons(spec)["gcs-bucket-access"]
    assert f"{ROLE} for {MEMBER}: 'absent' → 'granted'" in reasons
    assert f"{GOOGLES[0]} for {MEMBER}: 'granted' → 'absent'" in reasons
    world.setup(spec)
    assert held(world) == {ROLE}
    assert bucket_of(world)["policy"][ROLE] == [MEMBER, "user:me@example.com"]
    world.setup()
    assert held(world) == set(GOOGLES)
    assert bucket_of(world)["policy"][ROLE] == ["user:me@example.com"]


def test_what_is_taken_away_by_hand_is_mended(world: World) -> None:
    define(world)
    spec = with_role(world)
    world.setup(spec)
    policy = world.stand_in.buckets.get(BUCKET).policy
    policy.grants = [grant for grant in policy.grants if grant.role != ROLE]
    assert world.changes(spec) == {**dict.fromkeys(ALL, "none"), "gcs-bucket-access": "create"}
    world.setup(spec)
    assert held(world) == {ROLE}


def test_a_deletion_takes_the_grant_and_leaves_the_role(world: World) -> None:
    define(world)
    world.setup(with_role(world))
    provider = world.elsewhere()
    here = Scope(account=AccountSpec(project_id="demo"))
    (install,) = provider.search(here, "prod").installs
    (access,) = [i for i in provider.find_owned(here, install) if i.kind == "gcs-bucket-access"]
    observed = access.read()
    assert observed is not None
    access.delete(observed)
    assert held(world) == set()
    assert access.read() is None
    assert finding(world).status is Status.PASS


def test_what_stands_in_its_way_is_told_first_with_what_mends_it(world: World) -> None:
    found = finding(world)
    assert (found.status, found.detail) == (Status.FAIL, f"there is no role {ROLE}")
    assert found.fix == (
        "gcloud iam roles create anyscaleBucket --project=demo --permissions="
        + ",".join(BUCKET_PERMISSIONS)
    )
    define(world, permissions=READS)
    found = finding(world)
    assert found.status is Status.FAIL
    assert set(found.evidence) == set(BUCKET_PERMISSIONS) - set(READS)
    assert found.fix == (
        "gcloud iam roles update anyscaleBucket --project=demo --add-permissions="
        + ",".join(found.evidence)
    )
    change(world, includedPermissions=list(BUCKET_PERMISSIONS), stage="DISABLED")
    found = finding(world)
    assert (found.status, found.detail) == (Status.FAIL, f"the role {ROLE} is disabled")
    assert found.fix.endswith("update anyscaleBucket --project=demo --stage=GA")
    change(world, stage="GA")
    by_hand(world, "iam", "DELETE", f"/v1/{ROLE}")
    found = finding(world)
    assert (found.status, found.detail) == (Status.FAIL, f"the role {ROLE} is deleted")
    assert found.fix == "gcloud iam roles undelete anyscaleBucket --project=demo"
    by_hand(world, "iam", "POST", f"/v1/{ROLE}:undelete")
    assert finding(world).status is Status.PASS
    assert world.writes(lambda: finding(world)) == []


def test_who_may_not_look_at_it_is_not_stopped(world: World) -> None:
    define(world)
    world.stand_in.set_admin_permissions(sorted(granted(Verb.SETUP) - {"iam.roles.get"}))
    assert finding(world).status is Status.UNKNOWN
    asked = check_all(world, with_role(world))["gcp-permissions"]
    assert (asked.status, asked.evidence) == (Status.WARN, ("iam.roles.get on project demo",))
    assert check_all(world)["gcp-permissions"].status is Status.PASS
    side = world.setup(with_role(world))
    assert world.prove(side)


@pytest.mark.parametrize(
    ("role", "existing", "told"),
    [
        ("roles/storage.admin", {}, "no full name of a role of yours"),
        ("anyscaleBucket", {}, "no full name of a role of yours"),
        ("projects/other-team/roles/bucket", {}, "in that project alone"),
        (ROLE, {"bucket": "users-own"}, "setup grants nothing"),
    ],
)
def test_what_cannot_be_granted_is_refused(
    world: World, role: str, existing: dict[str, str], told: str
) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(with_role(world, role, existing=existing))
    assert caught.value.code is errors.INVALID_SPEC
    assert told in caught.value.message
