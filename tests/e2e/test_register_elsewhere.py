"""What somebody made by hand is registered on every platform but EKS, which has a test of its own.

One life on each: made by hand, registered without a cluster, registered, installed, looked at,
deleted. Where stores are entered with keys, the bucket and the keys are those of
another cloud, whose they stay.
"""

from __future__ import annotations

import base64
import configparser
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from anyscale_k8s_cli.cluster.context import context_names, from_context
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.world import (
    AksWorld,
    CoreWeaveWorld,
    GenericWorld,
    GkeWorld,
    NebiusWorld,
    OkeWorld,
    World,
)
from tests.by_hand import AzureByHand
from tests.e2e.story import Story as Told
from tests.e2e.test_gke import OWN_BUCKET, OWN_EMAIL
from tests.e2e.test_gke import make_by_hand as make_on_google
from tests.google_by_hand import GoogleByHand
from tests.processes import UNTRIED, Desk, Sandbox, started

# Without GPUs, for which the same is installed as by a setup.
PLAIN = World(
    gke=GkeWorld(others=False, gpu_nodes=False),
    aks=AksWorld(gpu_nodes=False),
    generic=GenericWorld(gpu_nodes=False),
    coreweave=CoreWeaveWorld(gpu_nodes=False),
    nebius=NebiusWorld(gpu_nodes=False),
    oke=OkeWorld(gpu_nodes=False),
)
NAMESPACE = "anyscale-operator"
KEYS = ("ANYSCALE_K8S_STORAGE_ACCESS_KEY_ID", "ANYSCALE_K8S_STORAGE_SECRET_ACCESS_KEY")


class Story(Told):
    """With the variables that open the store; none where the platform vouches for pods."""

    opened: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Brought:
    """What to register: the options of it, and the variables that open it."""

    options: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Platform:
    """`where` leads to the account, `cluster` to the cluster; `zones` stand in for it.

    What is handed over for a gateway is tried on one platform; on others, `network` is none.
    """

    where: tuple[str, ...]
    cluster: tuple[str, ...]
    zones: tuple[str, ...] = ()
    network: tuple[str, ...] = ("--network", "none")


DEMO = ("--cluster-name", "demo")
PLATFORMS = {
    "gke": Platform(
        ("--project-id", "demo", "--region", "us-central1"),
        DEMO,
        ("--kubernetes-zones", "us-central1-a"),
        network=(),
    ),
    "aks": Platform(("--resource-group", "demo", "--region", "eastus"), DEMO),
    "generic": Platform(("--region", "onprem"), ("--context", "demo")),
    "coreweave": Platform(("--region", "us-east-04a"), DEMO),
    "nebius": Platform(("--region", "eu-north1"), DEMO),
    "oke": Platform(("--region", "us-ashburn-1"), DEMO),
}


@pytest.fixture(scope="module", params=sorted(PLATFORMS))
def story(
    request: pytest.FixtureRequest, desks: Callable[[], Desk], homes: Callable[[], Path]
) -> Iterator[Story]:
    name = request.param
    with started(desks(), homes, replace(PLAIN, platforms=(name,))) as sandbox:
        story = Story(sandbox)
        live(story, name, PLATFORMS[name])
        yield story


def live(story: Story, name: str, platform: Platform) -> None:
    where = ("--provider", name, *platform.where)
    brought = made_by_hand(story, name, (*where, *platform.cluster))
    story.opened = brought.environment
    story.beginning = story.sandbox.admin.snapshot()
    said = (*where, "--name", "own", *brought.options, *platform.network, "--yes")
    more: dict[str, Any] = {"env": brought.environment}
    story.tell("unplaced", "register", *said, *platform.zones, **more)
    story.tell("unplaced delete", "delete", "own", "--yes", fresh_home=True)
    placed = (*said, *platform.cluster)
    story.tell("register", "register", *placed, **more)
    # Azure lists no clusters without their resource group.
    deletion = ("delete", "own", "--yes", *((*where, *platform.cluster) if name == "aks" else ()))
    story.tell("installed", "register", *placed, "--install-operator", *UNTRIED, **more)
    story.tell("status", "status", *deletion[1:2], *deletion[3:], **more)
    story.tell("delete", *deletion, fresh_home=True, **more)


