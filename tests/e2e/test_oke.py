"""The life of a cloud on Oracle's clusters: what is made at both ends is ended at both ends."""

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

CLUSTER = "oke/demo"
SETUP = (
    "setup --provider oke --cluster-name demo --region us-ashburn-1 --name w --yes".split()  # noqa: SIM905
)
# What a cluster makes of other objects in its own time.
DERIVED = r"^(events|pods)/|^configmaps/.*/kube-root-ca.crt$|^serviceaccounts/.*/default$"
STORE = "oci-s3"


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("oke",))) as sandbox:
        told = Story(sandbox)
        types = ("--instance-types", "auto")
        values = str(told.folder / "values.yaml")
        told.tell("setup", *SETUP, *types, *UNTRIED, "--values-file", values, "-v")
        told.tell("again", *SETUP, *types, *UNTRIED)
        sandbox.admin.break_("storage-key", platform="oke")
        told.tell("broken", "status", "w")
        told.tell("mended", *SETUP, *UNTRIED, *types)
        bucket = ("--delete-bucket", bucket_of(told["setup"]))
        told.tell("delete", "delete", "w", *bucket, "--yes", fresh_home=True)
        yield told


def bucket_of(page: Page) -> str:
    (bucket,) = page.seen["oci"]["buckets"]
    return str(bucket)


def calls_of(story: Story, name: str) -> list[dict[str, Any]]:
    """The calls of one operation that were answered well."""
    calls = story.sandbox.admin.calls()
    good = [call for call in calls if call["operation"]["service"] == "oci"]
    return [call for call in good if call["operation"]["name"] == name and 0 < call["status"] < 300]


def test_setup_makes_everything_and_ends_well(story: Story) -> None:
    assert story["setup"].done["health"] == "HEALTHY"
    kinds = {key.partition("/")[0] for key in story["setup"].changes}
    assert {
        "oci:bucket",
        "oci:user",
        "oci:group",
        "oci:policy",
        "oci:customer-secret-key",
    } <= kinds
    assert set(story["setup"].changes.values()) <= {"create", "keep"}


def test_the_operator_may_use_its_bucket_and_nothing_else(story: Story) -> None:
    before, oci = story.beginning["oci"]["policies"], story["setup"].seen["oci"]
    (policy,) = [item for key, item in oci["policies"].items() if key not in before]
    (bucket,) = oci["buckets"]
    assert all(f"where target.bucket.name='{bucket}'" in line for line in policy["statements"])


def test_a_second_setup_only_reads(story: Story) -> None:
    assert set(story["again"].changes.values()) <= {"none", "keep"}
    assert story["again"].writes == []


def test_instance_types_are_as_the_nodes(story: Story) -> None:
    values = yaml.safe_load((story.folder / "values.yaml").read_text(encoding="utf-8"))["workloads"]
    types = values["instanceTypes"]["additional"]
    (gpu,) = [item for item in types.values() if "GPU" in item["resources"]]
    assert gpu["resources"]["accelerators"] == ["A10"]
    assert gpu["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert values["accelerator"]["customNodeSelectorKey"] == "node.kubernetes.io/instance-type"
    assert values["accelerator"]["nodeSelectors"]["additional"] == {"A10": "VM.GPU.A10.1"}


def test_status_says_what_broke(story: Story) -> None:
    assert story["broken"].ended.code == 6
    checks = {item["code"]: item for item in story["broken"].document["checks"]}
    assert "key of the object store" in checks["operator-storage"]["detail"]
    assert story["mended"].done["health"] == "HEALTHY"


def test_no_second_gpu_plugin_is_installed(story: Story) -> None:
    releases = [key for key in story["setup"].changes if "nvdp" in key]
    assert [story["setup"].changes[key] for key in releases] in ([], ["keep"])


def test_keys_are_revoked_at_both_ends(story: Story) -> None:
    end = story["delete"]
    assert end.ended.code == 0, end.ended.err
    # The first one was revoked behind the tool's back.
    made = len(calls_of(story, "CreateCustomerSecretKey"))
    assert made == 2
    assert len(calls_of(story, "DeleteCustomerSecretKey")) == made - 1
    assert end.seen["oci"]["secret_keys"] == {}
    there, left = (page.seen["control_plane"] for page in (story["setup"], end))
    before = story.beginning["control_plane"]
    assert len(there["service_accounts"]) == len(before["service_accounts"]) + 1
    assert left["service_accounts"] == before["service_accounts"]
    assert left["api_keys"] == before["api_keys"] != there["api_keys"]


def test_deletion_leaves_what_was_there_before(story: Story) -> None:
    end = story["delete"]
    assert end.seen["oci"] == story.beginning["oci"]
    assert end.seen[STORE] == story.beginning[STORE]
    before, after = (set(world["kubernetes"][CLUSTER]) for world in (story.beginning, end.seen))
    assert {key for key in after - before if not re.search(DERIVED, key)} == set()
    assert end.seen["control_plane"]["clouds"] == story.beginning["control_plane"]["clouds"]


def test_secrets_are_nowhere_but_in_their_secrets(story: Story) -> None:
    told = calls_of(story, "CreateCustomerSecretKey")
    assert all(call["operation"]["body"] is None for call in told)
    for page in story.pages.values():
        assert "PRIVATE KEY" not in page.ended.out + page.ended.err
        assert "aws_secret_access_key" not in page.ended.out + page.ended.err
