"""The identity proven by use, and what is said when the proof fails."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind

from .conftest import CLUSTER, World, client

# Short, for a test that fails, where no answer is one that passes by itself.
IMPATIENT = {"timeouts": {"identity": 0.4}}
KNOWN_AT_ONCE = pytest.mark.parametrize(
    "settings", [AwsSettings(clusters=(CLUSTER,), refused_attempts=0)], ids=["known at once"]
)


def refused(world: World, side: CloudSide, token: Any = None) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.prove(side, token)
    return caught.value


def role_of(side: CloudSide) -> str:
    return side.identity.output.registered.rpartition("/")[2]


def bucket_of(side: CloudSide) -> str:
    return side.storage.output.url.removeprefix("s3://")


def test_the_proof_leaves_no_object(world: World) -> None:
    side = world.setup()
    lines = world.prove(side)
    assert role_of(side) in lines[0]
    assert bucket_of(side) in lines[1]
    listed = client("s3").list_objects_v2(Bucket=bucket_of(side))
    assert listed["KeyCount"] == 0


def test_a_new_role_and_its_policies_are_waited_for(world: World) -> None:
    side = world.setup()
    asked = world.calls(lambda: world.prove(side))

    def statuses(operation: str) -> list[int]:
        return [call.status for call in asked if call.operation.name == operation]

    # Provider, trust and policies take their time to reach STS and S3.
    assert statuses("AssumeRoleWithWebIdentity") == [400, 200]
    assert statuses("PutObject") == [403, 200]


@KNOWN_AT_ONCE
def test_no_oidc_provider(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    provider = next(item for item in side.resources if item.kind == "iam-oidc-provider")
    provider.delete(provider.read())  # type: ignore[arg-type]
    error = refused(world, side)
    assert error.code is codes.OIDC_PROVIDER_MISSING


def test_a_provider_for_another_audience(world: World) -> None:
    side = world.setup()
    provider = next(item for item in side.resources if item.kind == "iam-oidc-provider")
    client("iam").remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=provider.output, ClientID="sts.amazonaws.com"
    )
    error = refused(world, side)
    assert error.code is codes.OIDC_AUDIENCE_MISSING


@KNOWN_AT_ONCE
def test_no_role(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    side.identity.delete(side.identity.observed)  # type: ignore[arg-type]
    assert refused(world, side).code is codes.ROLE_MISSING


def test_a_trust_for_somebody_else_is_told_at_once(world: World) -> None:
    side = world.setup()

    def token(audience: str) -> str:
        return world.issuer.token("system:serviceaccount:other:other", audience=audience)

    asked = world.calls(lambda: refused(world, side, token))
    assert sum(c.operation.name == "AssumeRoleWithWebIdentity" for c in asked) == 1
    error = refused(world, side, token)
    assert error.code is codes.TRUST_MISMATCH
    assert "system:serviceaccount:other:other" in error.cause
    assert any("anyscale-operator:anyscale-operator" in line for line in error.evidence)


@KNOWN_AT_ONCE
def test_a_denial_that_nobody_explains(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    world.fault(
        "AssumeRoleWithWebIdentity", FaultKind.ERROR, times=0, status=403, code="AccessDenied"
    )
    assert refused(world, side).code is codes.ROLE_NOT_ASSUMABLE


def test_an_expired_token_is_renewed_once(world: World) -> None:
    side = world.setup()
    given: list[str] = []

    def token(audience: str) -> str:
        given.append(world.issuer.token(lifetime=timedelta(hours=1 if given else -1)))
        return given[-1]

    world.prove(side, token)
    assert len(given) == 2


def test_only_expired_tokens(world: World) -> None:
    side = world.setup()
    error = refused(world, side, lambda _: world.issuer.token(lifetime=timedelta(hours=-1)))
    assert error.code is codes.ROLE_NOT_ASSUMABLE
    assert "clock" in error.fix


def test_no_bucket(world: World) -> None:
    side = world.setup()
    side.storage.delete(side.storage.observed)  # type: ignore[arg-type]
    assert refused(world, side).code is errors.BUCKET_MISSING


@KNOWN_AT_ONCE
def test_a_boundary_that_denies_is_named(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    allowed = {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [allowed]}
    made = client("iam").create_policy(PolicyName="nos3", PolicyDocument=json.dumps(document))
    arn = made["Policy"]["Arn"]
    client("iam").put_role_permissions_boundary(RoleName=role_of(side), PermissionsBoundary=arn)
    error = refused(world, side)
    assert error.code is errors.BUCKET_DENIED
    assert "because no permissions boundary allows the s3:PutObject action" in error.cause
    assert f"the role's permissions boundary: {arn}" in error.evidence
    assert error.fix.startswith(f"aws iam get-policy --policy-arn {arn}\n")


@KNOWN_AT_ONCE
def test_a_bucket_that_denies_the_role(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    bucket = bucket_of(side)
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": side.identity.output.registered},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    error = refused(world, side)
    assert error.code is errors.BUCKET_DENIED
    assert "s3:PutObject" in error.message


def test_a_bucket_that_denies_for_a_moment(world: World) -> None:
    side = world.setup()
    world.fault("PutObject", FaultKind.ERROR, times=2, status=403, code="AccessDenied")
    assert world.prove(side)
