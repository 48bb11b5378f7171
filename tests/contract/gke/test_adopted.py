"""What the user has already: used, never written, and told what it lacks."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.sandbox.google.policies import Grant
from anyscale_k8s_cli.sandbox.google.seed import TEAM_DATA, BucketSeed, email_of
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from tests.cloud_sides import CONSOLE

from .conftest import STRANGERS, World, by_hand, patch_bucket
from .test_setup import ACCOUNT, ALL, TWIN, account_of

ADOPTED = BucketSeed("users-own", objects=(("data", b"1"),))
OWN_ACCOUNT = email_of("users-own")


@pytest.fixture
def adopting(start: Callable[[GoogleSettings], World], settings: GoogleSettings) -> World:
    return start(replace(settings, buckets=(TEAM_DATA, ADOPTED, STRANGERS)))


def admit_console(world: World) -> None:
    rule = {"origin": ["*"], "method": ["*"], "responseHeader": ["*"]}
    patch_bucket(world, ADOPTED.name, {"cors": [rule]})


def own_account(world: World, *grants: tuple[str, str]) -> None:
    by_hand(world, "iam", "POST", "/v1/projects/demo/serviceAccounts", accountId="users-own")
    account = world.stand_in.project.accounts.get(OWN_ACCOUNT)
    account.unknown_to.clear()
    grant(world, account.policy, *grants)


def grant(world: World, policy: Any, *grants: tuple[str, str]) -> None:
    uids = {
        f"serviceAccount:{account.email}": account.unique_id
        for account in world.stand_in.project.accounts.live()
    }
    policy.grants += [Grant(role, member, uids.get(member, "")) for role, member in grants]
    policy.revision += 1


SELF = f"serviceAccount:{OWN_ACCOUNT}"
HAND_MADE = (
    ("roles/iam.workloadIdentityUser", TWIN),
    ("roles/iam.serviceAccountTokenCreator", SELF),
)
BOTH = {"existing": {"bucket": ADOPTED.name, "identity": OWN_ACCOUNT}}


@pytest.mark.parametrize("given", ["users-own", "gs://users-own"])
@pytest.mark.parametrize("role", ["roles/storage.admin", "roles/storage.objectAdmin"])
def test_what_the_user_made_is_used_and_not_written(adopting: World, given: str, role: str) -> None:
    own_account(adopting, *HAND_MADE)
    admit_console(adopting)
    reader = ("roles/storage.legacyBucketReader", SELF)
    grant(adopting, adopting.stand_in.buckets.get(ADOPTED.name).policy, (role, SELF), reader)
    before = adopting.snapshot()
    spec = adopting.spec(existing={"bucket": given, "identity": OWN_ACCOUNT})
    side = adopting.setup(spec)
    assert adopting.changes(spec) == dict.fromkeys(ALL, "adopt")
    assert adopting.snapshot() == before
    assert side.storage.output.url == "gs://users-own"
    assert side.identity.output.registered == OWN_ACCOUNT
    assert len(adopting.prove(side)) == 2


def test_rights_that_come_from_the_project_are_enough(adopting: World) -> None:
    own_account(adopting, ("roles/iam.workloadIdentityUser", TWIN))
    admit_console(adopting)
    project = adopting.stand_in.project
    grant(
        adopting,
        project.policy,
        ("roles/storage.admin", SELF),
        ("roles/iam.serviceAccountTokenCreator", SELF),
    )
    side = adopting.setup(adopting.spec(**BOTH))
    assert adopting.changes(adopting.spec(**BOTH)) == dict.fromkeys(ALL, "adopt")
    assert adopting.prove(side)


@pytest.mark.parametrize(
    "grants",
    [
        (("projects/demo/roles/operator", SELF), ("projects/demo/roles/operator", TWIN)),
        (("roles/storage.admin", "group:ml@example.com"), *HAND_MADE),
    ],
    ids=["a role of the company", "a group"],
)
def test_what_cannot_be_judged_is_left_to_the_proof(adopting: World, grants: Any) -> None:
    own_account(adopting)
    admit_console(adopting)
    grant(adopting, adopting.stand_in.project.policy, *grants)
    assert adopting.changes(adopting.spec(**BOTH)) == dict.fromkeys(ALL, "adopt")


def test_policies_that_one_may_not_read_are_left_to_the_proof(adopting: World) -> None:
    own_account(adopting)
    admit_console(adopting)
    seen = ["container.*", "iam.serviceAccounts.get", "storage.buckets.get", "resourcemanager.*"]
    adopting.stand_in.set_admin_permissions(seen)
    assert adopting.changes(adopting.spec(**BOTH)) == dict.fromkeys(ALL, "adopt")


def test_what_an_account_lacks_is_told_with_the_command(adopting: World) -> None:
    own_account(adopting)
    admit_console(adopting)
    spec = adopting.spec(**BOTH)
    planned = {
        item.resource.kind: item.decision
        for item in adopting.plan(adopting.cloud_side(spec)).changes
    }
    reason = planned["service-account"].reason
    assert f"{TWIN} lacks roles/iam.workloadIdentityUser" in reason
    assert f"{SELF} lacks roles/iam.serviceAccountTokenCreator" in reason
    first = shlex.split(planned["service-account"].fix.splitlines()[0])
    assert first[:4] == ["gcloud", "iam", "service-accounts", "add-iam-policy-binding"]
    assert f"--member={TWIN}" in first
    assert "roles/storage.objectAdmin" in planned["gcs-bucket-access"].reason
    assert planned["gcs-bucket-access"].fix.count("add-iam-policy-binding gs://users-own") == 2


def test_an_account_for_another_namespace_is_told_with_whom_it_is_for(adopting: World) -> None:
    theirs = TWIN.replace("[anyscale-operator/", "[team-b/")
    user = "roles/iam.workloadIdentityUser"
    own_account(adopting, (user, theirs), HAND_MADE[1])
    spec = adopting.spec(existing={"identity": OWN_ACCOUNT})
    planned = adopting.plan(adopting.cloud_side(spec)).changes
    decision = next(i.decision for i in planned if i.resource.kind == "service-account")
    assert f"{TWIN} lacks {user} on it, which {theirs} has" in decision.reason
    assert decision.fix == (
        f"gcloud iam service-accounts add-iam-policy-binding {OWN_ACCOUNT} --role={user} "
        f"--member='{TWIN}'"
    )


def test_a_role_that_lets_one_only_look_is_told_with_the_one_to_grant(adopting: World) -> None:
    own_account(adopting, *HAND_MADE)
    admit_console(adopting)
    policy = adopting.stand_in.buckets.get(ADOPTED.name).policy
    roles = ("roles/storage.objectViewer", "roles/storage.legacyBucketReader")
    grant(adopting, policy, *((role, SELF) for role in roles))
    planned = adopting.plan(adopting.cloud_side(adopting.spec(**BOTH))).changes
    decision = next(i.decision for i in planned if i.resource.kind == "gcs-bucket-access")
    assert f"{OWN_ACCOUNT} lacks roles/storage.objectAdmin on it" in decision.reason
    assert decision.fix == (
        f"gcloud storage buckets add-iam-policy-binding gs://{ADOPTED.name} --member={SELF} "
        "--role=roles/storage.objectAdmin"
    )


def test_a_bucket_that_does_not_admit_the_console(adopting: World) -> None:
    theirs = {"origin": ["https://x.example"], "method": ["GET"]}
    patch_bucket(adopting, ADOPTED.name, {"cors": [theirs]})
    own_account(adopting, *HAND_MADE)
    planned = adopting.plan(adopting.cloud_side(adopting.spec(**BOTH)))
    decision = planned.changes[0].decision
    assert "do not admit the console" in decision.reason
    # The command replaces all rules: theirs are among them.
    assert "https://x.example" in decision.fix
    assert CONSOLE in decision.fix


@pytest.mark.parametrize(
    ("existing", "kind", "told"),
    [
        ({"bucket": "nowhere-to-be-found"}, "gcs-bucket", "does not exist"),
        ({"bucket": STRANGERS.name}, "gcs-bucket", "you may not see it"),
        ({"identity": email_of("nobody-here")}, "service-account", "does not exist"),
    ],
)
def test_what_cannot_be_adopted(
    adopting: World, existing: dict[str, str], kind: str, told: str
) -> None:
    spec = adopting.spec(existing=existing)
    assert adopting.changes(spec)[kind] == "refuse"
    assert told in adopting.reasons(spec)[kind]


def test_a_disabled_account_cannot_be_adopted(adopting: World) -> None:
    own_account(adopting, *HAND_MADE)
    by_hand(adopting, "iam", "POST", f"/v1/projects/demo/serviceAccounts/{OWN_ACCOUNT}:disable")
    spec = adopting.spec(existing={"identity": OWN_ACCOUNT})
    assert "disabled" in adopting.reasons(spec)["service-account"]


def test_an_account_of_another_project_is_asked_for_there(adopting: World) -> None:
    theirs = "operator@shared-accounts.iam.gserviceaccount.com"
    spec = adopting.spec(existing={"identity": theirs})
    asked: list[str] = []

    def look() -> None:
        asked.extend(adopting.changes(spec).values())

    paths = [call.path for call in adopting.calls(look) if theirs in call.path]
    assert paths
    assert all("/projects/shared-accounts/" in path for path in paths)
    assert "refuse" not in asked


def test_a_bucket_alone_gets_its_account_first(adopting: World) -> None:
    """Nobody can grant roles to an account that is not there."""
    admit_console(adopting)
    spec = adopting.spec(existing={"bucket": ADOPTED.name})
    assert adopting.changes(spec) == {
        "gcs-bucket": "adopt",
        "service-account": "create",
        "gcs-bucket-access": "adopt",
    }
    with pytest.raises(errors.CliError) as caught:
        adopting.setup(spec)
    assert caught.value.code is errors.ADOPTED_UNFIT
    assert f"--member=serviceAccount:{ACCOUNT} --role=roles/storage.objectAdmin" in caught.value.fix
    assert adopting.changes(spec)["service-account"] == "none"
    assert adopting.changes(spec)["gcs-bucket-access"] == "refuse"
    member = f"serviceAccount:{ACCOUNT}"
    policy = adopting.stand_in.buckets.get(ADOPTED.name).policy
    grant(adopting, policy, ("roles/storage.admin", member))
    side = adopting.setup(spec)
    assert len(adopting.prove(side)) == 2


def test_an_account_alone_is_given_roles_on_our_bucket(adopting: World) -> None:
    own_account(adopting, *HAND_MADE)
    before = account_of(adopting, OWN_ACCOUNT)
    spec = adopting.spec(existing={"identity": OWN_ACCOUNT})
    side = adopting.setup(spec)
    assert account_of(adopting, OWN_ACCOUNT) == before
    assert adopting.changes(spec) == {**dict.fromkeys(ALL, "none"), "service-account": "adopt"}
    assert adopting.prove(side)


def test_the_account_of_machines_is_an_account(world: World) -> None:
    email = "418205339162-compute@developer.gserviceaccount.com"
    spec = world.spec(existing={"identity": email})
    assert "lacks roles/iam.workloadIdentityUser" in world.reasons(spec)["service-account"]
