"""What AWS refuses although it is well-formed: sizes, alphabets, combinations."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

WEST = {"LocationConstraint": "us-west-2"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
BUCKET = "arn:aws:s3:::ours"


def role(iam: Any, name: str = "another", trust: Any = TRUST, **more: Any) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **more)


def allowing(*resources: str) -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": list(resources)}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust_for(most: int) -> dict[str, Any]:
    values = [f"value-{number}" for number in range(most)]
    condition = {"StringEquals": {"aws:SourceAccount": values}}
    return {**TRUST, "Statement": [{**TRUST["Statement"][0], "Condition": condition}]}


@pytest.fixture
def iam(aws: Any) -> Any:
    client = aws.client("iam")
    role(client, "role")
    return client


@pytest.mark.parametrize(
    ("call", "code", "told"),
    [
        (lambda iam: role(iam, trust=trust_for(300)), "LimitExceeded", "ACLSizePerRole: 2048"),
        (lambda iam: role(iam, "ROLE"), "EntityAlreadyExists", "ROLE"),
        (lambda iam: role(iam, "x y"), "ValidationError", "'x y' at 'roleName'"),
        (lambda iam: role(iam, Path="no/slash"), "ValidationError", "at 'path'"),
        (lambda iam: role(iam, Description="é" * 1001), "ValidationError", "equal to 1000"),
        (
            lambda iam: role(iam, Tags=[{"Key": "team", "Value": "a|b"}]),
            "ValidationError",
            "tags.1.member.value",
        ),
        (
            lambda iam: role(iam, Tags=[{"Key": "aws:team", "Value": "a"}]),
            "InvalidInput",
            "reserved",
        ),
        (
            lambda iam: iam.tag_role(RoleName="role", Tags=[{"Key": "{}", "Value": ""}]),
            "ValidationError",
            "tags.1.member.key",
        ),
        (lambda iam: iam.delete_role(RoleName="none"), "NoSuchEntity", "none"),
        (
            lambda iam: iam.create_open_id_connect_provider(Url="http://issuer.example.com"),
            "InvalidInput",
            "Invalid Open ID Connect Provider URL",
        ),
    ],
)
def test_iam_refuses(
    iam: Any, refused: Any, call: Callable[[Any], object], code: str, told: str
) -> None:
    before = [found["RoleName"] for found in iam.list_roles()["Roles"]]
    with refused(code, told):
        call(iam)
    assert [found["RoleName"] for found in iam.list_roles()["Roles"]] == before


def test_tags_of_all_alphabets_are_taken(iam: Any) -> None:
    given = [{"Key": "équipe/团队", "Value": "a b_c.d:e/f=g+h-i@j"}]
    role(iam, Tags=given)
    assert iam.get_role(RoleName="another")["Role"]["Tags"] == given


def test_the_policies_of_a_role_have_one_limit_together(iam: Any, refused: Any) -> None:
    half = allowing(*(f"{BUCKET}/{number:0100}" for number in range(45)))
    iam.put_role_policy(RoleName="role", PolicyName="one", PolicyDocument=half)
    # Replacing a policy does not count it twice.
    iam.put_role_policy(RoleName="role", PolicyName="one", PolicyDocument=half)
    with refused("LimitExceeded", "10240 bytes exceeded for role role"):
        iam.put_role_policy(RoleName="role", PolicyName="two", PolicyDocument=half)


def test_a_role_with_policies_is_not_deleted(iam: Any, refused: Any) -> None:
    iam.put_role_policy(RoleName="role", PolicyName="one", PolicyDocument=allowing("*"))
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="role")
    iam.delete_role_policy(RoleName="role", PolicyName="one")
    iam.delete_role(RoleName="role")


def tags(*given: tuple[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in given]}


def cors(**rule: Any) -> dict[str, Any]:
    return {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], **rule}]}


def encryption(**default: str) -> dict[str, Any]:
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}


def lifecycle(*rules: dict[str, Any]) -> dict[str, Any]:
    common = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    return {"Rules": [{**common, **rule} for rule in rules]}


TWICE = {"ID": "one", "Expiration": {"Days": 1}}
PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}


def bucket_policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def s3(aws: Any) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket="ours", CreateBucketConfiguration=WEST)
    return client


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "told"),
    [
        ("put_bucket_tagging", {"Tagging": tags(("a", "b|c"))}, "InvalidTag", "TagValue"),
        ("put_bucket_tagging", {"Tagging": tags(("a{}", ""))}, "InvalidTag", "TagKey"),
        ("put_bucket_tagging", {"Tagging": tags(("aws:a", ""))}, "InvalidTag", "System tags"),
        ("put_bucket_tagging", {"Tagging": tags(("a", ""), ("a", ""))}, "InvalidTag", "same key"),
        (
            "put_bucket_tagging",
            {"Tagging": tags(*((f"k{number}", "") for number in range(51)))},
            "BadRequest",
            "50",
        ),
        (
            "put_bucket_cors",
            {"CORSConfiguration": cors(AllowedOrigins=["https://*.a.*"])},
            "InvalidRequest",
            "more than one wildcard",
        ),
        (
            "put_bucket_cors",
            {"CORSConfiguration": cors(ExposeHeaders=["*"])},
            "InvalidRequest",
            "ExposeHeader",
        ),
        (
            "put_bucket_encryption",
            {"ServerSideEncryptionConfiguration": encryption(SSEAlgorithm="none")},
            "MalformedXML",
            "",
        ),
        (
            "put_bucket_encryption",
            {
                "ServerSideEncryptionConfiguration": encryption(
                    SSEAlgorithm="AES256", KMSMasterKeyID="some"
                )
            },
            "InvalidArgument",
            "KMSMasterKeyID is not applicable",
        ),
        (
            "put_bucket_versioning",
            {"VersioningConfiguration": {"Status": "On"}},
            "MalformedXML",
            "",
        ),
        (
            "put_bucket_lifecycle_configuration",
            {"LifecycleConfiguration": lifecycle(TWICE, TWICE)},
            "InvalidArgument",
            "unique",
        ),
        (
            "put_bucket_lifecycle_configuration",
            {"LifecycleConfiguration": lifecycle({"ID": "idle"})},
            "InvalidRequest",
            "At least one action",
        ),
        ("put_bucket_acl", {"ACL": "public-read"}, "AccessControlListNotSupported", ""),
        ("put_bucket_policy", {"Policy": bucket_policy(**PUBLIC)}, "AccessDenied", "blocked"),
        (
            "put_bucket_policy",
            {"Policy": bucket_policy(**DENY, Resource="arn:aws:s3:::theirs/*")},
            "MalformedPolicy",
            "invalid resource",
        ),
        (
            "delete_objects",
            {"Delete": {"Objects": [{"Key": f"k{number}"} for number in range(1001)]}},
            "MalformedXML",
            "",
        ),
        ("put_object", {"Key": "k" * 1025, "Body": b""}, "KeyTooLongError", ""),
    ],
)
def test_s3_refuses(
    aws: Any, s3: Any, refused: Any, operation: str, parameters: Any, code: str, told: str
) -> None:
    before = aws.stand_in.snapshot()
    with refused(code, told):
        getattr(s3, operation)(Bucket="ours", **parameters)
    assert aws.stand_in.snapshot() == before


def test_a_new_bucket_with_bad_tags_is_not_made(aws: Any, s3: Any, refused: Any) -> None:
    with refused("InvalidTag", "TagValue"):
        s3.create_bucket(
            Bucket="another",
            CreateBucketConfiguration={**WEST, "Tags": [{"Key": "a", "Value": "{}"}]},
        )
    assert "another" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_policy_that_only_denies_or_has_a_condition_is_not_public(s3: Any) -> None:
    private = {"StringEquals": {"aws:PrincipalAccount": "284710593866"}}
    statements = [{**DENY, "Resource": BUCKET}, {**PUBLIC, "Condition": private}]
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket="ours", Policy=json.dumps(policy))
