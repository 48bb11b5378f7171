"""Users who come in by Ingresses: a life of a cloud with `--network nginx`, and a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anyscale_k8s_cli.sandbox.world import EksWorld, World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, started

CLOUD = ("--provider", "eks", "--region", "us-west-2", "--cluster-name", "demo", "--name", "n")
NGINX = (*CLOUD, "--network", "nginx", "--allow-cidr", "198.51.100.0/24")


@pytest.fixture(scope="module")
def life(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    world = World(platforms=("eks",), eks=EksWorld(gpu_nodes=False))
    with started(desks(), homes, world) as sandbox:
        story = Story(sandbox)
        story.tell("setup", "setup", *NGINX, *UNTRIED, "--yes")
        story.tell("again", "plan", *NGINX, *UNTRIED)
        asked = ("operator-gateway", "gateway-address", "drift")
        story.tell("verify", "verify", "n", *(word for code in asked for word in ("--only", code)))
        story.tell("forgotten", "plan", *CLOUD, *UNTRIED)
        story.tell("moved", "plan", *CLOUD, "--network", "gateway", *UNTRIED)
        story.tell("delete", "delete", "n", "--yes")
        yield story


def test_it_says_what_is_public_and_what_is_old(life: Story) -> None:
    plan = life["setup"]
    assert plan.changes["helm:ingress/anyscale-operator/ingress-nginx"] == "create"
    assert not any("gateway" in key for key in plan.changes)
    checks = {item["code"]: item for item in plan.done["checks"]}
    support, snippets = checks["ingress-nginx-support"], checks["ingress-nginx-snippets"]
    assert support["status"] == "warn"
    assert "March 2026" in support["detail"]
    assert "CVE-2021-25742" in support["detail"]
    # Nobody but administrators may write Ingresses, and these are named.
    assert snippets["status"] == "pass"
    assert "system:masters" in snippets["evidence"][-1]


def test_it_is_set_up_healthy_and_the_same_again(life: Story) -> None:
    assert life["setup"].done["health"] == "HEALTHY"
    assert life["again"].done["summary"].get("create", 0) == 0
    assert set(life["again"].changes.values()) == {"none"}
    found = {item["code"]: item for item in life["verify"].done["checks"]}
    assert found["operator-gateway"]["detail"].endswith("elb.us-west-2.amazonaws.com")
    assert found["drift"]["status"] == found["gateway-address"]["status"] == "pass"


def test_another_way_in_is_said_outright_and_leaves_the_old_one(life: Story) -> None:
    refused = life["forgotten"].ended
    assert refused.code == 5
    assert life["forgotten"].document["error"]["code"] == "options-left-out"
    moved = life["moved"]
    assert moved.changes["k8s:gateway/anyscale-operator/gateway"] == "create"
    [line] = [text for text in moved.document["warnings"] if "--network changes" in text]
    assert "uninstall ingress-nginx --namespace anyscale-operator" in line


def test_a_deletion_leaves_nothing_of_it(life: Story) -> None:
    done = life["delete"].done
    removed = {item["key"] for item in done["removed"]}
    assert "helm:ingress/anyscale-operator/ingress-nginx" in removed
    assert "k8s:namespace/anyscale-operator" in removed
    assert done["left"] == []
