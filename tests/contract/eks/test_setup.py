"""What setup makes, finds changed, mends, and will not touch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.sandbox.aws.seed import DATA_KEY
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from tests.cloud_sides import CONSOLE

from .conftest import CLUSTER, World, client

BUCKET = "anyscale-prod-92c04b15"
ROLE = f"{BUCKET}-operator"
PROVIDER = "arn:aws:iam::284710593866:oidc-provider/" + CLUSTER.issuer.removeprefix("https://")
ALL = {"s3-bucket", "iam-oidc-provider", "iam-role"}


def of_kind(resources: tuple[Resource[Any], ...], kind: str) -> Any:
    return next(item for item in resources if item.kind == kind)


def test_a_plan_writes_nothing(world: World) -> None:
    before = world.snapshot()
    calls = world.calls(world.changes)
    assert not [call.operation.name for call in calls if call.operation.write]
    assert world.snapshot() == before


def test_everything_is_made_once(world: World) -> None:
    assert world.changes() == dict.fromkeys(ALL, "create")
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")
    assert not [c for c in world.calls(world.setup) if c.operation.write]


def test_what_is_made(world: World) -> None:
    world.setup(world.spec(rules={"tags": {"team": "ml"}}))
    found = world.snapshot()
    bucket = found["buckets"][BUCKET]
    assert bucket["versioning"] == "Enabled"
    assert all(bucket["public_access_block"].values())
    assert bucket["ownership"] == "BucketOwnerEnforced"
    assert [rule["allowed_origins"] for rule in bucket["cors"]] == [[CONSOLE]]
    assert [rule["id"] for rule in bucket["lifecycle"]] == [
        "anyscale-k8s-old-versions",
        "anyscale-k8s-unfinished-uploads",
    ]
    role = found["roles"][ROLE]
    assert role["path"] == "/anyscale-k8s/prod/"
    condition = role["trust"]["Statement"][0]["Condition"]["StringEquals"]
    prefix = CLUSTER.issuer.removeprefix("https://")
    assert condition == {
        f"{prefix}:sub": "system:serviceaccount:anyscale-operator:anyscale-operator",
        f"{prefix}:aud": "sts.amazonaws.com",
    }
    provider = found["oidc_providers"][PROVIDER]
    assert provider["client_ids"] == ["sts.amazonaws.com"]
    for tags in (bucket["tags"], role["tags"], provider["tags"]):
        assert tags["team"] == "ml"
        assert tags["anyscale-k8s/managed-by"] == "anyscale-k8s-cli"
    for tags in (bucket["tags"], role["tags"]):
        assert tags["anyscale-k8s/install"] == "92c04b15"
    assert "anyscale-k8s/user-92c04b15" in provider["tags"]


def test_what_others_need_is_known_before_it_exists(world: World) -> None:
    """So that a plan names a bucket that is gone, and nothing that stands on it."""
    foreseen = world.cloud_side()
    assert world.changes() == dict.fromkeys(ALL, "create")
    made = world.setup()
    assert foreseen.storage.output == made.storage.output
    assert foreseen.identity.output == made.identity.output


def test_every_bucket_call_says_whose_it_expects(world: World) -> None:
    calls = world.calls(world.setup)
    asked = [
        call.operation.body
        for call in calls
        if call.operation.service == "s3" and call.operation.name != "CreateBucket"
    ]
    assert asked
    assert {body["ExpectedBucketOwner"] for body in asked} == {"284710593866"}


def break_tags(s3: Any) -> None:
    found = s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    for tag in found:
        if tag["Key"] == "anyscale-k8s/region":
            tag["Value"] = "elsewhere"
    found.append({"Key": "put-by", "Value": "somebody"})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": found})


def break_lifecycle(s3: Any) -> None:
    theirs = {
        "ID": "theirs",
        "Status": "Enabled",
        "Filter": {"Prefix": "tmp/"},
        "Expiration": {"Days": 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [theirs]})


def break_cors(s3: Any) -> None:
    theirs = {"ID": "theirs", "AllowedOrigins": ["https://x.example"], "AllowedMethods": ["GET"]}
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [theirs]})


def break_block(s3: Any) -> None:
    s3.put_public_access_block(
        Bucket=BUCKET,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": True,
        },
    )


BREAKS: dict[str, Callable[[Any], Any]] = {
    "tag anyscale-k8s/region": break_tags,
    "lifecycle rule anyscale-k8s-unfinished-uploads": break_lifecycle,
    "CORS for the console": break_cors,
    "without BlockPublicPolicy": break_block,
    "versioning": lambda s3: s3.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
    ),
    "object ownership": lambda s3: s3.put_bucket_ownership_controls(
        Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    "encryption": lambda s3: s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    ),
}


def test_each_setting_of_the_bucket_is_watched_and_mended(world: World) -> None:
    """One world for all: each is broken and mended by itself."""
    side = world.setup()
    s3 = client("s3")
    for told, make in BREAKS.items():
        make(s3)
        planned = {item.resource.kind: item for item in world.plan(side).changes}
        updated = {kind for kind, item in planned.items() if item.change.value == "update"}
        assert updated == {"s3-bucket"}, told
        assert told in planned["s3-bucket"].decision.reason
        assert len(world.writes(lambda: world.apply(side))) == 1, told
    assert world.changes() == dict.fromkeys(ALL, "none")
    bucket = world.snapshot()["buckets"][BUCKET]
    assert bucket["tags"]["put-by"] == "somebody"
    assert "theirs" in {rule["id"] for rule in bucket["lifecycle"]}
    assert "theirs" in {rule["id_"] for rule in bucket["cors"]}


def test_role_and_provider_are_watched_and_mended(world: World) -> None:
    world.setup()
    iam = client("iam")
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    )
    trust = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"]["StringEquals"].popitem()
    iam.put_role_policy(RoleName=ROLE, PolicyName="anyscale-operator", PolicyDocument=document)
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    iam.untag_open_id_connect_provider(
        OpenIDConnectProviderArn=PROVIDER, TagKeys=["anyscale-k8s/user-92c04b15"]
    )
    assert world.changes() == {
        "s3-bucket": "none",
        "iam-oidc-provider": "update",
        "iam-role": "update",
    }
    assert "trust policy" in world.reasons()["iam-role"]
    assert "permissions policy" in world.reasons()["iam-role"]
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_what_was_deleted_by_hand_is_made_again(world: World) -> None:
    side = world.setup()
    for gone in sorted(ALL):
        victim = of_kind(side.resources, gone)
        victim.delete(victim.read())
        assert world.changes() == {**dict.fromkeys(ALL, "none"), gone: "create"}
        world.apply(side)
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_a_crash_at_any_write_is_gone_on_from(world: World) -> None:
    """The second install crashes at each of its writes, and ends like the first."""
    world.writes(world.setup)
    whole = world.snapshot()["buckets"][BUCKET]
    spec = world.spec(name="crash")
    # The provider object is shared: what is written there is a mark, and not its creation.
    counted = world.spec(name="whole")
    writes = world.writes(lambda: world.setup(counted))
    assert len(writes) > len(ALL)
    world.interrupted(lambda: world.setup(spec), writes, FaultKind.ERROR, 400)
    assert world.changes(spec) == dict.fromkeys(ALL, "none")
    name = world.cloud_side(spec).storage.output.url.removeprefix("s3://")
    made = world.snapshot()["buckets"][name]
    assert made["lifecycle"] == whole["lifecycle"]
    assert made["cors"] == whole["cors"]


def test_an_answer_that_is_lost_is_no_failure(world: World) -> None:
    for operation in ("CreateBucket", "CreateRole", "CreateOpenIDConnectProvider", "PutRolePolicy"):
        world.fault(operation, FaultKind.ERROR_AFTER, status=500)
    world.setup()
    assert all(rule.fired for rule in world.wire.rules)
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_throttling_is_waited_out(world: World) -> None:
    world.fault("Put*", FaultKind.THROTTLE, times=2)
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")


# -- names ------------------------------------------------------------------------


def test_a_name_that_somebody_else_has(world: World) -> None:
    spec = world.spec(rules={"names": {"bucket": "somebody-elses"}})
    assert world.changes(spec)["s3-bucket"] == "refuse"
    reason = world.reasons(spec)["s3-bucket"]
    assert "another AWS account" in reason
    assert "anyscale-prod-92c04b15-284710593866" in reason


def test_a_bucket_of_the_account_that_is_not_ours(world: World) -> None:
    before = world.snapshot()
    spec = world.spec(rules={"names": {"bucket": "team-data"}})
    with pytest.raises(errors.CliError) as caught:
        world.setup(spec)
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert world.snapshot() == before


def test_a_role_of_the_account_that_is_not_ours(world: World) -> None:
    spec = world.spec(rules={"names": {"role": "demo-node"}})
    assert world.changes(spec)["iam-role"] == "refuse"


def test_a_name_that_is_still_being_deleted(world: World) -> None:
    world.stand_in.name_being_deleted(BUCKET, 2)
    world.setup()
    assert world.changes()["s3-bucket"] == "none"


def test_a_name_that_is_not_freed_in_time(world: World) -> None:
    world.stand_in.name_being_deleted(BUCKET, 1000)
    with pytest.raises(errors.CliError) as caught:
        world.setup(world.spec(timeouts={"deletion": 0.1}))
    assert caught.value.code is codes.BUCKET_BEING_DELETED


def test_names_path_boundary_and_tags_of_the_company(world: World) -> None:
    iam = client("iam")
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    boundary = iam.create_policy(PolicyName="limit", PolicyDocument=json.dumps(everything))
    arn = boundary["Policy"]["Arn"]
    spec = world.spec(
        rules={
            "names": {"bucket": "acme-data", "role": "acme-operator"},
            "role_path": "acme/ml",
            "permissions_boundary": arn,
            "tags": {"owner": "ml"},
        }
    )
    world.setup(spec)
    found = world.snapshot()
    assert found["buckets"]["acme-data"]["tags"]["owner"] == "ml"
    role = found["roles"]["acme-operator"]
    assert (role["path"], role["boundary"]) == ("/acme/ml/", arn)
    assert world.changes(spec) == dict.fromkeys(ALL, "none")
    iam.delete_role_permissions_boundary(RoleName="acme-operator")
    assert "permissions boundary" in world.reasons(spec)["iam-role"]
    world.setup(spec)
    assert world.snapshot()["roles"]["acme-operator"]["boundary"] == arn


@pytest.mark.parametrize("made", [None, "corp/a"])
def test_a_role_that_is_there_stays_at_its_path(world: World, made: str | None) -> None:
    """IAM moves no role: another path is refused, none is no wish."""
    first = world.spec(rules={"role_path": made} if made else {})
    world.setup(first)
    before = world.snapshot()
    path = before["roles"][ROLE]["path"]
    with pytest.raises(errors.CliError) as caught:
        world.setup(world.spec(rules={"role_path": "/corp/b/", "tags": {"team": "ml"}}))
    assert caught.value.code is errors.INVALID_SPEC
    assert f"path: '{path}' → '/corp/b/', which nobody can change" in caught.value.cause
    assert caught.value.fix == f"leave --role-path out, or give --role-path {path}"
    assert world.snapshot() == before
    for spec in (first, world.spec(), world.spec(rules={"role_path": path})):
        assert world.changes(spec) == dict.fromkeys(ALL, "none")


def test_without_the_right_to_tag_at_creation(world: World) -> None:
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "s3:TagResource", "Resource": "*"}
    world.stand_in.set_admin_policies([{"Version": "2012-10-17", "Statement": [allowed, denied]}])
    world.setup()
    assert world.snapshot()["buckets"][BUCKET]["tags"]["anyscale-k8s/install"] == "92c04b15"


def test_the_region_that_takes_no_constraint(start: Callable[[AwsSettings], World]) -> None:
    world = start(AwsSettings(clusters=(replace(CLUSTER, region="us-east-1"),)))
    spec = world.spec(region="us-east-1")
    side = world.setup(spec)
    name = side.storage.output.url.removeprefix("s3://")
    assert world.snapshot()["buckets"][name]["region"] == "us-east-1"
    assert world.changes(spec) == dict.fromkeys(ALL, "none")


def test_another_partition(start: Callable[[AwsSettings], World]) -> None:
    world = start(
        AwsSettings(clusters=(replace(CLUSTER, region="cn-north-1"),), buckets=(), kms_keys=())
    )
    spec = world.spec(region="cn-north-1")
    side = world.setup(spec)
    assert side.identity.output.registered.startswith("arn:aws-cn:iam::")
    assert world.changes(spec) == dict.fromkeys(ALL, "none")


def test_a_key_of_kms(world: World) -> None:
    by_alias = world.spec(rules={"kms_key": "alias/team-data"})
    side = world.setup(by_alias)
    for spec in (by_alias, world.spec(rules={"kms_key": DATA_KEY.id})):
        assert world.changes(spec) == dict.fromkeys(ALL, "none")
    arn = f"arn:aws:kms:us-west-2:284710593866:key/{DATA_KEY.id}"
    policy = json.loads(world.snapshot()["roles"][ROLE]["inline"]["anyscale-operator"])
    assert policy["Statement"][-1]["Resource"] == arn
    assert len(world.prove(side)) == 2


# -- the OIDC provider -----------------------------------------------------------


def test_tags_that_are_no_longer_wanted_go_and_others_stay(world: World) -> None:
    world.setup(world.spec(rules={"tags": {"team": "ml", "cost": "42", "kept": "x"}}))
    spec = world.spec(rules={"tags": {"kept": "x"}})
    # What somebody wrote over is theirs.
    reasons = world.dropped(spec, {"team": "ml", "cost": "41"})
    assert reasons == dict.fromkeys({"s3-bucket", "iam-role"}, "tag team: 'ml' → absent")
    found = world.snapshot()
    for kind, name in (("buckets", BUCKET), ("roles", ROLE)):
        tags = found[kind][name]["tags"]
        assert "team" not in tags
        assert (tags["cost"], tags["kept"]) == ("42", "x")


def test_the_review_tells_who_may_what(world: World) -> None:
    side = world.setup()
    found, kept = world.reviewed(side)
    (statement,) = json.loads(found["trust policy"])["Statement"]
    assert ":oidc-provider/" in statement["Principal"]["Federated"]
    assert {item["Sid"] for item in json.loads(found["permissions policy"])["Statement"]} == {
        "Bucket",
        "Objects",
    }
    assert kept == {"encryption": "AES256", "public access": "blocked", "versioning": "Enabled"}
