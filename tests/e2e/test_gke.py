"""The life of a cloud on GKE, on what is made for it, and then on what somebody made by hand.

The commands are run once, in order; each test looks at another side of what they left.
The cluster has Google's own Gateway API and GPU plugin, which are nobody's business here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.world import GkeWorld, World
from tests.google_by_hand import GoogleByHand
from tests.processes import UNTRIED, Desk, Ended, Sandbox, started

NAME = "anyscale-g-f273c466"
EMAIL = f"{NAME}@demo.iam.gserviceaccount.com"
BUCKET = f"gcp:bucket/{NAME}"
ACCOUNT = f"gcp:service-account/{NAME}"
OWN = "hand-made"
OWN_EMAIL = f"{OWN}@demo.iam.gserviceaccount.com"
OWN_BUCKET = "hand-made-data"
TWIN = "serviceAccount:demo.svc.id.goog[anyscale-operator/anyscale-operator]"


def setup(cluster: str, *more: str) -> tuple[str, ...]:
    where = ("--provider", "gke", "--project-id", "demo", "--region", "us-central1")
    return ("setup", *where, "--cluster-name", cluster, "--name", "g", "--yes", *more)


@dataclass(frozen=True)
class Page:
    """One command: how it ended, what it wrote anywhere, and the world after it."""

    ended: Ended
    writes: list[str]
    world: dict[str, Any] = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        return self.ended.document

    @property
    def changes(self) -> dict[str, str]:
        return {item["key"]: item["change"] for item in self.document["resources"]}

    @property
    def google(self) -> dict[str, Any]:
        return dict(self.world["google"])


@dataclass
class Book:
    """Pages by name."""

    sandbox: Sandbox
    pages: dict[str, Page] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    brought: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.beginning = self.sandbox.admin.snapshot()

    def __getitem__(self, name: str) -> Page:
        return self.pages[name]

    def write(self, name: str, *arguments: str, **more: Any) -> None:
        mark = self.sandbox.admin.last_call()
        ended = self.sandbox.anyscale("cloud", *arguments, "-o", "json", **more)
        calls = self.sandbox.admin.calls(after=mark, writes_only=True)
        ours = [
            f"{call['operation']['name']} {call['operation']['resource']}"
            for call in calls
            if call["operation"]["principal"].startswith("demo-admin@")
        ]
        self.pages[name] = Page(ended, ours, self.sandbox.admin.snapshot())


@pytest.fixture(scope="module")
def book(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Book]:
    world = World(platforms=("gke",), gke=GkeWorld(gateway_api=True))
    with started(desks(), homes, world) as sandbox:
        made, hand = Book(sandbox), GoogleByHand(sandbox.environment)
        made.write("autopilot", *setup("auto"))
        made.write("setup", *setup("demo", *UNTRIED))
        made.write("again", *setup("demo", *UNTRIED), env={"PYTHONPROFILEIMPORTTIME": "1"})
        made.write("elsewhere", "status", "g", "--region", "europe-west1")
        sandbox.admin.break_("bucket", platform="gke")
        made.write("bucket gone", "status", "g")
        made.write("bucket made", *setup("demo", *UNTRIED))
        made.values["ours"] = hand.operator_values()
        make_by_hand(hand)
        made.brought = brought(sandbox.admin.snapshot())
        own = ("--bucket", OWN_BUCKET, "--identity", OWN_EMAIL)
        made.write("by hand", *setup("demo", *own, *UNTRIED))
        made.values["by hand"] = hand.operator_values()
        made.write("delete", "delete", "g", "--yes", fresh_home=True)
        where = ("--project-id", "demo", "--yes")
        made.write("delete all", "delete", "g", *where, "--delete-bucket", NAME, fresh_home=True)
        yield made


def brought(world: dict[str, Any]) -> dict[str, Any]:
    """All of what was made by hand, but for the objects of the proofs that it can be used."""
    google = world["google"]
    bucket = dict(google["buckets"][OWN_BUCKET])
    proofs = ("anyscale-operator-check/", "org_", "anyscale-k8s-cli/")
    bucket["versions"] = [item for item in bucket["versions"] if not item[0].startswith(proofs)]
    return {"bucket": bucket, "account": google["service_accounts"][OWN_EMAIL]}


def make_by_hand(hand: GoogleByHand) -> None:
    """A bucket and an account for the operator."""
    itself = f"serviceAccount:{OWN_EMAIL}"
    rule = {"origin": ["*"], "method": ["*"], "responseHeader": ["*"]}
    uniform = {"uniformBucketLevelAccess": {"enabled": True}}
    wanted = {"location": "US-CENTRAL1", "cors": [rule], "iamConfiguration": uniform}
    hand.call("storage", "POST", "/b?project=demo", {"name": OWN_BUCKET, **wanted})
    accounts = "/v1/projects/demo/serviceAccounts"
    hand.call("iam", "POST", accounts, {"accountId": OWN})
    grants = [
        {"role": "roles/iam.workloadIdentityUser", "members": [TWIN]},
        {"role": "roles/iam.serviceAccountTokenCreator", "members": [itself]},
    ]
    path = f"{accounts}/{OWN_EMAIL}"
    policy = {**hand.call("iam", "POST", f"{path}:getIamPolicy"), "bindings": grants}
    # Policies do not know a new account at once.
    assert any(hand.try_to("iam", "POST", f"{path}:setIamPolicy", {"policy": policy}) for _ in "12")
    policy = hand.call("storage", "GET", f"/b/{OWN_BUCKET}/iam")
    policy["bindings"].append({"role": "roles/storage.admin", "members": [itself]})
    hand.call("storage", "PUT", f"/b/{OWN_BUCKET}/iam", policy)


def test_a_bucket_that_is_gone_is_told_as_lost_data(book: Book) -> None:
    page = book["bucket gone"]
    assert page.ended.code == 6
    assert page.document["cause"].startswith(f"Cloud Storage bucket {NAME}: it does not exist any")
    assert "is lost unless it is restored" in page.document["cause"]
    assert "would make a new, empty one" in page.document["evidence"][0]
    assert book["bucket made"].document["health"] == "HEALTHY"


def test_an_autopilot_cluster_is_refused_before_anything_is_made(book: Book) -> None:
    page = book["autopilot"]
    assert page.ended.code == 1
    assert page.document["error"]["code"] == "gke-autopilot"
    assert page.writes == []


def test_setup_makes_everything_and_ends_well(book: Book) -> None:
    page = book["setup"]
    assert page.ended.code == 0, page.ended.err
    assert page.document["health"] == "HEALTHY"
    assert page.changes[BUCKET] == page.changes[ACCOUNT] == "create"


def test_a_second_setup_only_reads(book: Book) -> None:
    page = book["again"]
    assert page.ended.code == 0, page.ended.err
    assert set(page.changes.values()) <= {"none", "keep"}
    assert page.writes == []


def test_no_other_clouds_sdk_is_loaded(book: Book) -> None:
    lines = [line.rpartition("|")[2].strip() for line in book["again"].ended.err.splitlines()]
    assert "google.cloud.storage" in lines
    assert {line.partition(".")[0] for line in lines}.isdisjoint({"boto3", "botocore", "azure"})


def test_what_is_googles_is_used_and_left_alone(book: Book) -> None:
    changes = book["setup"].changes
    assert changes["helm:release/nvidia-device-plugin/nvdp"] == "keep"
    assert changes["k8s:definitions/gateway.networking.k8s.io"] == "keep"
    before = googles(book.beginning)
    assert {key.partition(".")[0] for key in before} == {
        *("customresourcedefinitions", "daemonsets", "gatewayclasses")
    }
    for name in ("setup", "delete", "delete all"):
        assert googles(book[name].world) == before, name


def googles(world: dict[str, Any]) -> dict[str, Any]:
    """What came with the cluster: definitions and classes of gateways, and the GPU plugin."""
    return {
        key: (item.get("spec"), item["metadata"]["labels"], item["metadata"].get("annotations"))
        for key, item in world["kubernetes"]["gke/demo"].items()
        if item["metadata"].get("labels", {}).get("addonmanager.kubernetes.io/mode")
    }


def test_a_region_that_leads_past_the_cloud_is_told(book: Book) -> None:
    """Without --project-id: its clusters are looked through in the project of the credentials."""
    told = book["elsewhere"].document["error"]
    assert told["code"] == "cloud-elsewhere"
    assert "--region us-central1 --project-id demo --cluster-name demo" in told["fix"]


def test_a_deletion_from_an_empty_home_leaves_the_bucket_alone(book: Book) -> None:
    page = book["delete"]
    assert page.ended.code == 0, page.ended.err
    assert page.document["left"] == page.document["unsearched"] == []
    ours = [item["key"] for item in page.document["kept"] if item["ownership"] == "ours"]
    assert ours == [BUCKET]
    left = without_own(page.google)
    kept = left["buckets"].pop(NAME)
    assert EMAIL not in str(kept["policy"])
    assert left == book.beginning["google"]


def test_what_is_made_by_hand_leads_to_the_same_values(book: Book) -> None:
    page = book["by hand"]
    assert page.ended.code == 0, page.ended.err
    assert page.document["health"] == "HEALTHY"
    assert page.changes[f"gcp:bucket/{OWN_BUCKET}"] == "adopt"
    assert page.changes[f"gcp:service-account/{OWN}"] == "adopt"
    ours = book.values["ours"]
    assert ours["global"]["auth"]["iamIdentity"] == EMAIL
    renamed = json.loads(json.dumps(ours).replace(EMAIL, OWN_EMAIL))
    assert renamed == book.values["by hand"]


def test_what_was_made_by_hand_is_read_back_as_it_was(book: Book) -> None:
    """Its settings, policies and labels, after a setup with it and after the deletion."""
    assert book.brought["bucket"]["policy"]
    for name in ("by hand", "delete", "delete all"):
        assert brought(book[name].world) == book.brought, name


def without_own(google: dict[str, Any]) -> dict[str, Any]:
    """What there is, but for what was made by hand."""
    kinds = {"buckets": OWN_BUCKET, "service_accounts": OWN_EMAIL}
    rest = {
        kind: {key: item for key, item in google[kind].items() if key != own}
        for kind, own in kinds.items()
    }
    return {**google, **rest}


def test_a_deletion_with_the_bucket_leaves_what_was_there(book: Book) -> None:
    page = book["delete all"]
    assert page.ended.code == 0, page.ended.err
    assert page.document["left"] == []
    assert not [item for item in page.document["kept"] if item["ownership"] == "ours"]
    assert without_own(page.google) == book.beginning["google"]
    assert (
        page.world["kubernetes"]["gke/demo"].keys()
        >= book.beginning["kubernetes"]["gke/demo"].keys()
    )
