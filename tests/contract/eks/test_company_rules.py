"""What a company's policies demand of everything that is made: enforced, and met by the options."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.sandbox.aws.seed import DATA_KEY
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings

from .conftest import CLUSTER, WITH_AGENT, World, client

ROLES = "arn:aws:iam::284710593866:role"
BOUNDARY = "arn:aws:iam::284710593866:policy/developers"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
MAKES = [
    *("iam:CreateRole", "iam:CreateOpenIDConnectProvider"),
    *("s3:CreateBucket", "eks:CreatePodIdentityAssociation"),
]
TAGS = [*MAKES, "iam:TagRole", "iam:TagOpenIDConnectProvider", "s3:TagResource", "eks:TagResource"]
KNOWN_KEYS = ["team", "anyscale-k8s/*"]


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def denying(actions: list[str], **condition: Any) -> dict[str, Any]:
    rule = {"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": condition}
    return document(EVERYTHING, rule)


# A policy of the account; rules of a spec that break it, and such as meet it.
RULES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a tag": (
        denying(MAKES, Null={"aws:RequestTag/team": "true"}),
        {},
        {"tags": {"team": "ml"}},
    ),
    "a tag of some values": (
        denying(TAGS, StringNotEquals={"aws:RequestTag/stage": ["dev", "prod"]}),
        {"tags": {"stage": "test"}},
        {"tags": {"stage": "prod"}},
    ),
    "no other tags, denied": (
        denying(TAGS, **{"ForAnyValue:StringNotLike": {"aws:TagKeys": KNOWN_KEYS}}),
        {"tags": {"owner": "me"}},
        {"tags": {"team": "ml"}},
    ),
    "no other tags, allowed": (
        document(
            {"Effect": "Allow", "NotAction": TAGS, "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": TAGS,
                "Resource": "*",
                "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": KNOWN_KEYS}},
            },
        ),
        {"tags": {"owner": "me"}},
        {"tags": {"team": "ml"}},
    ),
    "a boundary": (
        denying(["iam:CreateRole"], StringNotEquals={"iam:PermissionsBoundary": BOUNDARY}),
        {},
        {"permissions_boundary": BOUNDARY},
    ),
    "a path": (
        document(
            EVERYTHING,
            {"Effect": "Deny", "Action": "iam:CreateRole", "NotResource": f"{ROLES}/team/*"},
        ),
        {},
        {"role_path": "/team/"},
    ),
}


# An association has tags, and neither a boundary nor a path.
OF_TAGS = {told: rule for told, rule in RULES.items() if told not in ("a boundary", "a path")}


@pytest.mark.parametrize(
    ("cluster", "rules"),
    [(CLUSTER, RULES), (WITH_AGENT, OF_TAGS)],
    ids=["irsa", "pod-identity"],
)
def test_each_rule_is_enforced_and_met(
    start: Callable[[AwsSettings], World], cluster: Any, rules: Any
) -> None:
    """Each by an install of its own."""
    world = start(AwsSettings(clusters=(cluster,)))
    policy = json.dumps(document(EVERYTHING))
    client("iam").create_policy(PolicyName="developers", PolicyDocument=policy)
    for number, (demanded, bad, good) in enumerate(rules.values()):
        own = {"name": f"cloud-{number}", "namespace": f"cloud-{number}"}
        world.stand_in.set_admin_policies([demanded])
        with pytest.raises(CliError) as refused:
            world.setup(world.spec(**own, rules=bad))
        assert refused.value.code is errors.FORBIDDEN
        side = world.setup(world.spec(**own, rules=good))
        assert {item.change.value for item in world.plan(side).changes} == {"none"}


@pytest.mark.parametrize(
    ("action", "object_"),
    [
        ("s3:CreateBucket", "buckets"),
        ("iam:CreateRole", "roles"),
        ("iam:CreateOpenIDConnectProvider", "oidc_providers"),
        ("eks:CreatePodIdentityAssociation", "pod_identity_associations"),
    ],
)
def test_each_kind_of_object_has_its_tags_from_its_first_moment(
    start: Callable[[AwsSettings], World], action: str, object_: str
) -> None:
    """The rule is about the call that makes it, and of one kind alone."""
    cluster = WITH_AGENT if action.startswith("eks:") else CLUSTER
    world = start(AwsSettings(clusters=(cluster,)))
    before = world.snapshot()[object_]
    world.stand_in.set_admin_policies([denying([action], Null={"aws:RequestTag/team": "true"})])
    with pytest.raises(CliError, match=action):
        world.setup()
    assert world.snapshot()[object_] == before
    world.setup(world.spec(rules={"tags": {"team": "ml"}}))
    assert len(world.snapshot()[object_]) == len(before) + 1


KEY = f"arn:aws:kms:us-west-2:284710593866:key/{DATA_KEY.id}"
OF_UPLOADS = "s3:x-amz-server-side-encryption-aws-kms-key-id"
OTHERS_KEY = {"StringNotEquals": {OF_UPLOADS: KEY}}


@pytest.mark.parametrize("settings", [AwsSettings(clusters=(CLUSTER,), refused_attempts=0)])
@pytest.mark.parametrize("strict", [False, True], ids=["what names another", "all else"])
def test_a_key_demanded_of_uploads_is_told_before_the_operator_is_installed(
    world: World, strict: bool
) -> None:
    """AWS asks what an upload says, and not what its bucket adds; of buckets it can demand none."""
    condition = OTHERS_KEY if strict else {**OTHERS_KEY, "Null": {OF_UPLOADS: "false"}}
    boundary = json.dumps(denying(["s3:PutObject"], **condition))
    client("iam").create_policy(PolicyName="developers", PolicyDocument=boundary)
    rules = {"permissions_boundary": BOUNDARY, "kms_key": KEY}
    side = world.setup(world.spec(rules=rules, timeouts={"identity": 0.4}))
    if not strict:
        assert len(world.prove(side)) == 2
    else:
        with pytest.raises(CliError, match="may not s3:PutObject") as refused:
            world.prove(side)
        assert refused.value.code is errors.BUCKET_DENIED
    world.stand_in.set_admin_policies([json.loads(boundary)])
    upload = {"Bucket": side.storage.output.url.removeprefix("s3://"), "Key": "x", "Body": b"x"}
    kms = {"ServerSideEncryption": "aws:kms"}
    client("s3").put_object(**upload, **kms, SSEKMSKeyId=KEY)
    with pytest.raises(ClientError, match="explicit deny"):
        client("s3").put_object(**upload, **kms, SSEKMSKeyId=f"{KEY}-2")
