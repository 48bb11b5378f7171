"""A cluster that is given up: all else goes, and what was left in it goes when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID
from anyscale_k8s_cli.sandbox.world import EksWorld, World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, started

WHERE = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2")
# There is enough in the cluster without a way in.
SMALL = ("--network", "none", *UNTRIED)
CONTEXT = f"arn:aws:eks:us-west-2:{ACCOUNT_ID}:cluster/demo"


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    world = World(platforms=("eks",), eks=EksWorld(gpu_nodes=False))
    with started(desks(), homes, world) as sandbox:
        made = Story(sandbox)
        made.tell("setup", "setup", *WHERE, "--name", "prod", *SMALL, "--yes")
        made.tell("by context", "status", "prod", "--context", CONTEXT)
        nowhere = ("prod", "--context", "nowhere")
        made.tell("status nowhere", "status", *nowhere)
        made.tell("delete nowhere", "delete", *nowhere, "--yes")
        made.tell("unasked", "delete", "prod", "--skip-cluster")
        made.tell("skipped", "delete", "prod", "--skip-cluster", "--yes", fresh_home=True)
        made.tell("back", "delete", "prod", *WHERE, "--context", CONTEXT, "--yes", fresh_home=True)
        yield made


def in_cluster(story: Story, name: str) -> dict[str, object]:
    seen = story[name].seen["kubernetes"]["demo"]
    return {key: item for key, item in seen.items() if not key.startswith("events/")}


def test_the_way_in_that_is_named_is_taken(story: Story) -> None:
    assert story["by context"].done["health"] == "HEALTHY"


@pytest.mark.parametrize("command", ["status", "delete"])
def test_a_way_in_that_leads_nowhere_is_refused(story: Story, command: str) -> None:
    page = story[f"{command} nowhere"]
    assert page.ended.code == 1
    assert "The context nowhere cannot be read" in page.document["error"]["message"]
    assert page.writes == []


def test_without_a_terminal_it_wants_a_yes(story: Story) -> None:
    assert story["unasked"].ended.code != 0
    assert story["unasked"].writes == []


def test_what_is_outside_goes_and_what_is_in_the_cluster_stays(story: Story) -> None:
    skipped = story["skipped"]
    document = skipped.done
    kinds = {item["kind"] for item in document["removed"]}
    assert kinds == {
        *("anyscale:cloud", "anyscale:cloud-resource", "iam-oidc-provider", "iam-role")
    }
    assert skipped.seen["control_plane"]["clouds"] == []
    assert [line for line in skipped.writes if "/apis/" in line or "/api/v1/" in line] == []
    gone = in_cluster(story, "setup").keys() - in_cluster(story, "skipped").keys()
    # The operator itself clears away what it had made for the registration.
    assert all(key.startswith("secrets/anyscale-operator/anyscale-cldrsrc-") for key in gone)


def test_it_says_all_that_it_leaves(story: Story) -> None:
    made = {item["key"] for item in story["setup"].done["resources"]}
    kept = {item["key"]: item for item in story["skipped"].done["kept"]}
    left = {key for key in made if key.startswith(("k8s:", "helm:"))}
    assert left
    assert left <= kept.keys()
    assert {kept[key]["reason"] for key in left} == {
        "not looked at (--skip-cluster); it stays if it is there"
    }
    # What may cost money comes before the data.
    assert all(key.startswith(("k8s:", "helm:")) for key in list(kept)[: len(left)])
    [command] = {kept[key]["command"] for key in left}
    assert command.startswith("anyscale cloud delete prod --provider eks")
    assert "--skip-cluster" not in command


def test_what_was_left_goes_when_the_cluster_is_back(story: Story) -> None:
    assert story["back"].done["left"] == []
    beginning = {key for key in story.beginning["kubernetes"]["demo"] if "events/" not in key}
    assert in_cluster(story, "back").keys() == beginning
