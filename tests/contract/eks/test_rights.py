"""Checks, and the least rights: enough for what is done, and nothing beside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.eks import EksProvider, checks, teardown
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.bucket import Bucket
from anyscale_k8s_cli.providers.eks.sdk.actions import action
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.aws.quotas import QUOTAS
from anyscale_k8s_cli.sandbox.aws.seed import ADMIN_POLICY, DATA_KEY
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.sandbox.wire import Call
from anyscale_k8s_cli.spec import CloudSpec, Scope

from .conftest import CLUSTER, World, client
from .test_setup import BREAKS, BUCKET, PROVIDER, ROLE
from .test_teardown import balanced

# How the wire calls services, and how the SDK does.
SERVICES = {"tagging": "resourcegroupstaggingapi", "elasticloadbalancing": "elbv2"}
SERVICES["servicequotas"] = "service-quotas"
# Only what setup and delete meet on other ways than these tests: names in errors,
# aliases of keys, a boundary that was taken off, roles and buckets of the user.
ON_OTHER_WAYS = {
    "eks:ListClusters",
    "iam:PutRolePermissionsBoundary",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:DetachRolePolicy",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:SimulateCustomPolicy",
    "kms:DescribeKey",
    "s3:GetBucketPolicy",
    "s3:TagResource",
    "ec2:DeleteSecurityGroup",
    "ec2:DescribeSecurityGroups",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
}


# What EKS Pod Identity takes, and IRSA not: `test_pod_identity.py` has it.
OF_PODS = {
    "eks:CreatePodIdentityAssociation",
    "eks:DeletePodIdentityAssociation",
    "eks:DescribeAddon",
    "eks:DescribePodIdentityAssociation",
    "eks:ListPodIdentityAssociations",
    "eks:TagResource",
    "eks:UntagResource",
    "eks:UpdatePodIdentityAssociation",
    "iam:PassRole",
}
DROPPED = {"team": "ml"}
HERE = Scope(region="us-west-2")


def granted(verb: Verb) -> tuple[dict[str, Any], set[str]]:
    (document,) = EksProvider(Run()).permissions(verb)
    policy = json.loads(document.text)
    return policy, {item for statement in policy["Statement"] for item in statement["Action"]}


def used(calls: list[Call]) -> set[str]:
    found = {
        action(SERVICES.get(c.operation.service, c.operation.service), c.operation.name)
        for c in calls
        if c.operation.service != "sts"
    }
    # One call, two rights: markers and versions.
    return found | ({"s3:DeleteObject"} if "s3:DeleteObjectVersion" in found else set())


def check_all(world: World, spec: CloudSpec | None = None) -> dict[str, Finding]:
    spec = spec or world.spec()
    cluster = world.provider.discover(spec)
    return {check.code: check.run() for check in world.provider.checks(spec, cluster)}


def test_setup_needs_no_more_and_uses_all_that_its_policy_grants(world: World) -> None:
    policy, grants = granted(Verb.SETUP)
    world.stand_in.set_admin_policies([policy])

    def first() -> None:
        check_all(world)
        world.setup()

    calls = world.calls(first)
    world.stand_in.set_admin_policies([ADMIN_POLICY])
    spoil(world)
    world.stand_in.set_admin_policies([policy])
    calls += world.calls(lambda: world.apply(world.cloud_side(dropped_tags=DROPPED)))
    assert used(calls) <= grants
    assert grants - used(calls) - ON_OTHER_WAYS - OF_PODS == set()


def spoil(world: World) -> None:
    """Change by hand all that setup watches."""
    for spoil_setting in BREAKS.values():
        spoil_setting(client("s3"))
    iam = client("iam")
    trust = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"]["StringEquals"].popitem()
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": key, "Value": DROPPED[key]} for key in DROPPED])
    iam.untag_role(RoleName=ROLE, TagKeys=["anyscale-k8s/region"])
    iam.untag_open_id_connect_provider(
        OpenIDConnectProviderArn=PROVIDER, TagKeys=["anyscale-k8s/user-92c04b15"]
    )


def test_a_plan_needs_no_more_than_its_policy_grants(world: World) -> None:
    policy, _ = granted(Verb.PLAN)
    world.setup()
    world.stand_in.set_admin_policies([policy])
    assert set(world.changes().values()) == {"none"}


def test_delete_needs_no_more_and_uses_all_that_its_policy_grants(world: World) -> None:
    side = world.setup()
    bucket = side.storage
    assert isinstance(bucket, Bucket)
    policy, grants = granted(Verb.DELETE)
    world.stand_in.set_admin_policies([policy])

    def work() -> None:
        provider = EksProvider(Run())
        assert provider.search(Scope(), "prod").installs
        (install,) = provider.search(HERE, "prod").installs
        provider.discover(provider.locate(install))
        owned = provider.find_owned(HERE, install)
        for item in owned:
            item.observed = item.read()
        assert provider.removal_rights(install, owned, ()).status is Status.PASS
        for item in sorted(owned, key=lambda item: -len(item.needs)):
            observed = item.read()
            assert observed is not None
            if isinstance(item, Bucket):
                item.forget_cluster(observed)
                item.contents(observed)
            elif hasattr(item, "unmark"):
                item.others(observed)
                item.unmark(observed)
            item.delete(observed)
        provider.load_balancer_left(install, ["x"])

    asked = used(world.calls(work))
    assert asked <= grants
    # What empties a bucket that is not empty.
    assert grants - asked - ON_OTHER_WAYS - OF_PODS == {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    }


def test_verify_needs_no_more_and_uses_all_that_its_policy_grants(world: World) -> None:
    world.setup()
    policy, grants = granted(Verb.VERIFY)
    world.stand_in.set_admin_policies([policy])

    def work() -> None:
        provider = EksProvider(Run())
        assert provider.search(Scope(), "prod").installs
        assert provider.search(HERE, "prod").installs
        assert not provider.load_balancer_left(world.installed()[1], ["x"])
        found = check_all(world)
        assert found["aws-read-permissions"].status is Status.PASS

    asked = used(world.calls(work))
    assert asked - grants == {"servicequotas:GetServiceQuota", "iam:GetAccountSummary"}
    assert grants - asked - ON_OTHER_WAYS - OF_PODS == set()


def test_the_policies_know_no_partition(world: World) -> None:
    for verb in Verb:
        policy, _ = granted(verb)
        assert "arn:aws" not in json.dumps(policy)


def test_who_may_do_all_passes(world: World) -> None:
    findings = check_all(world)
    assert findings["aws-permissions"].status is Status.PASS
    for code in ("eks-subnet-tags", "aws-load-balancer-quota", "aws-role-quota"):
        assert findings[code].status is Status.PASS, findings[code]


def without(*actions: str) -> list[dict[str, Any]]:
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    return [{"Version": "2012-10-17", "Statement": [allowed, denied]}]


NAMED = re.compile(r"\b[a-z0-9]+:[A-Z]\w+")


def preflight(world: World, code: str) -> tuple[Status, str]:
    """What one is told before anything is changed: by the check, or by what looking ended with."""
    spec = world.spec()
    try:
        cluster = world.provider.discover(spec)
    except CliError as problem:
        return Status.FAIL, f"{problem.message} {problem.cause}"
    (check,) = [item for item in world.provider.checks(spec, cluster) if item.code == code]
    finding = check.run()
    return finding.status, " ".join((finding.detail, *finding.evidence))


@pytest.mark.parametrize(
    ("verb", "code"),
    [(Verb.SETUP, "aws-permissions"), (Verb.VERIFY, "aws-read-permissions")],
    ids=["setup", "verify"],
)
def test_each_action_that_is_taken_away_is_named(world: World, verb: Verb, code: str) -> None:
    policy, grants = granted(verb)
    world.stand_in.set_admin_policies([policy])

    def look() -> None:
        status, told = preflight(world, code)
        assert status is Status.PASS, told

    def take_away(taken: set[str]) -> None:
        world.stand_in.set_admin_policies([less(policy, taken)])
        status, told = preflight(world, code)
        assert status is not Status.PASS
        assert set(NAMED.findall(told)) == taken, told
        assert all(f"{item} on " in told for item in taken), told

    looked = used(world.calls(look))
    assert not world.writes(lambda: [take_away(taken) for taken in apart(grants, looked)])


def test_each_action_of_delete_that_is_taken_away_is_named(world: World) -> None:
    """Of a deleted cluster, whose load balancer is left; the bucket goes, or stays."""
    install, _ = balanced(world)
    policy, grants = granted(Verb.DELETE)
    aws = Aws(Run(), region="us-west-2")

    def preflight(taken: set[str]) -> str:
        provider = world.provider
        try:
            searched = provider.search(HERE, "prod")
            provider.search(Scope(), "prod")
            provider.discover(provider.locate(install))
            owned = teardown.find_owned(aws, install, cluster_deleted=True)
            for item in owned:
                item.observed = item.read()
        except CliError as problem:
            return f"{problem.message} {problem.cause}"
        staying = [item for item in owned if taken & MARKS_OFF]
        going = [item for item in owned if item not in staying]
        finding = provider.removal_rights(install, going, staying)
        return " ".join((finding.detail, *finding.evidence, *searched.unsearched))

    def take_away(taken: set[str]) -> None:
        world.stand_in.set_admin_policies([less(policy, taken)])
        told = preflight(taken)
        assert set(NAMED.findall(told)) == taken, told

    looked = used(world.calls(lambda: preflight(set())))
    tried = apart(grants, looked | MARKS_OFF)
    assert not world.writes(lambda: [take_away(taken) for taken in tried])


MARKS_OFF = {"s3:PutBucketTagging", "iam:UntagOpenIDConnectProvider"}


def apart(grants: set[str], looked: set[str]) -> list[set[str]]:
    """What to take away together: each action that ends the looking alone, and all others."""
    grants = grants - OF_PODS
    return [*({item} for item in sorted(grants & looked)), grants - looked]


def less(policy: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    """The policy without some actions."""
    statements = [
        {**statement, "Action": [item for item in statement["Action"] if item not in taken]}
        for statement in policy["Statement"]
    ]
    return {**policy, "Statement": [item for item in statements if item["Action"]]}


def test_what_is_denied_fails_before_it_is_needed(world: World) -> None:
    world.stand_in.set_admin_policies(without("iam:CreateRole"))
    finding = check_all(world)["aws-permissions"]
    assert finding.status is Status.FAIL
    assert finding.evidence[0].startswith("iam:CreateRole on arn:aws:iam::284710593866:role/")
    first, last = finding.fix.splitlines()
    (statement,) = json.loads(first.partition(": ")[2])["Statement"]
    assert statement["Action"] == ["iam:CreateRole"]
    assert f"iam:CreateRole on {statement['Resource']}" == finding.evidence[0]
    assert "run the same command again" in last
    assert "cloud permissions --provider eks --verb setup" in last


def test_what_is_there_needs_no_making(world: World) -> None:
    world.setup()
    world.stand_in.set_admin_policies(without("iam:CreateRole", "s3:CreateBucket"))
    assert check_all(world)["aws-permissions"].status is Status.WARN


def test_what_setup_can_do_without_is_a_warning(world: World) -> None:
    world.stand_in.set_admin_policies(without("s3:TagResource"))
    assert check_all(world)["aws-permissions"].status is Status.WARN


def test_who_may_not_ask_gets_no_verdict(world: World) -> None:
    world.stand_in.set_admin_policies(
        without("iam:Simulate*", "servicequotas:*", "iam:GetAccountSummary")
    )
    findings = check_all(world)
    for code in ("aws-permissions", "aws-load-balancer-quota", "aws-role-quota"):
        assert findings[code].status is Status.UNKNOWN


# -- what the simulator cannot see ------------------------------------------------------

NO_ROLES = {"Effect": "Deny", "Action": "iam:CreateRole", "Resource": "*"}
ELSEWHERE = {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}
NO_ROLES_HERE = {**NO_ROLES, "Condition": ELSEWHERE}
KNOWN_AT_ONCE = AwsSettings(clusters=(CLUSTER,), refused_attempts=0)
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def make_role(name: str, **more: Any) -> None:
    who = {"AWS": "arn:aws:iam::284710593866:root"}
    trust = document({"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"})
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **more)
    client("iam").put_role_policy(
        RoleName=name, PolicyName="all", PolicyDocument=json.dumps(ADMIN_POLICY)
    )


def become(role: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """From now on whoever asks has a session of the role."""
    keys = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::284710593866:role/{role}", RoleSessionName="ci", **more
    )["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])


def test_a_rule_of_the_organisation_with_a_condition_is_not_seen(
    start: Callable[[AwsSettings], World],
) -> None:
    policies = (document(EVERYTHING, NO_ROLES_HERE),)
    world = start(AwsSettings(clusters=(CLUSTER,), organisation_policies=policies))
    finding = check_all(world)["aws-permissions"]
    assert finding.status is Status.UNKNOWN
    assert finding.evidence == ("not seen: rules of your organisation that have conditions",)
    with pytest.raises(ClientError, match="iam:CreateRole"):
        make_role("another")


def test_a_rule_of_the_organisation_without_conditions_denies(
    start: Callable[[AwsSettings], World],
) -> None:
    policies = (document(EVERYTHING, NO_ROLES),)
    world = start(AwsSettings(clusters=(CLUSTER,), organisation_policies=policies))
    finding = check_all(world)["aws-permissions"]
    assert finding.status is Status.FAIL
    assert [line.partition(" on ")[0] for line in finding.evidence] == ["iam:CreateRole"]


def test_a_condition_that_nobody_can_judge_beforehand_is_unknown(world: World) -> None:
    world.stand_in.set_admin_policies([document(EVERYTHING, NO_ROLES_HERE)])
    finding = check_all(world)["aws-permissions"]
    assert finding.status is Status.UNKNOWN
    (line,) = finding.evidence
    assert line.startswith("unknown: iam:CreateRole on arn:aws:iam::284710593866:role/")
    assert line.endswith(": aws:RequestedRegion")


def demanding(condition: dict[str, Any]) -> dict[str, Any]:
    makes = ["iam:CreateRole", "iam:CreateOpenIDConnectProvider"]
    rule = {"Effect": "Deny", "Action": makes, "Resource": "*", "Condition": condition}
    return document(EVERYTHING, rule)


BOUNDARY = "arn:aws:iam::284710593866:policy/developers"


@pytest.mark.parametrize(
    ("condition", "option", "rules"),
    [
        ({"Null": {"aws:RequestTag/team": "true"}}, "--tag team=<value>", {"tags": {"team": "ml"}}),
        (
            {"ForAllValues:StringNotEquals": {"aws:TagKeys": ["team"]}},
            "",
            {"tags": {"team": "ml"}},
        ),
        (
            {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}},
            "--permissions-boundary <ARN>",
            {},
        ),
    ],
)
def test_what_an_account_demands_of_new_objects_is_told_before_they_are_made(
    world: World, condition: dict[str, Any], option: str, rules: dict[str, Any]
) -> None:
    world.stand_in.set_admin_policies([demanding(condition)])

    finding = check_all(world)["aws-permissions"]
    assert finding.status is Status.FAIL
    assert option in finding.fix
    if rules:
        said = check_all(world, world.spec(rules=rules))["aws-permissions"]
        assert said.status is Status.PASS, said


def test_a_boundary_that_is_demanded_is_said(world: World) -> None:
    conditions = {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    rule = {"Effect": "Deny", "Action": "iam:CreateRole", "Resource": "*", "Condition": conditions}
    world.stand_in.set_admin_policies([document(EVERYTHING, rule)])

    bounded = world.spec(rules={"permissions_boundary": BOUNDARY})
    assert check_all(world, bounded)["aws-permissions"].status is Status.PASS
    other = world.spec(rules={"permissions_boundary": f"{BOUNDARY}-2"})
    assert check_all(world, other)["aws-permissions"].status is Status.FAIL


def test_a_policy_of_the_session_is_not_seen(
    start: Callable[[AwsSettings], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(KNOWN_AT_ONCE)
    make_role("deployer")
    narrow = document(EVERYTHING, NO_ROLES)
    become("deployer", monkeypatch, Policy=json.dumps(narrow))
    session = replace(world)
    finding = check_all(session)["aws-permissions"]
    assert finding.status is Status.UNKNOWN
    assert "a policy of the session" in finding.evidence[0]
    with pytest.raises(CliError) as caught:
        session.setup()
    assert caught.value.code == errors.FORBIDDEN


def test_a_policy_of_an_endpoint_is_not_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of AWS's that leads to an address within a network leads to an endpoint in it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://10.0.7.21")
    status, told = preflight(replace(world), "aws-permissions")
    assert status is Status.UNKNOWN
    assert "the policy of the endpoint 10.0.7.21, by which AWS (s3) is reached" in told


def test_a_boundary_is_seen(
    start: Callable[[AwsSettings], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(KNOWN_AT_ONCE)
    limit = client("iam").create_policy(
        PolicyName="limit", PolicyDocument=json.dumps(document(EVERYTHING, NO_ROLES))
    )
    make_role("deployer", PermissionsBoundary=limit["Policy"]["Arn"])
    become("deployer", monkeypatch)
    finding = check_all(replace(world))["aws-permissions"]
    assert finding.status is Status.FAIL
    assert [line.partition(" on ")[0] for line in finding.evidence] == ["iam:CreateRole"]


def test_what_the_user_has_needs_no_rights(world: World) -> None:
    spec = world.spec(
        existing={"bucket": "team-data", "identity": "arn:aws:iam::284710593866:role/demo-node"}
    )
    world.stand_in.set_admin_policies(without("iam:CreateRole", "s3:CreateBucket"))
    findings = check_all(world, spec)
    assert findings["aws-permissions"].status is Status.PASS
    assert "aws-bucket-quota" not in findings


def test_subnets_without_their_tag(start: Callable[[AwsSettings], World]) -> None:
    world = start(AwsSettings(clusters=(replace(CLUSTER, subnets_tagged=False),)))
    finding = check_all(world)["eks-subnet-tags"]
    assert finding.status is Status.WARN
    assert "kubernetes.io/role/elb" in finding.detail


def test_subnets_are_named_by_id_or_name(world: World) -> None:
    subnet = CLUSTER.subnets()[0]
    there = [subnet.id, f"demo-public-{subnet.zone}"]
    named = world.spec(network={"load_balancer_subnets": there})
    assert check_all(world, named)["eks-subnets-named"].status is Status.PASS
    wrong = world.spec(network={"load_balancer_subnets": [*there, "subnet-0123456789abcdef0"]})
    finding = check_all(world, wrong)["eks-subnets-named"]
    assert finding.status is Status.FAIL
    assert "no subnet subnet-0123456789abcdef0" in finding.detail
    assert any(subnet.id in line for line in finding.evidence)


@pytest.mark.parametrize("key", [f"alias/{DATA_KEY.alias}", DATA_KEY.id])
def test_a_key_that_is_there(world: World, key: str) -> None:
    finding = check_all(world, world.spec(rules={"kms_key": key}))["aws-kms-key"]
    assert finding.status is Status.PASS
    assert finding.detail.endswith(f":key/{DATA_KEY.id}")


def test_a_key_that_is_not_there_or_not_ours_to_see(world: World) -> None:
    spec = world.spec(rules={"kms_key": "alias/none"})
    finding = check_all(world, spec)["aws-kms-key"]
    assert finding.status is Status.FAIL
    assert "there is no key alias/none in us-west-2" in finding.detail
    world.stand_in.set_admin_policies(without("kms:DescribeKey"))
    assert check_all(world, spec)["aws-kms-key"].status is Status.UNKNOWN


def test_a_boundary_that_is_not_there_is_told_before_it_is_needed(world: World) -> None:
    iam = client("iam")
    document = json.dumps(ADMIN_POLICY)
    made = iam.create_policy(PolicyName="limit", PolicyDocument=document)["Policy"]["Arn"]
    for arn, status in ((made, Status.PASS), (f"{made}-other", Status.FAIL)):
        finding = check_all(world, world.spec(rules={"permissions_boundary": arn}))
        assert finding["aws-permissions-boundary"].status is status
    world.stand_in.set_admin_policies(without("iam:GetPolicy"))
    finding = check_all(world, world.spec(rules={"permissions_boundary": made}))
    assert finding["aws-permissions-boundary"].status is Status.UNKNOWN


def test_a_boundary_that_forbids_what_a_role_needs_is_told_beforehand(world: World) -> None:
    iam = client("iam")
    elsewhere = document({"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    made = iam.create_policy(PolicyName="nos3", PolicyDocument=json.dumps(elsewhere))
    arn = made["Policy"]["Arn"]
    spec = world.spec(
        identity={"workloads": "separate"},
        rules={"permissions_boundary": arn, "kms_key": f"alias/{DATA_KEY.alias}"},
    )

    def judged() -> Finding:
        return check_all(world, spec)["aws-permissions-boundary"]

    def now(*statements: dict[str, Any]) -> None:
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=json.dumps(document(*statements)), SetAsDefault=True
        )

    finding = judged()
    assert finding.status is Status.FAIL
    assert finding.detail.startswith(f"{arn} forbids the roles what their policies allow: ")
    assert f"s3:PutObject on arn:aws:s3:::{BUCKET}/*" in " ".join(finding.evidence)
    of_roles = {line.partition(": ")[0] for line in finding.evidence}
    assert of_roles == {f"IAM role {ROLE}", f"IAM role {ROLE.replace('-operator', '-workloads')}"}
    # What the owner is told to add is enough.
    wanted = json.loads(finding.fix.partition("\n")[0].partition(": ")[2])
    assert {item for part in wanted for item in part["Action"]} >= {"s3:ListBucket", "kms:Decrypt"}
    now(*wanted)
    assert judged().status is Status.PASS

    for right in ("iam:GetPolicyVersion", "iam:SimulateCustomPolicy"):
        world.stand_in.set_admin_policies(without(right))
        unseen = judged()
        assert unseen.status is Status.UNKNOWN
        assert right in unseen.detail
    world.stand_in.set_admin_policies([ADMIN_POLICY])

    now(EVERYTHING, {"Effect": "Deny", "Action": "s3:AbortMultipartUpload", "Resource": "*"})
    finding = judged()
    assert finding.status is Status.WARN
    assert "take the statement out" in finding.fix
    regions = {"StringNotEquals": {"aws:RequestedRegion": "us-west-2"}}
    now(EVERYTHING, {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": regions})
    assert judged().status is Status.PASS


FULL = AwsSettings(clusters=(CLUSTER,), limits={quota.code: 0 for quota in QUOTAS})


@pytest.mark.parametrize("settings", [FULL])
def test_a_full_limit_is_told_with_what_raises_it(world: World) -> None:
    provider, spec = world.provider, world.spec()
    asked = {one.code: one for one in provider.checks(spec, provider.discover(spec))}
    found = asked["aws-load-balancer-quota"].for_new(1).run()
    assert found.status is Status.FAIL
    assert found.detail.endswith("limit 0, used 0, needed 1")
    assert "\naws service-quotas request-service-quota-increase --region us-west-2 " in found.fix
    assert "--quota-code L-69A177A2 --desired-value 1\n" in found.fix
    assert asked["aws-load-balancer-quota"].run().status is Status.WARN
    assert "--bucket" in asked["aws-bucket-quota"].for_new(1).run().fix


def test_the_quotas_that_are_asked_for_exist() -> None:
    known = {(quota.service, quota.code) for quota in QUOTAS}
    assert {checks.LOAD_BALANCERS, checks.BUCKETS} <= known
