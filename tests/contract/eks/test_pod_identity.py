"""EKS Pod Identity: when it is chosen, what is made, mended and removed, with which rights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.eks import codes, declared
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.sandbox.aws.seed import ADMIN_POLICY
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.spec import CloudSpec
from tests.cloud_sides import remove

from .conftest import CLUSTER, WITH_AGENT, World, client
from .test_adoption import ADMITS, MAY, document, own_role
from .test_rights import HERE, OF_PODS, check_all, granted, less, used, without
from .test_setup import ROLE, of_kind

ALL = {"s3-bucket", "iam-role", "pod-identity-association"}
BY_TOKEN = {"s3-bucket", "iam-role", "iam-oidc-provider"}
KEY = "demo/anyscale-operator/anyscale-operator"
SERVICE_ACCOUNT = {"namespace": "anyscale-operator", "serviceAccount": "anyscale-operator"}
CLUSTER_ARN = "arn:aws:eks:us-west-2:284710593866:cluster/demo"


@pytest.fixture
def settings() -> AwsSettings:
    return AwsSettings(clusters=(WITH_AGENT,))


def association(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.snapshot()["pod_identity_associations"][KEY]
    return found


def kind(world: World, chosen: str) -> CloudSpec:
    return world.spec(identity={"kind": chosen})


# -- which way ------------------------------------------------------------------------


def test_it_is_used_where_its_agent_runs(world: World) -> None:
    assert world.changes() == dict.fromkeys(ALL, "create")
    assert world.changes(kind(world, "irsa")).keys() == BY_TOKEN
    use = world.spec(existing={"oidc_provider": "use"})
    assert world.changes(use).keys() == BY_TOKEN


@pytest.mark.parametrize(
    ("cluster", "made"),
    [(CLUSTER, BY_TOKEN), (replace(CLUSTER, auto_mode=True), ALL)],
    ids=["no agent", "Auto Mode"],
)
def test_the_cluster_decides(
    start: Callable[[AwsSettings], World], cluster: Any, made: set[str]
) -> None:
    world = start(AwsSettings(clusters=(cluster,)))
    assert world.changes().keys() == made
    findings = check_all(world)
    assert ("eks-pod-identity-agent" in findings) == (made is ALL)


def test_without_its_agent_it_is_refused_with_the_command(
    start: Callable[[AwsSettings], World],
) -> None:
    world = start(AwsSettings(clusters=(CLUSTER,)))
    finding = check_all(world, kind(world, "pod-identity"))["eks-pod-identity-agent"]
    assert finding.status is Status.FAIL
    assert (
        "aws eks create-addon --cluster-name demo --region us-west-2 "
        "--addon-name eks-pod-identity-agent" in finding.fix
    )
    assert declared.EKS_POD_IDENTITY_AGENT.error is codes.POD_IDENTITY_AGENT_MISSING


def test_an_agent_that_runs_passes(world: World) -> None:
    assert check_all(world)["eks-pod-identity-agent"].status is Status.PASS


def test_what_is_installed_stays(world: World) -> None:
    """Also when its agent comes later, and when it is left to the tool to choose."""
    by_token = kind(world, "irsa")
    world.setup(by_token)
    assert world.changes() == dict.fromkeys(BY_TOKEN, "none")
    world.setup(kind(world, "pod-identity"))
    assert set(world.changes().values()) == {"none"}
    assert world.changes().keys() == ALL


def test_who_may_not_look_gets_the_older_way(world: World) -> None:
    world.stand_in.set_admin_policies(without("eks:ListPodIdentityAssociations"))
    assert world.changes().keys() == BY_TOKEN
    with pytest.raises(CliError, match="ListPodIdentityAssociations"):
        world.changes(kind(world, "pod-identity"))


# -- what is made ---------------------------------------------------------------------


def test_what_is_made(world: World) -> None:
    side = world.setup(world.spec(rules={"tags": {"team": "ml"}}))
    (statement,) = world.snapshot()["roles"][ROLE]["trust"]["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert statement["Condition"] == {
        "StringEquals": {
            "aws:RequestTag/eks-cluster-arn": CLUSTER_ARN,
            "aws:RequestTag/kubernetes-namespace": "anyscale-operator",
            "aws:RequestTag/kubernetes-service-account": "anyscale-operator",
        }
    }
    made = association(world)
    assert made["role"].endswith(f"role/anyscale-k8s/prod/{ROLE}")
    assert made["tags"]["team"] == "ml"
    assert made["tags"]["anyscale-k8s/install"] == "92c04b15"
    assert world.snapshot()["oidc_providers"] == {}
    assert side.prove_identity is None
    assert side.service_account_annotations() == {}
    assert not [call for call in world.calls(world.setup) if call.operation.write]


def test_irsa_would_win_so_the_chart_gets_no_identity(world: World) -> None:
    side = world.setup()
    cluster = world.provider.discover(world.spec())
    values = world.provider.operator_values(world.spec(), cluster, side.identity_output, [])
    assert values["global"]["auth"]["iamIdentity"] == ""
    storage: Storage = side.storage.output
    registered = world.provider.registration(world.spec(), cluster, storage, side.identity_output)[
        "kubernetes_config"
    ]
    assert registered["anyscale_operator_iam_identity"] == association(world)["role"]


def test_what_was_changed_by_hand_is_named_and_mended(world: World) -> None:
    side = world.setup()
    other = own_role(world.snapshot()["roles"][ROLE]["trust"], MAY)
    eks, made = client("eks"), of_kind(side.resources, "pod-identity-association")
    id_ = made.observed.state.id
    with pytest.raises(ClientError, match="does not exist"):
        eks.update_pod_identity_association(clusterName="demo", associationId=id_, roleArn=other)
    eks.update_pod_identity_association(clusterName="demo", associationId=id_, roleArn=other)
    eks.untag_resource(resourceArn=made.observed.id, tagKeys=["anyscale-k8s/region"])
    reason = world.reasons()["pod-identity-association"]
    assert f"role: {other!r}" in reason
    assert "tag anyscale-k8s/region" in reason
    world.setup()
    assert set(world.changes().values()) == {"none"}
    assert association(world)["role"] != other


def test_it_is_made_again(world: World) -> None:
    world.setup()
    (found,) = client("eks").list_pod_identity_associations(clusterName="demo")["associations"]
    client("eks").delete_pod_identity_association(
        clusterName="demo", associationId=found["associationId"]
    )
    # The role is left, and tells which way it was.
    assert world.changes() == {**dict.fromkeys(ALL, "none"), "pod-identity-association": "create"}


def test_a_tag_that_is_left_out_goes(world: World) -> None:
    spec = world.spec(rules={"tags": {"team": "ml", "cost": "1"}})
    world.setup(spec)
    reasons = world.dropped(world.spec(rules={"tags": {"team": "ml"}}), {"cost": "1"})
    assert "tag cost" in reasons["pod-identity-association"]
    assert "cost" not in association(world)["tags"]


def test_two_ways_take_turns(world: World) -> None:
    """What the other way had made is not needed any more, and found by a teardown."""
    by_token = kind(world, "irsa")
    world.setup()
    assert world.changes(by_token)["iam-role"] == "update"
    side = world.setup(by_token)
    assert world.prove(side)
    owned = world.provider.find_owned(HERE, world.installed(by_token)[1])
    assert {item.kind for item in owned} == ALL | BY_TOKEN


# -- what the user has ----------------------------------------------------------------


def by_hand(role: str) -> None:
    """EKS does not know a new role at once."""
    for _ in range(2):
        try:
            client("eks").create_pod_identity_association(
                clusterName="demo", roleArn=role, **SERVICE_ACCOUNT
            )
        except ClientError as problem:
            assert "does not exist" in str(problem)  # noqa: PT017 - the first of two


PODS = {"Principal": {"Service": "pods.eks.amazonaws.com"}, "Effect": "Allow"}
FOR_PODS = document({**PODS, "Action": ["sts:AssumeRole", "sts:TagSession"]})
HALF = document({**PODS, "Action": "sts:AssumeRole"})


def test_a_trust_that_eks_sees_late_is_waited_for(world: World) -> None:
    """The role has been in use, for the other way."""
    assert world.prove(world.setup(kind(world, "irsa")))
    other = kind(world, "pod-identity")
    world.setup(other)
    assert set(world.changes(other).values()) == {"none"}


def test_a_role_of_the_user_says_which_way(world: World) -> None:
    arn = own_role(FOR_PODS, MAY)
    spec = world.spec(existing={"identity": arn})
    assert world.changes(spec) == {
        "s3-bucket": "create",
        "iam-role": "adopt",
        "pod-identity-association": "create",
    }
    before = world.snapshot()["roles"]
    world.setup(spec)
    assert association(world)["role"] == arn
    assert world.snapshot()["roles"] == before
    assert set(world.changes(spec).values()) == {"adopt", "none"}


def test_a_role_that_trusts_tokens_stays_with_them(world: World) -> None:
    spec = world.spec(existing={"identity": own_role(ADMITS, MAY)})
    assert world.changes(spec).keys() == BY_TOKEN


def test_a_role_that_lets_no_session_be_tagged_is_refused(world: World) -> None:
    spec = world.spec(existing={"identity": own_role(HALF, MAY)})
    reason = world.reasons(spec)["iam-role"]
    assert "EKS Pod Identity for system:serviceaccount:anyscale-operator" in reason
    assert "trusted services: pods.eks.amazonaws.com" in reason


def test_an_association_of_the_user_is_used_and_never_touched(world: World) -> None:
    arn = own_role(FOR_PODS, MAY)
    by_hand(arn)
    spec = world.spec(existing={"identity": arn, "oidc_provider": "use"})
    before = association(world)
    side, install = world.installed(spec)
    assert world.changes(spec)["pod-identity-association"] == "adopt"
    assert association(world) == before
    owned = world.provider.find_owned(HERE, install)
    assert {item.kind for item in owned} == {"s3-bucket"}
    other = world.spec(existing={"identity": own_role_named("other", FOR_PODS)})
    assert f"for the role {arn}" in world.reasons(other)["pod-identity-association"]
    assert side.bindings


def own_role_named(name: str, trust: dict[str, Any]) -> str:
    made = client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Path="/own/"
    )
    client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(MAY))
    return str(made["Role"]["Arn"])


def test_one_that_is_brought_must_be_there(world: World) -> None:
    arn = own_role(FOR_PODS, MAY)
    spec = world.spec(existing={"identity": arn, "oidc_provider": "use"})
    planned = {item.resource.kind: item for item in world.plan(world.cloud_side(spec)).changes}
    decision = planned["pod-identity-association"].decision
    assert decision.change.value == "refuse"
    assert f"--role-arn {arn}" in decision.fix


def test_one_of_somebody_else_is_not_taken(world: World) -> None:
    by_hand(own_role(FOR_PODS, MAY))
    assert world.changes()["pod-identity-association"] == "refuse"


# -- teardown -------------------------------------------------------------------------


def test_teardown_finds_it_with_no_ledger_and_leaves_nothing(world: World) -> None:
    before = world.snapshot()
    _, install = world.installed()
    searched = world.elsewhere().search(HERE, "prod")
    assert [found.id for found in searched.installs] == [install.id]
    owned = world.elsewhere().find_owned(HERE, install)
    assert {item.kind for item in owned} == ALL
    remove(owned, bucket=True)
    assert world.snapshot() == before


def test_an_install_under_a_path_of_the_company_is_found_by_its_trust(world: World) -> None:
    _, install = world.installed(
        world.spec(rules={"role_path": "/team/", "names": {"role": "named"}})
    )
    owned: list[Resource[Any]] = list(world.elsewhere().find_owned(HERE, install))
    assert {item.kind for item in owned} == ALL


def test_a_deleted_cluster_took_it_along(world: World) -> None:
    _, install = world.installed()
    world.stand_in.delete_cluster("demo")
    assert {item.kind for item in world.elsewhere().find_owned(HERE, install)} == {
        "s3-bucket",
        "iam-role",
    }


# -- rights ---------------------------------------------------------------------------


def test_its_rights_are_enough_and_all_used(world: World) -> None:
    spec = world.spec(rules={"tags": {"team": "ml"}})

    def with_rights(verb: Verb, work: Callable[[], Any]) -> set[str]:
        policy, grants = granted(verb)
        world.stand_in.set_admin_policies([policy])
        asked = used(world.calls(work))
        world.stand_in.set_admin_policies([ADMIN_POLICY])
        # Passing a role is part of the call that does it.
        assert asked <= grants
        return asked

    done = with_rights(Verb.SETUP, lambda: (check_all(world, spec), world.setup(spec)))
    other = own_role_named("other", FOR_PODS)
    made = world.cloud_side(spec)
    (bound,) = made.bindings
    observed = bound.read()
    assert observed is not None
    change = partial(
        client("eks").update_pod_identity_association,
        clusterName="demo",
        associationId=observed.state.id,
        roleArn=other,
    )
    with pytest.raises(ClientError, match="does not exist"):
        change()
    change()
    done |= with_rights(
        Verb.SETUP, lambda: world.apply(world.cloud_side(dropped_tags={"team": "ml"}))
    )
    _, install = world.installed()
    done |= with_rights(
        Verb.DELETE,
        lambda: remove(world.elsewhere().find_owned(HERE, install), bucket=False),
    )
    assert OF_PODS - {"iam:PassRole", "eks:TagResource"} <= done
    for needed in ("iam:PassRole", "eks:TagResource"):
        policy, _ = granted(Verb.SETUP)
        world.stand_in.set_admin_policies([less(policy, needed)])
        with pytest.raises(CliError) as refused:
            world.setup()
        assert refused.value.code is errors.FORBIDDEN
        assert needed in refused.value.cause


def test_each_that_is_taken_away_is_named_before(world: World) -> None:
    policy, grants = granted(Verb.SETUP)
    # What is not asked for but once it is there.
    asked = (OF_PODS & grants) - {"eks:DescribeAddon"}
    named = {}
    for taken in sorted(asked):
        world.stand_in.set_admin_policies([less(policy, taken)])
        spec = kind(world, "pod-identity")
        try:
            cluster = world.provider.discover(spec)
        except CliError as problem:
            named[taken] = str(problem)
            continue
        (check,) = [
            item for item in world.provider.checks(spec, cluster) if item.code == "aws-permissions"
        ]
        finding = check.run()
        assert finding.status is not Status.PASS, taken
        named[taken] = " ".join(finding.evidence)
    assert all(taken in told for taken, told in named.items()), named
