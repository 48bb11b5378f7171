"""One cloud on two clusters, of two accounts on two platforms: the one goes, the other stays.

The commands are run once, in order; each test looks at another side of what they left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.world import EksWorld, GkeWorld, World
from tests.e2e.story import Page, Story
from tests.processes import UNTRIED, Desk, started

FIRST = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2")
SECOND = (
    *("--provider", "gke", "--cluster-name", "demo", "--region", "us-central1"),
    *("--project-id", "demo"),
)
NO_WAY_IN = ("--network", "none")
YES = ("--name", "prod", *NO_WAY_IN, *UNTRIED, "--yes")
WORLD = World(
    platforms=("eks", "gke"),
    eks=EksWorld(gpu_nodes=False),
    gke=GkeWorld(others=False, gpu_nodes=False),
)


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, WORLD) as sandbox:
        made = Story(sandbox)
        made.tell("first", "setup", *FIRST, *YES)
        made.tell("refused", "setup", *SECOND, *YES)
        made.tell("second", "setup", *SECOND, *YES, "--add-to-cloud")
        made.tell("again", "setup", *SECOND, *YES)
        made.tell("which", "delete", "prod", "--yes", fresh_home=True)
        made.tell("delete second", "delete", "prod", *SECOND, "--yes", fresh_home=True)
        made.tell("status", "status", "prod")
        made.tell("delete first", "delete", "prod", "--yes", fresh_home=True)
        yield made


def registered(page: Page) -> dict[str, Any]:
    """What Anyscale has of each cluster, but for what its operator reports."""
    [cloud] = page.seen["control_plane"]["clouds"]
    assert cloud["state"] == "ACTIVE"
    return {
        item["name"]: {key: part for key, part in item.items() if not key.startswith("operator_")}
        for item in cloud["resources"]
    }


def in_first(page: Page) -> dict[str, Any]:
    """All that is in the first account and its cluster, to the last byte."""
    cluster = page.seen["kubernetes"]["demo"]
    objects = {key: item for key, item in cluster.items() if not key.startswith("events/")}
    bucket = page.seen["aws"]["buckets"]["anyscale-prod-92c04b15"]
    return {"objects": objects, "roles": page.seen["aws"]["roles"], "bucket": bucket["tags"]}


def test_a_cloud_that_is_on_another_cluster_is_added_to_on_purpose_alone(story: Story) -> None:
    refused = story["refused"]
    assert refused.ended.code == 5
    assert "--add-to-cloud" in refused.document["error"]["fix"]
    assert refused.writes == []


def test_both_are_well_in_one_cloud(story: Story) -> None:
    first, second = story["first"].done, story["second"].done
    assert (first["health"], second["health"]) == ("HEALTHY", "HEALTHY")
    assert first["cloud_id"] == second["cloud_id"]
    assert story["second"].changes["anyscale:cloud/prod"] == "adopt"
    assert set(registered(story["second"])) == {"eks-92c04b15", "gke-730b39fb"}
    # Once it is in, nobody has to say so again.
    assert story["again"].done["summary"]["update"] == 0


def test_which_one_is_to_go_must_be_said(story: Story) -> None:
    error = story["which"].document["error"]
    assert error["code"] == "cloud-ambiguous"
    # The operators try their buckets all the while.
    assert [call for call in story["which"].writes if "storage.objects." not in call] == []
    assert len(error["evidence"]) == 2


def test_the_other_cluster_stays_as_it_is_and_well(story: Story) -> None:
    gone = story["delete second"].done
    assert gone["left"] == []
    assert "anyscale:cloud/prod" not in {item["key"] for item in gone["removed"]}
    assert in_first(story["delete second"]) == in_first(story["first"])
    assert registered(story["delete second"]) == registered(story["first"])
    status = story["status"].done
    assert (status["health"], status["provider"]) == ("HEALTHY", "eks")


def test_the_last_to_go_takes_the_cloud_with_it(story: Story) -> None:
    assert story["delete first"].done["left"] == []
    assert story["delete first"].seen["control_plane"]["clouds"] == []
