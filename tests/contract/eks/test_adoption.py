"""What the user has already is used as it is, and refused where it does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.sandbox.aws.seed import DATA_KEY, TEAM_DATA, BucketSeed
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings

from .conftest import CLUSTER, World, client
from .test_setup import PROVIDER, of_kind


def register(client_id: str, tags: dict[str, str] | None = None) -> None:
    client("iam").create_open_id_connect_provider(
        Url=CLUSTER.issuer,
        ClientIDList=[client_id],
        ThumbprintList=["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )


def test_a_provider_that_is_there_is_used(world: World) -> None:
    register("sts.amazonaws.com")
    before = world.snapshot()["oidc_providers"]
    world.setup()
    assert world.changes()["iam-oidc-provider"] == "keep"
    assert world.snapshot()["oidc_providers"] == before


def test_a_provider_for_another_audience_cannot_be_used(world: World) -> None:
    register("somebody")
    assert world.changes()["iam-oidc-provider"] == "refuse"
    assert "sts.amazonaws.com" in world.reasons()["iam-oidc-provider"]


def test_a_provider_that_must_be_there(world: World) -> None:
    spec = world.spec(existing={"oidc_provider": "use"})
    assert world.changes(spec)["iam-oidc-provider"] == "refuse"
    register("sts.amazonaws.com")
    assert world.changes(spec)["iam-oidc-provider"] == "adopt"


def test_two_installs_share_a_provider(world: World) -> None:
    first = of_kind(world.setup().resources, "iam-oidc-provider")
    second = of_kind(world.setup(world.spec(name="dev")).resources, "iam-oidc-provider")
    observed = second.read()
    assert len(observed.marks) == 2
    assert "anyscale-prod-" in str(second.others(observed))
    second.unmark(observed)
    left = first.read()
    assert left.marks == {first.install.mark}
    assert "anyscale-dev-" in str(first.others(left))


# -- what the user has -------------------------------------------------------------

ADOPTED = BucketSeed("users-own", objects=(("data", b"1"),))


@pytest.fixture
def adopting(start: Callable[[AwsSettings], World]) -> World:
    far = BucketSeed("far-away", region="eu-west-1")
    strange = BucketSeed("somebody-elses", account_id="915532408817")
    return start(AwsSettings(clusters=(CLUSTER,), buckets=(TEAM_DATA, ADOPTED, far, strange)))


def admit_console() -> None:
    rule = {
        "AllowedOrigins": ["https://console.anyscale.com"],
        "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
        "AllowedHeaders": ["*"],
    }
    client("s3").put_bucket_cors(Bucket="users-own", CORSConfiguration={"CORSRules": [rule]})


def test_a_bucket_of_the_user_is_used_and_not_written(adopting: World) -> None:
    spec = adopting.spec(existing={"bucket": "users-own"})
    assert adopting.changes(spec)["s3-bucket"] == "refuse"
    assert "do not admit the console" in adopting.reasons(spec)["s3-bucket"]
    admit_console()
    before = adopting.snapshot()["buckets"]
    side = adopting.setup(spec)
    for given in ("users-own", "s3://users-own", "arn:aws:s3:::users-own"):
        again = adopting.spec(existing={"bucket": given})
        assert adopting.changes(again) == {
            "s3-bucket": "adopt",
            "iam-role": "none",
            "iam-oidc-provider": "none",
        }
    assert adopting.snapshot()["buckets"] == before
    assert side.storage.output.url == "s3://users-own"
    assert adopting.prove(side)


def test_the_key_of_the_users_bucket_is_in_the_roles_policy(adopting: World) -> None:
    admit_console()
    arn = f"arn:aws:kms:us-west-2:284710593866:key/{DATA_KEY.id}"
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    client("s3").put_bucket_encryption(
        Bucket="users-own",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    side = adopting.setup(adopting.spec(existing={"bucket": "users-own"}))
    assert adopting.prove(side)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere-to-be-found", "does not exist"),
        ("far-away", "it is in eu-west-1"),
        ("somebody-elses", "not in the account 284710593866"),
    ],
)
def test_a_bucket_that_cannot_be_adopted(adopting: World, name: str, told: str) -> None:
    spec = adopting.spec(existing={"bucket": name})
    assert adopting.changes(spec)["s3-bucket"] == "refuse"
    assert told in adopting.reasons(spec)["s3-bucket"]


def own_role(trust: dict[str, Any], policy: dict[str, Any]) -> str:
    iam = client("iam")
    role = iam.create_role(
        RoleName="users-role", Path="/own/", AssumeRolePolicyDocument=json.dumps(trust)
    )
    iam.put_role_policy(RoleName="users-role", PolicyName="p", PolicyDocument=json.dumps(policy))
    return str(role["Role"]["Arn"])


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ADMITS = document(
    {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringLike": {
                f"{CLUSTER.issuer.removeprefix('https://')}:sub": "system:serviceaccount:anyscale*"
            }
        },
    }
)
ADMITS_NOBODY = document(
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
)
MAY = document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
MAY_READ = document({"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"})


def test_a_role_of_the_user_is_used_and_not_written(world: World) -> None:
    arn = own_role(ADMITS, MAY)
    before = world.snapshot()["roles"]
    spec = world.spec(existing={"identity": arn})
    side = world.setup(spec)
    assert world.changes(spec)["iam-role"] == "adopt"
    assert world.snapshot()["roles"] == before
    assert side.service_account_annotations() == {"eks.amazonaws.com/role-arn": arn}


@pytest.mark.parametrize(
    ("trust", "policy", "told"),
    [
        (ADMITS_NOBODY, MAY, "does not admit system:serviceaccount:anyscale-operator"),
        (ADMITS, MAY_READ, "do not allow s3:PutObject, s3:DeleteObject"),
    ],
)
def test_a_role_that_cannot_be_adopted(
    world: World, trust: dict[str, Any], policy: dict[str, Any], told: str
) -> None:
    spec = world.spec(existing={"identity": own_role(trust, policy)})
    assert world.changes(spec)["iam-role"] == "refuse"
    assert told in world.reasons(spec)["iam-role"]


@pytest.mark.parametrize("pinned", ["sub", "aud", "issuer"])
def test_a_trust_for_somebody_else_is_told_with_the_statement(world: World, pinned: str) -> None:
    """Of another namespace, for another audience, or for another cluster."""
    issuer = CLUSTER.issuer.removeprefix("https://")
    bearer = {"sub": "system:serviceaccount:anyscale-operator:anyscale-operator"}
    condition = {**bearer, "aud": "sts.amazonaws.com"}
    others = {"sub": "system:serviceaccount:team-b:anyscale-operator", "aud": "vault"}
    condition = {**condition, **({pinned: others[pinned]} if pinned in others else {})}
    of = issuer if pinned != "issuer" else f"{issuer[:-1]}0"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER if pinned != "issuer" else f"{PROVIDER[:-1]}0"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{of}:{key}": text for key, text in condition.items()}},
    }
    spec = world.spec(existing={"identity": own_role(document(statement), MAY)})
    decision = next(
        item.decision
        for item in world.plan(world.cloud_side(spec)).changes
        if item.resource.kind == "iam-role"
    )
    assert decision.change.value == "refuse"
    # Whom it admits instead is named, too.
    assert others.get(pinned, of) in decision.reason
    asked = json.loads(decision.fix.partition("trust policy: ")[2])
    wanted = asked["Condition"]["StringEquals"]
    assert wanted[f"{issuer}:sub"] == bearer["sub"]
    assert wanted[f"{issuer}:aud"] == "sts.amazonaws.com"
    assert asked["Principal"]["Federated"] == PROVIDER


@pytest.mark.parametrize(
    "taken", ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
)
def test_one_action_that_a_role_lacks_is_told_with_its_statement(
    adopting: World, taken: str
) -> None:
    without = {"Effect": "Allow", "NotAction": taken, "Resource": "*"}
    arn = own_role(ADMITS, document(without))
    spec = adopting.spec(existing={"identity": arn, "bucket": "users-own"})
    decision = next(
        item.decision
        for item in adopting.plan(adopting.cloud_side(spec)).changes
        if item.resource.kind == "iam-role"
    )
    assert f"do not allow {taken} on arn:aws:s3:::users-own" in decision.reason
    (statement,) = json.loads(decision.fix.partition("policies: ")[2])
    place = "arn:aws:s3:::users-own" + ("" if taken == "s3:ListBucket" else "/*")
    assert statement == {"Effect": "Allow", "Action": [taken], "Resource": place}


def test_what_may_not_be_simulated_is_not_held_against_a_role(world: World) -> None:
    spec = world.spec(existing={"identity": own_role(ADMITS, MAY_READ)})
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "iam:Simulate*", "Resource": "*"}
    world.stand_in.set_admin_policies([document(allowed, denied)])
    assert world.changes(spec)["iam-role"] == "adopt"


@pytest.mark.parametrize(
    ("arn", "told"),
    [
        ("arn:aws:iam::284710593866:role/nobody", "does not exist"),
        ("arn:aws:iam::111111111111:role/other", "in the account 111111111111"),
    ],
)
def test_a_role_that_is_not_there(world: World, arn: str, told: str) -> None:
    spec = world.spec(existing={"identity": arn})
    assert told in world.reasons(spec)["iam-role"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"rules": {"names": {"lamp": "x"}}},
        {"rules": {"role_path": "/with space/"}},
        {"rules": {"permissions_boundary": "AdministratorAccess"}},
        {"existing": {"identity": "my-role"}},
        {"existing": {"bucket": "Not_A_Bucket"}},
        {"existing": {"bucket": "users-own"}, "rules": {"kms_key": "alias/a"}},
        {
            "existing": {"identity": "arn:aws:iam::284710593866:role/a"},
            "rules": {"role_path": "/a/"},
        },
    ],
)
def test_what_means_nothing_here_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(world.spec(**wrong))
    assert caught.value.code is errors.INVALID_SPEC


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"aws:x": "1"}, "--tag: aws:x=1: AWS keeps keys that begin with aws: to itself"),
        ({"AWS:x": "1"}, "AWS keeps keys"),
        ({"anyscale-k8s/install": "x"}, "this tool's own"),
        ({"team": "a,b"}, "--tag: team=a,b is no tag of AWS: letters, digits"),
        ({"te*m": "ml"}, "is no tag of AWS"),
        ({f"key{number}": "x" for number in range(40)}, "--tag: 40 are too many: 39"),
    ],
    ids=["aws", "capitals", "ours", "comma", "star", "many"],
)
def test_tags_that_aws_would_refuse(world: World, tags: dict[str, str], told: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(world.spec(rules={"tags": tags}))
    assert caught.value.code is errors.INVALID_SPEC
    assert told in caught.value.message


def test_tags_of_all_scripts_are_taken(world: World) -> None:
    world.provider.check_spec(world.spec(rules={"tags": {"Größe der Gruppe": "a+b@c=d/e_f:g-h.i"}}))
