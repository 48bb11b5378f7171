"""An identity of their own for Ray's pods: what is made, whom it lets in, what is removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.eks import declared
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.spec import CloudSpec, Scope
from tests.cloud_sides import remove
from tests.issuer import WORKLOADS

from .conftest import CLUSTER, WITH_AGENT, World, client
from .test_rights import check_all, without
from .test_setup import ROLE

WORKLOAD_ROLE = ROLE.replace("-operator", "-workloads")
ASSOCIATION = "demo/anyscale-operator/anyscale-workloads"
MAY = {
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
}


@pytest.fixture(params=[CLUSTER, WITH_AGENT], ids=["irsa", "pod-identity"])
def settings(request: pytest.FixtureRequest) -> AwsSettings:
    return AwsSettings(clusters=(request.param,))


# What is no matter of how the roles are got.
EITHER_WAY = pytest.mark.parametrize("settings", [AwsSettings(clusters=(CLUSTER,))], ids=["irsa"])


def separate(world: World, **more: Any) -> CloudSpec:
    return world.spec(identity={"workloads": "separate"}, **more)


def allowed(world: World, role: str = WORKLOAD_ROLE) -> set[str]:
    (text,) = world.snapshot()["roles"][role]["inline"].values()
    return {action for item in json.loads(text)["Statement"] for action in item["Action"]}


def test_it_is_as_narrow_as_can_be_and_settles(world: World) -> None:
    spec = separate(world, rules={"tags": {"team": "ml"}})
    before = world.by_key(spec)
    assert set(before.values()) == {"create"}
    assert f"aws:iam-role/{WORKLOAD_ROLE}" in before
    side = world.setup(spec)
    assert set(world.by_key(spec).values()) == {"none"}
    made = world.snapshot()["roles"][WORKLOAD_ROLE]
    assert WORKLOADS.rpartition(":")[2] in json.dumps(made["trust"])
    assert "anyscale-operator:anyscale-operator" not in json.dumps(made["trust"])
    assert made["tags"]["team"] == "ml"
    assert allowed(world) == MAY < allowed(world, ROLE)
    assert side.workloads is not None
    pod_identity = world.snapshot()["pod_identity_associations"]
    if pod_identity:
        assert pod_identity[ASSOCIATION]["role"].endswith(f"/{WORKLOAD_ROLE}")
        assert side.workloads.annotations() == {}
        assert side.workloads.prove is None
    else:
        arn = side.workloads.identity.output.helm
        assert side.workloads.annotations() == {"eks.amazonaws.com/role-arn": arn}
        assert "anyscale-workloads can assume" in world.prove_workloads(side)[0]
        assert world.prove(side)


def test_neither_account_gets_the_others_role(start: Callable[[AwsSettings], World]) -> None:
    world = start(AwsSettings(clusters=(CLUSTER,)))
    side = world.setup(world.spec(identity={"workloads": "separate"}, timeouts={"identity": 1}))
    assert all("does not admit" in item.message for item in world.refused_crosswise(side))


@EITHER_WAY
def test_what_was_widened_by_hand_is_named_and_mended(world: World) -> None:
    spec = separate(world)
    world.setup(spec)
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    client("iam").put_role_policy(
        RoleName=WORKLOAD_ROLE,
        PolicyName="anyscale-workloads",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    assert world.by_key(spec)[f"aws:iam-role/{WORKLOAD_ROLE}"] == "update"
    world.setup(spec)
    assert allowed(world) == MAY


def test_rules_of_the_company_hold_for_both(world: World) -> None:
    client("iam").create_policy(
        PolicyName="boundary",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            }
        ),
    )
    boundary = "arn:aws:iam::284710593866:policy/boundary"
    rules = {
        "role_path": "/company/",
        "permissions_boundary": boundary,
        "names": {"workload-role": "our-pods"},
    }
    spec = separate(world, rules=rules)
    world.setup(spec)
    made = client("iam").get_role(RoleName="our-pods")["Role"]
    assert made["Path"] == "/company/"
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert set(world.by_key(spec).values()) == {"none"}
    # Below the operator's path, whatever it is called.
    install = world.install(spec, world.provider.discover(spec))
    found = {item.key for item in found_by_another(world, install)}
    assert {"aws:iam-role/our-pods", f"aws:iam-role/{ROLE}"} <= found


def found_by_another(world: World, install: Any) -> list[Any]:
    return list(world.elsewhere().find_owned(Scope(region="us-west-2"), install))


def test_all_of_it_is_found_and_removed_with_no_ledger(world: World) -> None:
    spec = separate(world)
    side, install = world.installed(spec)
    keys = {item.key for item in side.resources}
    found = found_by_another(world, install)
    assert {item.key for item in found} == keys
    remove(found, bucket=True)
    after = world.snapshot()
    assert after["pod_identity_associations"] == {}
    assert after["oidc_providers"] == {}
    assert not {ROLE, WORKLOAD_ROLE} & set(after["roles"])


def test_what_was_separate_is_still_found_when_it_is_the_same_again(world: World) -> None:
    world.setup(separate(world))
    _, install = world.installed()
    assert f"aws:iam-role/{WORKLOAD_ROLE}" in {
        item.key for item in found_by_another(world, install)
    }


@EITHER_WAY
def test_a_name_that_is_taken_is_refused(world: World) -> None:
    anybody = {"Service": "ec2.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": anybody, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    client("iam").create_role(RoleName=WORKLOAD_ROLE, AssumeRolePolicyDocument=json.dumps(trust))
    planned = world.plan(world.cloud_side(separate(world)))
    with pytest.raises(CliError) as refused:
        planned.raise_for_refusals()
    assert "--identity" not in refused.value.fix


@EITHER_WAY
def test_rights_are_asked_for_both_roles(world: World) -> None:
    world.stand_in.set_admin_policies(without("iam:CreateRole"))
    finding = check_all(world, separate(world))[declared.AWS_PERMISSIONS.code]
    lacking = [line for line in finding.evidence if line.startswith("iam:CreateRole")]
    assert [line for line in lacking if WORKLOAD_ROLE in line]
    assert len(lacking) == 2


def test_documents_are_told_beforehand(world: World) -> None:
    spec = separate(world)
    install = world.install(spec, world.provider.discover(spec))
    told: list[PolicyDocument] = list(world.provider.grants(spec, install, "data"))
    assert [item.name for item in told] == [
        "trust policy",
        "permissions policy",
        "workloads' trust policy",
        "workloads' permissions policy",
    ]
    assert "anyscale-workloads" in told[2].text
    assert "GetBucketLocation" not in told[3].text