def made_by_hand(story: Story, name: str, where: tuple[str, ...]) -> Brought:
    environment = story.sandbox.environment
    match name:
        case "gke":
            make_on_google(GoogleByHand(environment))
            options = ("--bucket", OWN_BUCKET, "--identity", OWN_EMAIL)
            return Brought(options, {})
        case "aks":
            bucket, identity = AzureByHand(environment).make_for_operator(NAMESPACE)
            return Brought(("--bucket", bucket, "--identity", identity), {})
        case _:
            donor = ("--name", "donor", "--namespace", "donor", "--network", "none", "--yes")
            values = story.tell("donor", "setup", *where, *donor, *UNTRIED).done
            bucket = str(values["outputs"]["bucket"]).removeprefix("s3://")
            return Brought(("--bucket", bucket), keys_of(story.sandbox))


def keys_of(sandbox: Sandbox) -> dict[str, str]:
    """Those that the donor's pods have."""
    file = Path(sandbox.environment["KUBECONFIG"])
    [context] = context_names(file)
    kubernetes = Kubernetes(from_context(context, file), Run())
    secret = kubernetes.get("v1", "Secret", "anyscale-aws-credentials", "donor")
    assert secret is not None
    said = configparser.ConfigParser()
    said.read_string(base64.b64decode(secret["data"]["credentials"]).decode())
    [section] = said.sections()
    words = (said[section]["aws_access_key_id"], said[section]["aws_secret_access_key"])
    return dict(zip(KEYS, words, strict=True))


def test_only_the_control_plane_is_written(story: Story) -> None:
    for name in ("unplaced", "unplaced delete", "register"):
        page = story[name]
        assert page.ended.code == 0, page.ended.err
        assert page.writes, name
        assert all("/api/v2/clouds/" in call for call in page.writes), page.writes


def test_what_is_registered_stays_as_it_is_when_it_is_installed(story: Story) -> None:
    changes = story["installed"].changes
    assert {changes[key] for key in story["register"].changes} == {"adopt", "none"}


def test_what_is_handed_over_is_whole_and_tells_no_secret(story: Story) -> None:
    for name in ("unplaced", "register"):
        page = story[name].done
        assert page["values"]["global"]["cloudDeploymentId"] == page["cloud_resource_id"]
        host = story.hand.environment["ANYSCALE_HOST"]
        assert page["values"]["global"]["controlPlaneURL"] == host
        files = {item["file"]: item["documents"] for item in page["manifests"]}
        if story.opened:
            assert "FILL-IN" in json.dumps(files["3-storage-credentials.yaml"])
            assert story.opened[KEYS[1]] not in story[name].ended.out
        steps = " ".join(step["command"] for step in page["next"])
        assert ("--set-file global.auth.anyscaleCliToken=" in steps) == bool(story.opened)


def test_what_was_left_out_is_told(story: Story) -> None:
    left = {item["title"] for item in story["unplaced"].done["left_out"]}
    assert "The cluster answers and knows who is asking" in left
    left = {item["title"] for item in story["register"].done["left_out"]}
    assert left <= {"Your own way in leads to the cluster"}


def test_nothing_is_made_outside_the_cluster(story: Story) -> None:
    made = [key for key, change in story["installed"].changes.items() if change == "create"]
    assert story["installed"].done["health"] == "HEALTHY"
    assert {key.partition(":")[0] for key in made} <= {"k8s", "helm", "anyscale"}
    status = story["status"].document
    assert status["health"] == "HEALTHY"
    # Where no way in was wanted there is none.
    failed = {item["code"] for item in status["checks"] if item["status"] == "fail"}
    assert failed <= {"operator-gateway"}


def test_delete_removes_the_registration_and_nothing_that_was_brought(story: Story) -> None:
    removed = [item["kind"] for item in story["unplaced delete"].done["removed"]]
    assert sorted(removed) == ["anyscale:cloud", "anyscale:cloud-resource"]
    removed = {item["key"].partition(":")[0] for item in story["delete"].done["removed"]}
    assert removed <= {"k8s", "helm", "anyscale"}


def test_the_account_is_read_back_as_it_was(story: Story) -> None:
    """All settings, policies and tags of what was brought, and of whatever else is there."""
    before, after = outside(story.beginning), outside(story["delete"].seen)
    assert before
    assert after == before


def outside(seen: Any) -> Any:
    """What there is besides the clusters, but for objects in buckets: proofs leave some there."""
    within = ("kubernetes", "control_plane", "versions", "blobs", "objects")
    if isinstance(seen, dict):
        return {key: outside(item) for key, item in seen.items() if key not in within}
    return seen
