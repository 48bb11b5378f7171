"""IAM's changes reach the other services late: the next use still meets what was before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID, TEAM_DATA
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings

from .test_identity import (
    SUBJECT,
    allow,
    assume,
    make_role,
    policy,
    register_issuer,
    session,
    trust,
)

BUCKET = TEAM_DATA.name
NOT_YET = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


@pytest.fixture
def settings() -> AwsSettings:
    return AwsSettings(buckets=(TEAM_DATA,), refused_attempts=1)


@pytest.fixture
def role(aws: Any, refused: Any) -> str:
    """A role that STS knows, with policies that S3 does not know yet."""
    register_issuer(aws)
    arn = make_role(aws, "operator", allow("s3:ListBucket"))
    with refused("InvalidIdentityToken", "No OpenIDConnect provider found"):
        session(aws, arn)
    return arn


def test_role_and_provider_are_unknown_to_sts_at_first(aws: Any, refused: Any) -> None:
    arn = register_issuer(aws)
    first = make_role(aws, "first")
    with refused("InvalidIdentityToken", "No OpenIDConnect provider found"):
        session(aws, first)
    session(aws, first)
    second = make_role(aws, "second")
    with refused(*NOT_YET):
        session(aws, second)
    session(aws, second)
    # Made again it is another one, although all of it is the same.
    aws.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    register_issuer(aws)
    with refused("InvalidIdentityToken"):
        session(aws, second)
    session(aws, second)


def test_a_new_trust_policy_counts_a_little_later(aws: Any, refused: Any, role: str) -> None:
    session(aws, role)
    prefix = aws.issuer.url.removeprefix("https://")
    another = "system:serviceaccount:another:anyscale-operator"
    aws.client("iam").update_assume_role_policy(
        RoleName="operator",
        PolicyDocument=json.dumps(trust(aws, **{f"{prefix}:sub": another})),
    )
    # The old one still admits whom it admitted.
    assert assume(aws, role, aws.issuer.token(SUBJECT))["SubjectFromWebIdentityToken"] == SUBJECT
    with refused(*NOT_YET):
        assume(aws, role, aws.issuer.token(SUBJECT))
    assert assume(aws, role, aws.issuer.token(another))["SubjectFromWebIdentityToken"] == another


def test_policies_reach_s3_late_both_ways(aws: Any, refused: Any, role: str) -> None:
    iam, s3 = aws.client("iam"), aws.client("s3", keys=session(aws, role))
    with refused("AccessDenied", "s3:ListBucket"):
        s3.list_objects_v2(Bucket=BUCKET)
    s3.list_objects_v2(Bucket=BUCKET)
    iam.put_role_policy(
        RoleName="operator", PolicyName="data", PolicyDocument=json.dumps(policy(allow("s3:Get*")))
    )
    s3.list_objects_v2(Bucket=BUCKET)
    with refused("AccessDenied", "s3:ListBucket"):
        s3.list_objects_v2(Bucket=BUCKET)


def test_iam_itself_tells_what_it_holds(aws: Any, role: str) -> None:
    iam = aws.client("iam")
    found = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["s3:ListBucket"])
    assert found["EvaluationResults"][0]["EvalDecision"] == "allowed"
    document = iam.get_role(RoleName="operator")["Role"]["AssumeRolePolicyDocument"]
    assert document == trust(aws)


def test_what_is_deleted_is_gone_at_once(aws: Any, refused: Any, role: str) -> None:
    s3 = aws.client("s3", keys=session(aws, role))
    iam = aws.client("iam")
    iam.delete_role_policy(RoleName="operator", PolicyName="data")
    iam.delete_role(RoleName="operator")
    with refused(*NOT_YET):
        session(aws, role)
    with refused("AccessDenied"):
        s3.list_objects_v2(Bucket=BUCKET)


def test_what_was_there_before_is_known_everywhere(aws: Any, refused: Any) -> None:
    """The cluster's own roles do not admit users, and are not new."""
    sts = aws.client("sts")
    for _ in range(2):
        with refused("AccessDenied", "not authorized to perform: sts:AssumeRole"):
            sts.assume_role(
                RoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/demo-node", RoleSessionName="me"
            )
