"""The page of a spec, on every platform: what a setup would make, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import WorkloadEndpoints
from anyscale_k8s_cli.operations.review import Image, egress, held_by, once, registry_of
from anyscale_k8s_cli.operations.review.beforehand import beforehand
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.provider_registry import PLATFORMS, load
from anyscale_k8s_cli.run import Run

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs" / "schemas" / "review.json").read_text(encoding="utf-8")
)
WITH_IDENTITY = ("eks", "gke", "aks")


def page(platform: str, **said: Any) -> dict[str, Any]:
    flags = {path.replace("__", "."): value for path, value in said.items()}
    named = {"provider": platform, "name": "prod", **flags}
    document = beforehand(named, None, {}, Run()).as_json()
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def names(document: dict[str, Any], part: str, key: str = "name") -> list[str]:
    return [item[key] for item in document[part]]


def documents(document: dict[str, Any]) -> list[dict[str, str]]:
    return [told for item in document["identities"] for told in item["documents"]]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_tells_whom_it_lets_in_and_where_data_is(platform: str) -> None:
    document = page(platform)
    (bucket,) = document["data"]

    assert bucket["ownership"] == "ours"
    assert names(document, "identities")[0] == "anyscale-operator/anyscale-operator"
    assert ("anyscale-cli-token" in names(document, "secrets")) is (platform not in WITH_IDENTITY)
    # A cluster without a cloud makes nothing but a bucket.
    assert bool(documents(document)) is (platform != "generic")
    told = "".join(told["name"] + told["text"] for told in documents(document))
    assert (bucket["bucket"] in told) is (platform != "generic")
    wanted = [item.text for item in load(platform, Run()).permissions(Verb.SETUP)]
    assert [told["text"] for told in document["setup"]["documents"]][: len(wanted)] == wanted
    assert document["setup"]["documents"][-1]["format"] == "Kubernetes ClusterRole"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_id_is_told_that_follows_from_what_is_not_known(platform: str) -> None:
    text = json.dumps(page(platform)["identities"] + page(platform)["data"])

    assert "<id>" in text
    assert re.search(r"prod-?[0-9a-f]{8}", text) is None


def test_the_trust_is_that_of_one_service_account() -> None:
    trust, policy = documents(page("eks"))

    (statement,) = json.loads(trust["text"])["Statement"]
    assert statement["Condition"]["StringEquals"]["<the cluster's issuer>:sub"] == (
        "system:serviceaccount:anyscale-operator:anyscale-operator"
    )
    assert {item["Resource"] for item in json.loads(policy["text"])["Statement"]} == {
        "arn:<partition>:s3:::anyscale-prod-<id>",
        "arn:<partition>:s3:::anyscale-prod-<id>/*",
    }


def test_the_short_form_of_a_role_has_what_its_policy_has() -> None:
    document = page("eks")
    _, policy = documents(document)
    written = [item["Action"] for item in json.loads(policy["text"])["Statement"]]
    (role,) = (item for item in document["identities"] if item["title"] == "IAM role")
    told = [right.partition(" on ")[0] for right in role["rights"] if right.startswith("s3:")]
    assert told == [action for actions in written for action in actions]


def test_what_rays_pods_have_apart_is_told() -> None:
    told = names(page("eks", identity__workloads="separate"), "identities")
    assert {"anyscale-operator/anyscale-workloads", "anyscale-operator/anyscale-operator"} <= {
        *told
    }
    assert [name for name in told if name.endswith("-workloads") and "/anyscale-k8s/" in name]
    assert not [name for name in names(page("eks"), "identities") if "workloads" in name]


@pytest.mark.parametrize("platform", WITH_IDENTITY)
@pytest.mark.parametrize(
    ("workloads", "whose"), [("same", "the operator's"), ("separate", "these pods' own")]
)
def test_whose_rights_jobs_have_is_told(platform: str, workloads: str, whose: str) -> None:
    members = page(platform, identity__workloads=workloads)["outside"][-1]
    assert members["may"] == f"run code in Ray's pods, with the rights of {whose} service account"


def test_the_way_to_the_role_that_is_said_is_told() -> None:
    document = page("eks", identity__kind="pod-identity")
    titles = " ".join(item["title"] for item in document["identities"])
    assert "EKS Pod Identity association" in titles
    assert "OIDC" not in titles.replace("in place of the OIDC provider", "")
    trust = next(item for item in documents(document) if "trust" in item["name"])
    assert "pods.eks.amazonaws.com" in trust["text"]
    assert "<the cluster's ARN>" in trust["text"]


@pytest.mark.parametrize("platform", WITH_IDENTITY)
def test_what_the_user_has_is_not_made(platform: str) -> None:
    document = page(platform, existing__bucket="mine", existing__identity="my-identity")

    assert [(item["bucket"], item["ownership"]) for item in document["data"]] == [
        ("mine", "adopted")
    ]
    assert document["data"][0]["protection"] == {}
    assert documents(document) == []
    assert "my-identity" in names(document, "identities")
    made = [item["title"] for item in document["identities"] if item["rights"]]
    assert made == (["IAM OIDC provider"] if platform == "eks" else [])


@pytest.mark.parametrize(
    ("platform", "said", "left"),
    [
        ("gke", {"existing__identity": "me@p.iam"}, "roles on the bucket anyscale-prod-<id>"),
        ("gke", {"existing__bucket": "mine"}, "who may act as "),
        ("aks", {"existing__identity": "mine"}, "role assignment"),
        ("nebius", {"existing__identity": "serviceaccount-1"}, "group anyscale-prod-<id>"),
        ("oke", {"existing__identity": "ocid1.user.1"}, "policy anyscale-prod-<id>"),
    ],
)
def test_what_is_granted_to_what_the_user_has_is_told(
    platform: str, said: dict[str, str], left: str
) -> None:
    (told,) = documents(page(platform, **said))

    assert told["name"].startswith(left)
    given = said.get("existing__identity", "")
    assert platform == "oke" or given in told["text"]


@pytest.mark.parametrize("platform", ["coreweave", "nebius", "oke"])
def test_with_keys_of_ones_own_nothing_is_made_but_a_bucket(platform: str) -> None:
    document = page(platform, existing__storage_keys="use")

    assert len(document["identities"]) == 2
    assert [item["ownership"] for item in document["data"]] == ["ours"]


def test_pods_that_prove_themselves_are_let_in_by_the_policy_and_have_no_key() -> None:
    document = page("coreweave", existing__storage_keys="federation")
    (policy,) = documents(document)

    assert len(json.loads(policy["text"])["statements"]) == 3
    assert "<the cluster's issuer>" in policy["text"]
    assert "access key" not in names(document, "identities", "title")
    assert "<the platform's token service>" in names(document, "egress", "host")


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure"])
def test_an_install_has_one_store(kind: str) -> None:
    assert len(page("generic", storage__kind=kind)["data"]) == 1


def test_names_and_ways_in_are_as_they_are_said() -> None:
    document = page(
        "eks",
        rules__names={"bucket": "logs", "role": "ray"},
        rules__kms_key="alias/mine",
        network__expose="internal",
        network__allow_cidrs=("10.0.0.0/8",),
    )

    assert names(document, "data", "bucket") == ["logs"]
    assert "ray" in names(document, "identities")
    assert document["data"][0]["protection"]["encryption"] == "aws:kms alias/mine"
    assert document["network"]["exposure"] == "internal"
    assert document["network"]["allow_cidrs"] == ["10.0.0.0/8"]
    assert [item["port"] for item in document["network"]["listeners"]] == [80, 443, 443]


def test_of_a_gateway_of_ones_own_nothing_is_claimed() -> None:
    network = page("eks", existing__gateway="mesh/gateway")["network"]

    assert network["address"] == "mesh/gateway"
    assert network["listeners"] == []


def test_without_a_name_there_is_no_page() -> None:
    with pytest.raises(errors.CliError) as caught:
        beforehand({"provider": "eks"}, None, {}, Run())

    assert caught.value.code is errors.MISSING_INPUT


def test_a_host_is_told_once_with_all_that_it_is_for() -> None:
    store = WorkloadEndpoints("https://cloud.test", "https://cloud.test/token")
    found = egress("https://console.anyscale.com", store, ["docker.io"])
    hosts = [item["host"] for item in found]

    assert len(hosts) == len(set(hosts))
    (way,) = [item for item in found if item["host"] == "cloud.test"]
    assert way["why"] == "the bucket; a pod's own token is exchanged for one of the store's"
    assert {"console.anyscale.com", "api.anyscale.com", "docker.io"} <= set(hosts)


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("python:3", "docker.io"),
        ("timberio/vector:1", "docker.io"),
        ("nvcr.io/nvidia/plugin:1", "nvcr.io"),
        ("localhost/one", "localhost"),
        ("mirror:5000/one", "mirror:5000"),
    ],
)
def test_images_come_from_where_their_names_say(image: str, host: str) -> None:
    assert registry_of(image) == host


def test_an_image_has_no_second_line_without_its_digest() -> None:
    told = (Image("a", "x", "sha256:1"), Image("a", "x"), Image("b", "x"))

    assert once(told) == (Image("a", "x", "sha256:1"), Image("b", "x"))


@pytest.mark.parametrize(
    ("secret", "holds"),
    [
        ("anyscale-svc-cldrsrc-1-certificate", "services"),
        ("anyscale-cldrsrc-1-certificate", "sessions"),
        ("anyscale-aws-credentials", "object store"),
        ("sh.helm.release.v1.eg.v1", "Helm"),
        ("somebody-elses", ""),
    ],
)
def test_secrets_are_known_by_their_names(secret: str, holds: str) -> None:
    assert holds in held_by(secret)
    assert bool(held_by(secret)) is bool(holds)


def test_a_registry_of_ones_own_is_the_one_that_nodes_ask() -> None:
    document = page("eks", pods__image_registry="registry.example/mirror")

    assert {item["image"].partition("/")[0] for item in document["images"]} == {"registry.example"}
    assert [item["host"] for item in document["egress"] if item["from"] == "nodes"] == [
        "registry.example"
    ]
