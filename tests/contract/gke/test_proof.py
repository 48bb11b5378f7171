"""The identity proven by use, and what is said when the proof fails."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.providers.gcs import codes as gcs_codes
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.sandbox.google.roles import TOKEN_CREATOR, WORKLOAD_IDENTITY_USER

from .conftest import World, by_hand
from .test_setup import ACCOUNT, BUCKET, TWIN, forget

# Long enough for the stand-in's propagation, short enough for a test that fails.
IMPATIENT = {"timeouts": {"identity": 0.4}}
ACCESS_TOKEN = "iamcredentials.projects.serviceAccounts.generateAccessToken"


def refused(world: World, side: CloudSide, token: Any = None) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.prove(side, token)
    return caught.value


def policy_of_account(world: World) -> Any:
    return world.stand_in.project.accounts.get(ACCOUNT).policy


def test_the_proof_leaves_no_object(world: World) -> None:
    side = world.setup()
    lines = world.prove(side)
    assert ACCOUNT in lines[0]
    assert BUCKET in lines[1]
    assert world.stand_in.buckets.get(BUCKET).objects.live == {}


def test_a_new_account_is_waited_for_by_using_it(world: World) -> None:
    side = world.setup()
    asked = world.calls(lambda: world.prove(side))
    statuses = [call.status for call in asked if call.operation.name == ACCESS_TOKEN]
    # Unknown at first, then known with a grant that does not hold yet, then both.
    assert statuses == [404, 403, 200]
    assert len([c for c in world.calls(lambda: world.prove(side)) if c.status >= 400]) == 0


@pytest.mark.parametrize(
    ("role", "code", "who"),
    [
        (WORKLOAD_IDENTITY_USER, codes.BINDING_MISSING, TWIN),
        (TOKEN_CREATOR, codes.TOKEN_CREATOR_MISSING, f"serviceAccount:{ACCOUNT}"),
    ],
)
def test_a_grant_that_is_missing_is_told_at_once(
    world: World, role: str, code: errors.ErrorCode, who: str
) -> None:
    side = world.setup()
    world.prove(side)
    forget(world, policy_of_account(world), role)
    error = refused(world, side)
    assert error.code is code
    assert error.message == f"{who} lacks {role} on {ACCOUNT}"
    assert f"add-iam-policy-binding {ACCOUNT} --role={role} --member='{who}'" in error.fix
    world.setup()
    assert world.prove(side)


def test_a_policy_that_may_not_be_read_waits_to_the_end(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    forget(world, policy_of_account(world), WORKLOAD_IDENTITY_USER)
    world.stand_in.set_admin_permissions(["storage.*"])
    assert refused(world, side).code is codes.NOT_IMPERSONABLE


def test_no_account(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    account = next(item for item in side.resources if item.kind == "service-account")
    account.delete(account.read())  # type: ignore[arg-type]
    error = refused(world, side)
    assert error.code is codes.ACCOUNT_MISSING
    assert "run setup again" in error.fix


def test_a_disabled_account(world: World) -> None:
    side = world.setup()
    by_hand(world, "iam", "POST", f"/v1/projects/demo/serviceAccounts/{ACCOUNT}:disable")
    error = refused(world, side)
    assert error.code is codes.NOT_IMPERSONABLE
    assert error.fix == f"gcloud iam service-accounts enable {ACCOUNT}"


def test_a_denial_that_nobody_explains(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    world.fault(ACCESS_TOKEN, times=0, status=403, code="PERMISSION_DENIED")
    error = refused(world, side)
    assert error.code is codes.NOT_IMPERSONABLE
    assert "deny policy" in error.fix


def test_a_cluster_whose_pool_is_gone(world: World) -> None:
    side = world.setup()
    world.stand_in.project.pools.clear()
    error = refused(world, side)
    assert error.code is codes.WORKLOAD_IDENTITY_OFF
    assert error.fix == (
        "gcloud container clusters update demo --location us-central1 --project demo "
        "--workload-pool=demo.svc.id.goog"
    )


def test_an_api_that_was_switched_off(world: World) -> None:
    side = world.setup()
    world.stand_in.project.enabled.discard("iamcredentials")
    error = refused(world, side)
    assert error.code is gcs_codes.API_DISABLED
    assert "iamcredentials.googleapis.com" in error.fix


def test_a_token_of_somebody_else(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    world.prove(side)

    def token(audience: str) -> str:
        return world.issuer.token("system:serviceaccount:other:other", audience=audience)

    error = refused(world, side, token)
    assert error.code is codes.BINDING_MISSING
    assert "demo.svc.id.goog[other/anyscale-operator]" in error.message


# -- the bucket ---------------------------------------------------------------------


def test_no_bucket(world: World) -> None:
    side = world.setup()
    side.storage.delete(side.storage.observed)  # type: ignore[arg-type]
    assert refused(world, side).code is errors.BUCKET_MISSING


def test_a_bucket_without_the_roles(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    forget(world, world.stand_in.buckets.get(BUCKET).policy, "roles/storage.objectAdmin")
    error = refused(world, side)
    assert error.code is errors.BUCKET_DENIED
    assert f"{ACCOUNT} may not storage.objects.create" in error.message


def test_a_bucket_that_denies_for_a_moment(world: World) -> None:
    side = world.setup()
    world.fault("storage.objects.insert", times=2, status=403, code="PERMISSION_DENIED")
    assert world.prove(side)
