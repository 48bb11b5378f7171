"""A cluster without a cloud that proves itself to one: no key of the store is in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.origin import cors_origin
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.world import GenericWorld, World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, Sandbox, started

NAMESPACE = "anyscale-operator"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:anyscale-operator"
AUDIENCE = "sts.amazonaws.com"
BUCKET = "keyless-data"
TOKEN_VOLUME = "anyscale-storage-token"


class Owner:
    """Whoever the AWS account belongs to, who makes what the cluster is to be known by."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._session = boto3.session.Session(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-west-2",
        )

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._environment["AWS_ENDPOINT_URL"])

    def make_bucket(self, origin: str) -> None:
        s3 = self.client("s3")
        location: Any = {"LocationConstraint": "us-west-2"}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        rule: Any = {
            "AllowedOrigins": [origin],
            "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
        }
        s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})

    def make_role(self, bucket: str) -> str:
        """A role that may use a bucket, and that nobody can assume yet."""
        iam = self.client("iam")
        nobody = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName="onprem-ray", AssumeRolePolicyDocument=policy(nobody))
        rights = [
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": f"arn:aws:s3:::{bucket}",
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": f"arn:aws:s3:::{bucket}/*",
            },
        ]
        iam.put_role_policy(
            RoleName="onprem-ray", PolicyName="bucket", PolicyDocument=policy(*rights)
        )
        return str(made["Role"]["Arn"])

    def admit_issuer(self, issuer: str, audience: str) -> str:
        iam = self.client("iam")
        return str(
            iam.create_open_id_connect_provider(
                Url=issuer, ClientIDList=[audience], ThumbprintList=["0" * 40]
            )["OpenIDConnectProviderArn"]
        )

    def trust(self, *statements: Any) -> None:
        self.client("iam").update_assume_role_policy(
            RoleName="onprem-ray", PolicyDocument=policy(*statements)
        )


def policy(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def kubernetes(sandbox: Sandbox) -> Kubernetes:
    return Kubernetes(from_context("demo", Path(sandbox.environment["KUBECONFIG"])), Run())


def statement_in(text: str) -> Any:
    """The trust statement that an error tells to add."""
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    world = World(platforms=("eks", "generic"), generic=GenericWorld(public_issuer=True))
    with started(desks(), homes, world) as sandbox:
        found = sandbox.environment
        told, owner = Story(sandbox), Owner(found)
        owner.make_bucket(cors_origin(found["ANYSCALE_HOST"]))
        role = owner.make_role(BUCKET)
        setup = (
            *("setup", "--provider", "generic", "--context", "demo", "--region", "onprem"),
            *("--name", "w", "--yes", "--identity", role),
            *("--storage-endpoint", found["AWS_ENDPOINT_URL"], "--storage-region", "us-west-2"),
            *("--bucket", BUCKET, "--network", "none", "--gpu", "off", *UNTRIED),
        )
        # Whoever sets up has keys of the account; the cluster is to have none.
        own = {name: "" for name in found if name.startswith("ANYSCALE_K8S_STORAGE_")}
        issuer = kubernetes(sandbox).issuer().url
        told.tell("nobody knows the cluster", *setup, env=own)
        owner.admit_issuer(issuer, AUDIENCE)
        owner.trust({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})
        told.tell("nobody trusts it", *setup, env=own)
        owner.trust(statement_in(told["nobody trusts it"].document["error"]["fix"]))
        told.tell("setup", *setup, "--probe", env=own)
        told.tell("again", *setup, env=own)
        deployment = kubernetes(sandbox).get("apps/v1", "Deployment", NAMESPACE, NAMESPACE)
        assert deployment is not None
        told.beginning["deployment"] = deployment
        told.beginning["secret"] = kubernetes(sandbox).get(
            "v1", "Secret", "anyscale-aws-credentials", NAMESPACE
        )
        told.tell("delete", "delete", "w", "--yes", env=own)
        yield told


def test_what_the_role_lacks_is_told_before_the_operator_is_installed(story: Story) -> None:
    for page, lacks in (
        ("nobody knows the cluster", "OIDC provider"),
        ("nobody trusts it", "trust policy"),
    ):
        error = story[page].document["error"]
        assert (error["code"], error["exit_code"]) == ("federation-refused", 4)
        assert lacks in error["fix"]
        assert f"its subject is {SUBJECT}" in error["evidence"]
        assert not [call for call in story[page].writes if "Deployment" in call]


def test_setup_ends_well_with_the_statement_that_was_told(story: Story) -> None:
    assert story["setup"].done["health"] == "HEALTHY"
    [role] = [key for key in story["setup"].changes if key.startswith("federated-identity/")]
    assert story["setup"].changes[role] == "adopt"


def test_a_second_setup_only_reads(story: Story) -> None:
    assert set(story["again"].changes.values()) <= {"none", "adopt", "keep"}
    assert story["again"].done["summary"]["none"] > 0
    assert story["again"].writes == []


def test_a_pod_assumes_the_role_with_a_token_of_its_own(story: Story) -> None:
    (asked,) = [item for item in story["setup"].done["probe"] if item["code"] == "pod-storage"]
    assert asked["status"] == "pass", asked
    assert ", by web identity, role arn:" in asked["detail"]


def test_no_key_is_in_the_cluster(story: Story) -> None:
    data = {
        name: base64.b64decode(text).decode()
        for name, text in story.beginning["secret"]["data"].items()
    }
    assert data["credentials"] == ""
    assert "aws_secret_access_key" not in data["config"]
    secret = story.sandbox.environment["AWS_SECRET_ACCESS_KEY"]
    assert secret not in str(story.pages.values())


def test_the_operator_has_a_token_that_is_made_for_the_cloud(story: Story) -> None:
    pod = story.beginning["deployment"]["spec"]["template"]["spec"]
    [volume] = [item for item in pod["volumes"] if item["name"] == TOKEN_VOLUME]
    [source] = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == AUDIENCE


def test_deletion_leaves_the_role_and_what_vouches_for_it(story: Story) -> None:
    end = story["delete"]
    assert end.ended.code == 0, end.ended.err
    # What is in the bucket changed for as long as the operator looked after it.
    before, after = ({**page.seen["aws"]} for page in (story["setup"], end))
    assert before.pop("buckets").keys() == after.pop("buckets").keys()
    assert before == after
