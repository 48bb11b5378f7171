"""The life of a cloud on Nebius: what is made at both ends is ended at both ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.sandbox.world import World
from tests.e2e.story import Page, Story
from tests.processes import UNTRIED, Desk, started

# What a cluster makes of other objects in its own time.
DERIVED = r"^(events|pods)/|^configmaps/.*/kube-root-ca.crt$|^serviceaccounts/.*/default$"
CLUSTER = "nebius/demo"
SETUP = (
    "setup --provider nebius --cluster-name demo --region eu-north1 --name w --yes".split()  # noqa: SIM905
)
STORE = "nebius-s3"
NEBIUS = "nebius.iam.v2.AccessKeyService"


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("nebius",))) as sandbox:
        told = Story(sandbox)
        types = ("--instance-types", "auto")
        values = str(told.folder / "values.yaml")
        told.tell("setup", *SETUP, *types, *UNTRIED, "--values-file", values, "-v")
        told.tell("again", *SETUP, *types, *UNTRIED)
        sandbox.admin.break_("storage-key")
        told.tell("broken", "status", "w")
        told.tell("mended", *SETUP, *types, *UNTRIED)
        bucket = ("--delete-bucket", bucket_of(told["setup"]))
        told.tell("delete", "delete", "w", *bucket, "--yes", fresh_home=True)
        yield told


def bucket_of(page: Page) -> str:
    (bucket,) = page.seen["nebius"]["buckets"].values()
    return str(bucket["name"])


def calls_of(story: Story, name: str) -> list[dict[str, Any]]:
    """The calls of one operation that were answered well."""
    calls = story.sandbox.admin.calls()
    return [call for call in calls if call["operation"]["name"] == name and call["status"] == 200]


def test_setup_makes_everything_and_ends_well(story: Story) -> None:
    done = story["setup"].done
    assert done["health"] == "HEALTHY"
    kinds = {key.partition("/")[0] for key in story["setup"].changes}
    assert {
        "nebius:bucket",
        "nebius:service-account",
        "nebius:group",
        "nebius:access-key",
    } <= kinds
    assert set(story["setup"].changes.values()) <= {"create", "keep"}


def test_the_operator_may_use_its_bucket_and_nothing_else(story: Story) -> None:
    nebius = story["setup"].seen["nebius"]
    before = story.beginning["nebius"]
    roles = sorted(
        item["spec"] for key, item in nebius["permits"].items() if key not in before["permits"]
    )
    (bucket_id,) = nebius["buckets"]
    assert len(roles) == 2
    assert all(bucket_id in spec for spec in roles)
    assert "storage.object-editor" in roles[0]


def test_a_second_setup_only_reads(story: Story) -> None:
    assert story["again"].done["summary"]["none"] > 0
    assert set(story["again"].changes.values()) <= {"none", "keep"}
    assert story["again"].writes == []


def test_instance_types_are_platforms_with_presets(story: Story) -> None:
    values = yaml.safe_load((story.folder / "values.yaml").read_text(encoding="utf-8"))
    types = values["workloads"]["instanceTypes"]["additional"]
    gpu = types["gpu-h100-sxm-1gpu-16vcpu-200gb"]
    assert gpu["resources"]["accelerators"] == ["H100"]
    assert gpu["nodeSelector"]["nebius.com/resource-preset"] == "1gpu-16vcpu-200gb"
    assert values["workloads"]["accelerator"]["nodeSelectors"]["additional"] == {
        "H100": "gpu-h100-sxm"
    }


def test_status_names_what_broke_and_the_same_command_mends_it(story: Story) -> None:
    assert story["broken"].ended.code == 6
    checks = {item["code"]: item for item in story["broken"].document["checks"]}
    assert checks["operator-storage"]["status"] == "fail"
    assert "access key of the object store" in checks["operator-storage"]["detail"]
    assert story["mended"].done["health"] == "HEALTHY"
    written = {
        key.partition("/")[0]
        for key, change in story["mended"].changes.items()
        if change in ("create", "update")
    }
    assert "nebius:access-key" in written


def test_no_second_gpu_plugin_is_installed(story: Story) -> None:
    releases = [key for key in story["setup"].changes if "nvdp" in key]
    assert [story["setup"].changes[key] for key in releases] in ([], ["keep"])


def test_keys_are_revoked_at_both_ends(story: Story) -> None:
    end = story["delete"]
    assert end.ended.code == 0, end.ended.err
    # The first one was revoked behind the tool's back.
    made = len(calls_of(story, f"{NEBIUS}/Create"))
    assert made > 1
    assert len(calls_of(story, f"{NEBIUS}/Delete")) == made - 1
    assert end.seen["nebius"]["access_keys"] == {}
    made_there, left_there = (page.seen["control_plane"] for page in (story["setup"], end))
    before = story.beginning["control_plane"]
    assert len(made_there["service_accounts"]) == len(before["service_accounts"]) + 1
    assert left_there["service_accounts"] == before["service_accounts"]
    assert left_there["api_keys"] == before["api_keys"] != made_there["api_keys"]


def test_deletion_leaves_what_was_there_before(story: Story) -> None:
    end = story["delete"]
    assert end.seen["nebius"] == story.beginning["nebius"]
    assert end.seen[STORE] == story.beginning[STORE]
    before, after = (set(world["kubernetes"][CLUSTER]) for world in (story.beginning, end.seen))
    assert {key for key in after - before if not re.search(DERIVED, key)} == set()
    assert end.seen["control_plane"]["clouds"] == story.beginning["control_plane"]["clouds"]


def test_secrets_are_nowhere_but_in_their_secrets(story: Story) -> None:
    """The keys' secrets are told by one call; the recorder, documents and logs have none."""
    told = calls_of(story, f"{NEBIUS}/GetSecret")
    assert told
    assert all(call["operation"]["body"] is None for call in told)
    for page in story.pages.values():
        assert "ne1" not in page.ended.out
        assert "PRIVATE KEY" not in page.ended.out + page.ended.err
