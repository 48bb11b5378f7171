"""What the provider finds out, and how it fails to."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
from anyscale_k8s_cli.sandbox.aws.seed import CPU_NODES, GPU_NODES, EksClusterSeed
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings

from .conftest import CLUSTER, World, client

DESCRIBE = {"Effect": "Allow", "Action": ["eks:*", "ec2:*"], "Resource": "*"}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_the_cluster_as_aws_tells_of_it(world: World) -> None:
    cluster = world.provider.discover(world.spec())
    assert cluster.id == "arn:aws:eks:us-west-2:284710593866:cluster/demo"
    assert cluster.account == "284710593866"
    assert cluster.version == "1.33"
    assert cluster.zones == ("us-west-2a", "us-west-2b", "us-west-2c")
    assert cluster.access.endpoint == CLUSTER.endpoint
    assert cluster.access.ca_pem == CLUSTER.ca_pem.decode()
    facts: EksFacts = cluster.facts
    assert facts.issuer == CLUSTER.issuer
    assert facts.audience == "sts.amazonaws.com"
    assert "coredns" in facts.addons
    cpu, gpu = sorted(cluster.node_pools, key=lambda pool: pool.name)
    assert (cpu.gpu, cpu.size) == (False, 2)
    assert (gpu.gpu, gpu.gpu_driver, gpu.gpu_plugin_owner) == (True, "node image", "")
    assert gpu.labels["nvidia.com/gpu.product"] == "Tesla-T4"
    assert gpu.taints == ({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},)


def test_the_token_is_good_for_this_cluster_alone(world: World) -> None:
    access = world.provider.discover(world.spec()).access
    assert access.token is not None
    token = access.token().value
    assert world.stand_in.verify_eks_token(token, "demo") == access.principal
    assert world.stand_in.verify_eks_token(token, "other") is None
    url = base64.urlsafe_b64decode(token.removeprefix("k8s-aws-v1.") + "==").decode()
    assert "X-Amz-Expires=60" in url


def test_another_account_stops_before_anything_is_asked(world: World) -> None:
    spec = world.spec(account={"id": "111111111111"})

    def discover() -> None:
        with pytest.raises(errors.CliError, match="111111111111") as caught:
            world.provider.discover(spec)
        assert caught.value.code is errors.ACCOUNT_MISMATCH
        # To say the other account would only switch the guard off.
        assert "--account-id" not in caught.value.fix

    assert [call.operation.name for call in world.calls(discover)] == ["GetCallerIdentity"]


def test_a_cluster_that_is_not_there(world: World) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec(cluster={"name": "dmeo"}))
    assert caught.value.code is errors.CLUSTER_NOT_FOUND
    assert "demo" in caught.value.cause


def test_a_cluster_that_is_still_made(start: Callable[[AwsSettings], World]) -> None:
    world = start(AwsSettings(clusters=(replace(CLUSTER, describes_while_creating=5),)))
    with pytest.raises(errors.CliError, match="CREATING") as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is codes.CLUSTER_NOT_ACTIVE


class WithoutIssuer(EksClusterSeed):
    """As clusters are that run on a customer's own machines."""

    issuer = ""  # type: ignore[assignment]


def test_a_cluster_without_an_issuer(start: Callable[[AwsSettings], World]) -> None:
    seed = WithoutIssuer(endpoint=CLUSTER.endpoint, ca_pem=CLUSTER.ca_pem)
    world = start(AwsSettings(clusters=(seed,)))
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is codes.NO_OIDC_ISSUER


def test_no_credentials(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is errors.CLOUD_CREDENTIALS_MISSING


def test_a_profile_that_is_not_there(world: World) -> None:
    with pytest.raises(errors.CliError, match="profile") as caught:
        world.provider.discover(world.spec(credentials={"aws_profile": "nobody"}))
    assert caught.value.code is errors.CLOUD_CREDENTIALS_MISSING


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials(world: World, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is errors.CLOUD_CREDENTIALS_REJECTED


def test_a_denial_names_who_and_what(world: World) -> None:
    world.stand_in.set_admin_policies([policy()])
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is errors.FORBIDDEN
    assert "user/demo-admin may not eks:DescribeCluster" in caught.value.message


@pytest.fixture
def settings() -> AwsSettings:
    """With roles that can be assumed at once, and nodes of both kinds."""
    nodes = (CPU_NODES, GPU_NODES)
    return AwsSettings(clusters=(replace(CLUSTER, node_groups=nodes),), refused_attempts=0)


def assumed(world: World, monkeypatch: pytest.MonkeyPatch, statements: list[Any]) -> str:
    """Go on as a role with a path; returns its ARN."""
    iam, sts = client("iam"), client("sts")
    caller = sts.get_caller_identity()["Arn"]
    trust = policy({"Effect": "Allow", "Principal": {"AWS": caller}, "Action": "sts:AssumeRole"})
    role = iam.create_role(
        RoleName="engineer", Path="/team/", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]
    iam.put_role_policy(
        RoleName="engineer", PolicyName="p", PolicyDocument=json.dumps(policy(*statements))
    )
    keys = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="me")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
    return str(role["Arn"])


def test_the_role_behind_a_session_has_its_path(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
    arn = assumed(world, monkeypatch, [DESCRIBE, look])
    cluster = world.provider.discover(world.spec())
    assert cluster.access.principal.endswith(":assumed-role/engineer/me")
    assert cluster.facts.principal == arn
    assert f"--principal-arn {arn} " in cluster.access.grant
    assert "arn:aws:eks::aws:cluster-access-policy/" in cluster.access.grant


def test_who_may_not_look_up_its_role_still_gets_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = assumed(world, monkeypatch, [DESCRIBE])
    cluster = world.provider.discover(world.spec())
    assert cluster.facts.principal == arn.replace("/team/", "/")


def test_expired_sessions_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assumed(world, monkeypatch, [DESCRIBE])
    world.stand_in.expire_sessions()
    with pytest.raises(errors.CliError, match="expired") as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is errors.CLOUD_CREDENTIALS_REJECTED


def test_every_call_is_told_without_secrets(world: World) -> None:
    world.provider.discover(world.spec())
    told = [event for event in world.events if isinstance(event, CallMade)]
    assert ("aws eks", "DescribeCluster", "200") in {
        (event.service, event.call, event.status) for event in told
    }
    assert world.stand_in.world.admin.secret not in json.dumps(
        [event.as_json() for event in world.events]
    )


def test_an_endpoint_that_nobody_serves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec())
    assert caught.value.code is codes.AWS_UNREACHABLE
