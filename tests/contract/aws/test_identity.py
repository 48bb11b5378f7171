"""Signatures, policies, and becoming somebody else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID

SUBJECT = "system:serviceaccount:anyscale-operator:anyscale-operator"
ALL_READERS = ["eks", "ec2", "elbv2", "resourcegroupstaggingapi", "service-quotas"]
READ = {
    "eks": lambda client: client.list_clusters(),
    "ec2": lambda client: client.describe_vpcs(),
    "elbv2": lambda client: client.describe_load_balancers(),
    "resourcegroupstaggingapi": lambda client: client.get_resources(),
    "service-quotas": lambda client: client.list_service_quotas(ServiceCode="ec2"),
    "iam": lambda client: client.list_roles(),
    "sts": lambda client: client.get_caller_identity(),
    "s3": lambda client: client.list_buckets(),
}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: list[str] | str, resources: list[str] | str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def trust(aws: Any, **overrides: Any) -> dict[str, Any]:
    prefix = aws.issuer.url.removeprefix("https://")
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{prefix}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{prefix}:sub": SUBJECT,
                    f"{prefix}:aud": "sts.amazonaws.com",
                    **overrides,
                }
            },
        }
    )


def register_issuer(aws: Any) -> str:
    answer = aws.client("iam").create_open_id_connect_provider(
        Url=aws.issuer.url, ClientIDList=["sts.amazonaws.com"]
    )
    return str(answer["OpenIDConnectProviderArn"])


def make_role(aws: Any, name: str = "operator", *statements: dict[str, Any]) -> str:
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(aws)))
    if statements:
        iam.put_role_policy(
            RoleName=name, PolicyName="data", PolicyDocument=json.dumps(policy(*statements))
        )
    return str(role["Role"]["Arn"])


def assume(aws: Any, role: str, token: str) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="session", WebIdentityToken=token
    )
    return answer


def session(aws: Any, role: str) -> dict[str, Any]:
    return dict(assume(aws, role, aws.issuer.token(SUBJECT))["Credentials"])


# -- signatures -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("s3", "InvalidAccessKeyId"),
        ("iam", "InvalidClientTokenId"),
        ("sts", "InvalidClientTokenId"),
        ("elbv2", "InvalidClientTokenId"),
        ("eks", "UnrecognizedClientException"),
        ("ec2", "AuthFailure"),
        ("service-quotas", "UnrecognizedClientException"),
    ],
)
def test_unknown_key(aws: Any, refused: Any, service: str, code: str) -> None:
    keys = {"AccessKeyId": "AKIAEXAMPLEEXAMPLE00", "SecretAccessKey": "x", "SessionToken": None}
    with refused(code):
        READ[service](aws.client(service, keys=keys))


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("s3", "SignatureDoesNotMatch"),
        ("iam", "SignatureDoesNotMatch"),
        ("sts", "SignatureDoesNotMatch"),
        ("eks", "InvalidSignatureException"),
        ("ec2", "AuthFailure"),
    ],
)
def test_wrong_secret(aws: Any, refused: Any, service: str, code: str) -> None:
    key = aws.stand_in.environment()["AWS_ACCESS_KEY_ID"]
    keys = {"AccessKeyId": key, "SecretAccessKey": "wrong", "SessionToken": None}
    with refused(code):
        READ[service](aws.client(service, keys=keys))


def test_clock_that_is_wrong_by_an_hour(aws: Any, refused: Any) -> None:
    aws.clock.offset += timedelta(hours=1)
    with refused("RequestTimeTooSkewed"):
        READ["s3"](aws.client("s3"))
    with refused("SignatureDoesNotMatch", "Signature expired"):
        READ["sts"](aws.client("sts"))


def test_caller_identity_by_a_presigned_get(aws: Any) -> None:
    url = aws.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    answer = httpx.get(url)
    assert f"<Arn>arn:aws:iam::{ACCOUNT_ID}:user/demo-admin</Arn>" in answer.text
    assert httpx.get(url.replace("us-west-2", "us-west-1")).status_code == 403


def test_services_that_are_not_there_say_so(aws: Any, refused: Any) -> None:
    with refused("NotImplemented", "lambda"):
        aws.client("lambda").list_functions()


# -- web identities ----------------------------------------------------------------


def test_a_web_identity_becomes_the_role(aws: Any) -> None:
    register_issuer(aws)
    answer = assume(aws, make_role(aws), aws.issuer.token(SUBJECT))
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    keys = answer["Credentials"]
    identity = aws.client("sts", keys=keys).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/operator/session"


def test_issuer_without_a_provider(aws: Any, refused: Any) -> None:
    role = make_role(aws)
    with refused(
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {aws.issuer.url}",
    ):
        assume(aws, role, aws.issuer.token(SUBJECT))


def test_tokens_that_are_not_good(aws: Any, refused: Any) -> None:
    register_issuer(aws)
    role = make_role(aws)
    with refused("InvalidIdentityToken", "not a valid JWT"):
        assume(aws, role, "garbage")
    with refused("InvalidIdentityToken", "Incorrect token audience"):
        assume(aws, role, aws.issuer.token(SUBJECT, audience="kubernetes"))
    with refused("ExpiredTokenException", "Token expired"):
        assume(aws, role, aws.issuer.token(SUBJECT, lifetime=timedelta(seconds=-1)))
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with refused("InvalidIdentityToken"):
        assume(aws, role, aws.issuer.token(SUBJECT, key=stranger))


def test_trust_must_match(aws: Any, refused: Any) -> None:
    register_issuer(aws)
    role = make_role(aws)
    denied = refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    with denied:
        assume(aws, role, aws.issuer.token("system:serviceaccount:other:anyscale-operator"))
    with refused("AccessDenied"):
        assume(aws, f"{role}-that-is-not-there", aws.issuer.token(SUBJECT))


def test_audience_of_the_trust_is_checked_besides_the_providers(aws: Any, refused: Any) -> None:
    arn = register_issuer(aws)
    aws.client("iam").add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=arn, ClientID="second"
    )
    role = make_role(aws)
    token = aws.issuer.token(SUBJECT, audience="second")
    for _ in range(2):
        with refused("AccessDenied"):
            assume(aws, role, token)


# -- what a session may do -----------------------------------------------------------


def test_role_may_do_what_its_policy_says_and_no_more(aws: Any, refused: Any) -> None:
    register_issuer(aws)
    role = make_role(
        aws,
        "operator",
        allow("s3:ListBucket", "arn:aws:s3:::team-data"),
        allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::team-data/*"),
    )
    s3 = aws.client("s3", keys=session(aws, role))
    s3.put_object(Bucket="team-data", Key="k", Body=b"1")
    assert s3.get_object(Bucket="team-data", Key="k")["Body"].read() == b"1"
    assert s3.list_objects_v2(Bucket="team-data")["KeyCount"] == 3
    with refused("AccessDenied", "s3:DeleteObject"):
        s3.delete_object(Bucket="team-data", Key="k")
    with refused("AccessDenied", "s3:ListAllMyBuckets"):
        s3.list_buckets()
    with refused("AccessDeniedException", "eks:ListClusters"):
        aws.client("eks", keys=session(aws, role)).list_clusters()


def test_missing_key_looks_forbidden_to_who_may_not_list(aws: Any, refused: Any) -> None:
    register_issuer(aws)
    role = make_role(aws, "reader", allow("s3:GetObject", "arn:aws:s3:::team-data/*"))
    with refused("AccessDenied"):
        aws.client("s3", keys=session(aws, role)).get_object(Bucket="team-data", Key="none")
    with refused("NoSuchKey"):
        aws.client("s3").get_object(Bucket="team-data", Key="none")


def test_boundary_takes_away(aws: Any, refused: Any) -> None:
    register_issuer(aws)
    iam = aws.client("iam")
    boundary = iam.create_policy(
        PolicyName="edge", PolicyDocument=json.dumps(policy(allow("s3:GetObject")))
    )["Policy"]["Arn"]
    role = make_role(aws, "bounded", allow("s3:*"))
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=boundary)
    s3 = aws.client("s3", keys=session(aws, role))
    s3.get_object(Bucket="team-data", Key="models/base.bin")
    with refused("AccessDenied"):
        s3.put_object(Bucket="team-data", Key="k", Body=b"")


def test_sessions_end(aws: Any, refused: Any) -> None:
    register_issuer(aws)
    keys = session(aws, make_role(aws, "short", allow("*")))
    READ["s3"](aws.client("s3", keys=keys))
    aws.stand_in.expire_sessions()
    with refused("ExpiredToken"):
        READ["s3"](aws.client("s3", keys=keys))
    with refused("ExpiredTokenException"):
        READ["eks"](aws.client("eks", keys=keys))


def test_assuming_a_role_by_name_and_by_account(aws: Any, refused: Any) -> None:
    iam, sts = aws.client("iam"), aws.client("sts")
    for name, principal in (
        ("by-account", {"AWS": ACCOUNT_ID}),
        ("by-name", {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:user/demo-admin"}),
        ("for-machines", {"Service": "ec2.amazonaws.com"}),
    ):
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(statement)))

    def become(name: str) -> None:
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/{name}", RoleSessionName="me")

    become("by-account")
    aws.stand_in.set_admin_policies([policy(allow("iam:*"))])
    become("by-name")
    for name in ("by-account", "for-machines", "not-there"):
        with refused("AccessDenied", "sts:AssumeRole"):
            become(name)


def test_administrator_can_be_held_to_a_policy(aws: Any, refused: Any) -> None:
    path = f"arn:aws:iam::{ACCOUNT_ID}:role/anyscale-k8s/*"
    aws.stand_in.set_admin_policies(
        [policy(allow(["iam:CreateRole", "iam:TagRole"], path), allow("s3:CreateBucket"))]
    )
    iam = aws.client("iam")
    document = json.dumps(trust(aws))
    tags = [{"Key": "a", "Value": "b"}]
    iam.create_role(
        RoleName="in", Path="/anyscale-k8s/x/", AssumeRolePolicyDocument=document, Tags=tags
    )
    with refused("AccessDenied", "iam:CreateRole"):
        iam.create_role(RoleName="out", AssumeRolePolicyDocument=document)
    configuration = {"LocationConstraint": "us-west-2", "Tags": tags}
    with refused("AccessDenied", "s3:TagResource"):
        aws.client("s3").create_bucket(Bucket="tagged", CreateBucketConfiguration=configuration)


def test_bucket_policy_can_deny_its_owner(aws: Any, refused: Any) -> None:
    s3 = aws.client("s3")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::team-data/models/*",
    }
    s3.put_bucket_policy(Bucket="team-data", Policy=json.dumps(policy(statement)))
    with refused("AccessDenied", "explicit deny"):
        s3.get_object(Bucket="team-data", Key="models/base.bin")
    s3.get_object(Bucket="team-data", Key="reports/2025.csv")


# -- simulation and IAM's own rules ----------------------------------------------------


def test_simulation_agrees_with_what_is_enforced(aws: Any, refused: Any) -> None:
    iam = aws.client("iam")
    make_role(
        aws,
        "operator",
        allow("s3:*", "arn:aws:s3:::mine*"),
        {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"},
    )
    results = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT_ID}:role/operator",
        ActionNames=["s3:GetObject", "s3:DeleteBucket"],
        ResourceArns=["arn:aws:s3:::mine/k", "arn:aws:s3:::yours/k"],
    )["EvaluationResults"]
    # One for each action, which is the strictest of all resources.
    assert [result["EvalDecision"] for result in results] == ["implicitDeny", "explicitDeny"]
    assert [
        [item["EvalResourceDecision"] for item in result["ResourceSpecificResults"]]
        for result in results
    ] == [["allowed", "implicitDeny"], ["explicitDeny", "explicitDeny"]]
    user = aws.client("sts").get_caller_identity()["Arn"]
    (result,) = iam.simulate_principal_policy(PolicySourceArn=user, ActionNames=["iam:CreateRole"])[
        "EvaluationResults"
    ]
    assert result["EvalDecision"] == "allowed"
    with refused("NoSuchEntity"):
        iam.simulate_principal_policy(PolicySourceArn=f"{user}-no", ActionNames=["s3:GetObject"])
    (result,) = iam.simulate_custom_policy(
        PolicyInputList=[json.dumps(policy(allow("s3:Get*")))], ActionNames=["s3:PutObject"]
    )["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"


def test_roles_must_be_well_formed(aws: Any, refused: Any) -> None:
    iam = aws.client("iam")
    good = json.dumps(trust(aws))
    with refused("ValidationError", "less than or equal to 64"):
        iam.create_role(RoleName="x" * 65, AssumeRolePolicyDocument=good)
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="x", AssumeRolePolicyDocument="{}")
    with refused("NoSuchEntity", "Scope ARN"):
        iam.create_role(
            RoleName="x",
            AssumeRolePolicyDocument=good,
            PermissionsBoundary=f"arn:aws:iam::{ACCOUNT_ID}:policy/none",
        )
    nobody = {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:user/nobody"}
    statement = {"Effect": "Allow", "Principal": nobody, "Action": "sts:AssumeRole"}
    with refused("MalformedPolicyDocument", "Invalid principal"):
        iam.create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(policy(statement)))
    with refused("NoSuchEntity", "The role with name x cannot be found."):
        iam.get_role(RoleName="x")


def test_roles_are_found_by_path_and_providers_once(aws: Any, refused: Any) -> None:
    iam = aws.client("iam")
    iam.create_role(
        RoleName="mine",
        Path="/anyscale-k8s/prod/",
        AssumeRolePolicyDocument=json.dumps(trust(aws)),
    )
    roles = iam.list_roles(PathPrefix="/anyscale-k8s/")["Roles"]
    assert [role["RoleName"] for role in roles] == ["mine"]
    register_issuer(aws)
    with refused("EntityAlreadyExists", "already exists"):
        register_issuer(aws)


def test_policy_that_cannot_be_evaluated_is_no_silent_yes(aws: Any, refused: Any) -> None:
    late = {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}
    aws.stand_in.set_admin_policies([policy({**allow("*"), "Condition": late})])
    with refused("NotImplemented", "DateLessThan"):
        aws.client("iam").list_roles()
