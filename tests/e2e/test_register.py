"""What somebody made by hand is registered, installed with what is printed, and left alone.

Every platform lives the same life in a sandbox of its own: made by hand, registered,
registered again, installed, verified, deleted. The commands are run once, in order; each
test looks at another side of what they left.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID, EksClusterSeed
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.world import World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, eventually, finished, started

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
NAMESPACE, SECOND = "anyscale-operator", "second"
BUCKET, ROLE = "company-data", "company-operator"
ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/{ROLE}"
WHERE = ("--provider", "aws", "--region", "us-west-2")
CLUSTER = ("--cluster-name", "demo")
BROUGHT = ("--cloud-storage-bucket-name", BUCKET, "--anyscale-operator-iam-identity", ARN)
FILES = ("--values-file", "values.yaml", "--manifests-dir", "manifests")
ZONES = ("--kubernetes-zones", "us-west-2a,us-west-2b")


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("eks",))) as sandbox:
        story = Story(sandbox)
        make_by_hand(story)
        story.beginning = sandbox.admin.snapshot()
        register(story)
        install_by_hand(story)
        story.tell("verify", "verify", "prod")
        story.tell("delete", "delete", "prod", "--yes", fresh_home=True)
        without_cluster(story)
        with_operator(story)
        yield story


def make_by_hand(story: Story) -> None:
    issuer = EksClusterSeed().issuer.removeprefix("https://")
    provider = f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}"
    subjects = [f"system:serviceaccount:{name}:anyscale-operator" for name in (NAMESPACE, SECOND)]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{issuer}:sub": subjects, f"{issuer}:aud": "sts.amazonaws.com"}
        },
    }
    objects = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}*"}
    iam, s3 = story.hand.aws("iam"), story.hand.aws("s3")
    iam.create_open_id_connect_provider(Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"])
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=ROLE, PolicyName="data", PolicyDocument=policy(objects))
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    console = {
        "AllowedOrigins": [story.hand.environment["ANYSCALE_HOST"]],
        "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
        "ExposeHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
    }
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [console]})
    (story.folder / "company.pem").write_bytes(Authority().ca_pem)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def register(story: Story) -> None:
    said = (*WHERE, *CLUSTER, "--name", "prod", *BROUGHT)
    story.tell("nothing brought", "register", *WHERE, *CLUSTER, "--name", "prod", "--yes")
    story.tell("dry run", "register", *said, "--dry-run")
    story.tell("unattended", "register", *said)
    story.tell("register", "register", *said, *FILES, "--yes")
    story.tell("again", "register", *said, *FILES, "--yes")
    redis = ("--kubernetes-redis-endpoint", "redis.demo:6379")
    story.tell("with redis", "register", *said, *redis, "--yes")
    pods = ("--pod-label", "team=ml", "--image-registry", "registry.example")
    story.tell("without redis", "register", *said, *pods, "--yes")
    story.tell("with a bundle", "register", *said, "--ca-bundle", "company.pem", "--dry-run")


def install_by_hand(story: Story) -> None:
    """All that is printed; once the Gateway has its address, the operator."""
    steps = [step["command"] for step in story["register"].done["next"]]
    definitions, _, applied = steps[0].partition(" | ")
    assert applied.startswith("kubectl --server ")
    apply(story, helm(story, definitions))
    for command in steps[1:]:
        if command.startswith("helm") and "anyscale-operator " not in command:
            helm(story, command)
    for file in sorted((story.folder / "manifests").iterdir()):
        apply(story, file.read_text(encoding="utf-8"))
    eventually(lambda: has_address(story))
    said = (*WHERE, *CLUSTER, "--name", "prod", *BROUGHT, *FILES, "--yes")
    steps = story.tell("with address", "register", *said).done["next"]
    helm(story, next(step["command"] for step in steps if "anyscale-operator " in step["command"]))


def apply(story: Story, manifests: str) -> None:
    for document in yaml.safe_load_all(manifests):
        if document:
            story.hand.apply(document)


def has_address(story: Story) -> bool:
    place = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/gateway"
    status = story.hand.kubernetes.get(place).json().get("status") or {}
    return bool(status.get("addresses"))


def helm(story: Story, command: str) -> str:
    """Type a printed command in a shell that is signed in to the cluster."""
    kubeconfig = story.folder / "by-hand.yaml"
    kubeconfig.write_text(yaml.safe_dump(story.hand.kubeconfig()), encoding="utf-8")
    environment = {**story.sandbox.environment, "KUBECONFIG": str(kubeconfig)}
    program, *words = shlex.split(command)
    assert program == "helm"
    argv = [environment["ANYSCALE_K8S_HELM"], *words]
    done = finished(argv, environment, story.folder)
    assert done.code == 0, done.err
    return done.out


def without_cluster(story: Story) -> None:
    said = (*WHERE, "--name", "later", *BROUGHT, "--yes")
    story.tell("no zones", "register", *said)
    story.tell("unplaced", "register", *said, *ZONES)
    story.tell("unplaced status", "status", "later")
    story.tell("placed", "register", *said, *ZONES, *CLUSTER)
    story.tell("unplaced delete", "delete", "later", "--yes", fresh_home=True)


def with_operator(story: Story) -> None:
    space = ("--namespace", SECOND, "--network", "none")
    said = (*WHERE, "--name", "second", *space, *BROUGHT, "--yes")
    story.tell("no cluster", "register", *said, "--install-operator")
    installed = (*said, *CLUSTER, "--install-operator", *UNTRIED)
    story.tell("installed", "register", *installed)
    story.tell("installed again", "register", *installed)
    story.tell("installed delete", "delete", "second", "--yes", fresh_home=True)


# -- registering ---------------------------------------------------------------------


def test_what_is_not_brought_is_not_made(story: Story) -> None:
    page = story["nothing brought"]
    assert page.ended.code == 1
    error = page.document["error"]
    assert error["code"] == "missing-input"
    assert "--cloud-storage-bucket-name, --anyscale-operator-iam-identity" in error["message"]
    assert page.writes == []


def test_it_writes_to_the_control_plane_and_nowhere_else(story: Story) -> None:
    assert (
        story["dry run"].done["summary"] | {"create": 2, "adopt": 3}
        == (story["dry run"].done["summary"])
    )
    assert story["dry run"].writes == []
    for name in ("register", "with redis", "without redis", "unplaced"):
        assert story[name].ended.code == 0, name
        assert story[name].writes, name
        assert all("/api/v2/clouds/" in call for call in story[name].writes), story[name].writes


def test_what_is_brought_stays_as_it_is(story: Story) -> None:
    for name, page in story.pages.items():
        assert brought(page.seen) == brought(story.beginning), name


def brought(seen: dict[str, Any]) -> dict[str, Any]:
    """But for the objects of the proofs that the bucket can be used."""
    aws = seen["aws"]
    bucket = dict(aws["buckets"][BUCKET])
    proofs = ("anyscale-operator-check/", "org_", "anyscale-k8s-cli/")
    bucket["versions"] = [item for item in bucket["versions"] if not item[0].startswith(proofs)]
    return {"bucket": bucket, "role": aws["roles"][ROLE], "providers": aws["oidc_providers"]}


def test_the_same_again_changes_nothing(story: Story) -> None:
    assert set(story["again"].changes.values()) == {"adopt", "none"}
    assert story["again"].writes == []
    assert story["again"].done["cloud_resource_id"] == story["register"].done["cloud_resource_id"]


def test_with_other_arguments_it_says_what_changes(story: Story) -> None:
    key = "anyscale:cloud-resource/eks-92c04b15"
    told = {item["key"]: item["reason"] for item in story["with redis"].done["resources"]}
    assert told[key] == "kubernetes_config.redis_endpoint: absent → 'redis.demo:6379'"
    told = {item["key"]: item["reason"] for item in story["without redis"].done["resources"]}
    assert told[key] == "kubernetes_config.redis_endpoint: 'redis.demo:6379' → absent"
    assert "Redis answers at redis.demo:6379" in {
        item["title"] for item in story["with redis"].done["left_out"]
    }
    assert "redis.demo" in json.dumps(story["with redis"].seen["control_plane"])
    assert "redis.demo" not in json.dumps(story["without redis"].seen["control_plane"])


def test_what_it_says_fits_what_is_published(story: Story) -> None:
    schema = json.loads((SCHEMAS / "register.json").read_text(encoding="utf-8"))
    for page in story.pages.values():
        if page.command == "register":
            jsonschema.Draft202012Validator(schema).validate(page.document)


def test_unattended_it_needs_a_yes(story: Story) -> None:
    assert story["unattended"].ended.code == 5
    assert story["unattended"].document["error"]["code"] == "confirmation-needed"
    assert story["unattended"].writes == []


# -- what is handed over -----------------------------------------------------------


def test_the_values_are_whole_once_the_gateway_has_an_address(story: Story) -> None:
    before = story["register"].done["values"]
    assert before["global"]["controlPlaneURL"] == story.hand.environment["ANYSCALE_HOST"]
    assert before["global"]["auth"]["iamIdentity"] == ARN
    assert "hostname" not in before["networking"]["gateway"]
    after = story["with address"].done["values"]
    assert after["networking"]["gateway"].pop("hostname").endswith("elb.us-west-2.amazonaws.com")
    assert after == before
    written = yaml.safe_load((story.folder / "values.yaml").read_text(encoding="utf-8"))
    assert written == story["with address"].done["values"] | written


def test_what_is_said_of_pods_is_handed_over_too(story: Story) -> None:
    handed = story["without redis"].done
    told = {step["title"]: step["command"] for step in handed["next"]}
    controller = told["Install the gateway's controller"]
    assert """--set-json 'global={"imageRegistry": "registry.example"}'""" in controller
    assert """--set-json 'certgen={"job": {"pod": {"labels": {"team": "ml"}}}}'""" in controller
    plugin = told["Install the plugin for GPUs"]
    assert '"repository": "registry.example/nvidia/k8s-device-plugin"' in plugin
    label = told["Label its pods"]
    assert label.count("-n nvidia-device-plugin") == 2
    assert """'{"spec": {"template": {"metadata": {"labels": {"team": "ml"}}}}}'""" in label
    assert handed["values"]["operator"]["labels"] == {"team": "ml"}
    (proxy,) = [
        item["spec"]["provider"]["kubernetes"]["envoyDeployment"]
        for manifest in handed["manifests"]
        for item in manifest["documents"]
        if item["kind"] == "EnvoyProxy"
    ]
    assert proxy["pod"] == {"labels": {"team": "ml"}}
    assert proxy["container"]["image"].startswith("registry.example/envoyproxy/envoy:")
    refused = story["with a bundle"].document["error"]
    assert (refused["code"], refused["fix"].split()[-1]) == ("invalid-spec", "--install-operator")


def test_no_manifest_is_marked_as_this_tools(story: Story) -> None:
    for file in (story.folder / "manifests").iterdir():
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            assert "anyscale-k8s/" not in json.dumps(document), file


def test_what_was_installed_by_hand_verifies(story: Story) -> None:
    page = story["verify"]
    found = {item["code"]: item["status"] for item in page.done["checks"]}
    assert page.done["well"]
    for code in ("operator-health", "operator-identity", "operator-storage", "storage-console"):
        assert found[code] == "pass", code


def test_delete_removes_the_registration_and_nothing_else(story: Story) -> None:
    page = story["delete"]
    assert {item["key"] for item in page.done["removed"]} == {
        "anyscale:cloud/prod",
        "anyscale:cloud-resource/eks-92c04b15",
    }
    assert page.writes
    assert all("/api/v2/clouds/" in call for call in page.writes), page.writes
    for name in (
        f"deployments.apps/{NAMESPACE}/anyscale-operator",
        f"gateways.gateway.networking.k8s.io/{NAMESPACE}/gateway",
        f"namespaces//{NAMESPACE}",
    ):
        assert name in page.seen["kubernetes"]["demo"], name


# -- without a cluster ---------------------------------------------------------------


def test_without_a_cluster_the_zones_must_be_said(story: Story) -> None:
    assert story["no zones"].ended.code == 1
    assert "--kubernetes-zones" in story["no zones"].document["error"]["message"]


def test_without_a_cluster_it_says_what_was_left_out(story: Story) -> None:
    page = story["unplaced"].done
    assert page["cluster"] is None
    left = {item["title"]: item["reason"] for item in page["left_out"]}
    assert left["The cluster answers and knows who is asking"] == "no cluster was named"
    assert left[f"IAM role {ROLE} admits the operator of the cluster"] == "no cluster was named"
    assert page["values"]["global"]["cloudDeploymentId"] == page["cloud_resource_id"]
    assert "without a cluster" in story["unplaced status"].document["cause"]


def test_the_cluster_may_follow(story: Story) -> None:
    first, then = story["unplaced"].done, story["placed"].done
    assert then["cluster"] == "demo"
    assert then["cloud_resource_id"] == first["cloud_resource_id"]
    assert story["placed"].writes == []
    assert [item["key"] for item in story["unplaced delete"].done["removed"]] == [
        "anyscale:cloud/later",
        *(item["key"] for item in first["resources"] if item["kind"] == "anyscale:cloud-resource"),
    ]


# -- with the operator ------------------------------------------------------------------


def test_the_operator_is_installed_as_setup_would(story: Story) -> None:
    assert story["no cluster"].ended.code == 1
    page = story["installed"]
    assert page.done["health"] == "HEALTHY"
    made = {key for key, change in page.changes.items() if change == "create"}
    assert f"helm:release/{SECOND}/anyscale-operator" in made
    assert not [key for key in made if key.startswith("aws:")]
    assert story["installed again"].writes == []


def test_what_was_installed_goes_and_what_was_brought_stays(story: Story) -> None:
    page = story["installed delete"]
    gone = {item["key"] for item in page.done["removed"]}
    assert f"helm:release/{SECOND}/anyscale-operator" in gone
    assert not [key for key in gone if key.startswith("aws:")]
    assert {item["kind"] for item in page.done["kept"]} >= {"bucket", "identity"}
