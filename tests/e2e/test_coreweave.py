"""The life of a cloud on CoreWeave: what is made at both ends is ended at both ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.sandbox.world import World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, started

CLUSTER = "coreweave/demo"
SETUP = (
    "setup --provider coreweave --cluster-name demo --region us-east-04a --name w --yes".split()  # noqa: SIM905
)
# What a cluster makes of other objects in its own time.
DERIVED = r"^(events|pods)/|^configmaps/.*/kube-root-ca.crt$|^serviceaccounts/.*/default$"
STORE = "coreweave-s3"
AS_TYPED = ("--instance-types", "auto", *UNTRIED)
BY_CONTEXT = "setup --provider coreweave --context coreweave-demo --name w".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("coreweave", "generic"))) as sandbox:
        told = Story(sandbox)
        told.tell("setup", *SETUP, *UNTRIED, "-v")
        told.tell("by context", *BY_CONTEXT, *UNTRIED, "--yes")
        values = str(told.folder / "values.yaml")
        told.tell("elsewhere", "plan", *SETUP[1:-1], "--context", "demo")
        told.tell("typed", *SETUP, *AS_TYPED, "--values-file", values, "--probe")
        told.tell("without keys", *SETUP, "--storage-keys", "federation", *AS_TYPED, "--probe")
        told.tell("delete", "delete", "w", "--yes", fresh_home=True)
        yield told


def calls_of(story: Story, name: str) -> list[dict[str, Any]]:
    """The calls of one operation that were answered well."""
    calls = story.sandbox.admin.calls()
    return [call for call in calls if call["operation"]["name"] == name and call["status"] == 200]


def test_setup_makes_everything_and_ends_well(story: Story) -> None:
    assert story["setup"].done["health"] == "HEALTHY"
    kinds = {key.partition("/")[0] for key in story["setup"].changes}
    assert {"coreweave:access-policy", "coreweave:access-key", "s3-bucket"} <= kinds
    assert set(story["setup"].changes.values()) <= {"create", "keep"}


def test_the_policy_is_for_one_bucket_and_one_principal(story: Story) -> None:
    (policy,) = story["setup"].seen["coreweave"]["access_policies"].values()
    (bucket,) = story["setup"].seen[STORE]["buckets"]
    (key,) = story["setup"].seen["coreweave"]["access_keys"].values()
    (statement,) = policy["statements"]
    assert statement["resources"] == [bucket, f"{bucket}/*"]
    assert statement["principals"] == [key["principal"]]


def test_a_second_setup_finds_the_cluster_by_its_context_and_only_reads(story: Story) -> None:
    again = story["by context"]
    assert again.done["summary"]["none"] > 0
    assert set(again.changes.values()) <= {"none", "keep"}
    assert again.writes == []
    assert story["elsewhere"].document["error"]["code"] == "other-cluster"


def test_a_pod_uses_the_bucket_by_its_host(story: Story) -> None:
    verdicts = {item["code"]: item["status"] for item in story["typed"].done["probe"]}
    assert verdicts == {"pod-storage": "pass", "pod-egress": "pass"}


def test_types_and_accelerators_are_those_of_the_nodes(story: Story) -> None:
    assert story["typed"].done["health"] == "HEALTHY"
    values = yaml.safe_load((story.folder / "values.yaml").read_text(encoding="utf-8"))
    types = values["workloads"]["instanceTypes"]["additional"]
    assert any(item["resources"].get("GPU") == 8 for item in types.values())
    accelerator = values["workloads"]["accelerator"]
    assert accelerator["customNodeSelectorKey"] == "gpu.nvidia.com/model"
    assert accelerator["nodeSelectors"]["additional"] == {"H100": "H100_NVLINK_80GB"}


def test_pods_that_prove_themselves_need_no_key(story: Story) -> None:
    keyless = story["without keys"]
    assert keyless.done["health"] == "HEALTHY", keyless.ended.err
    assert keyless.seen["coreweave"]["access_keys"] == {}
    (policy,) = keyless.seen["coreweave"]["access_policies"].values()
    roles = {name for item in policy["statements"] for name in item["principals"]}
    assert any(name.endswith(":anyscale-operator:anyscale-operator") for name in roles)
    (asked,) = [item for item in keyless.done["probe"] if item["code"] == "pod-storage"]
    assert asked["status"] == "pass", asked
    assert ", by container credentials of " in asked["detail"]


def test_no_second_gpu_plugin_is_installed(story: Story) -> None:
    releases = [key for key in story["setup"].changes if "nvdp" in key]
    assert [story["setup"].changes[key] for key in releases] in ([], ["keep"])


def test_the_load_balancer_is_public(story: Story) -> None:
    found = story["setup"].seen["kubernetes"][CLUSTER]
    addresses = [
        address["ip"]
        for item in found.values()
        if item["kind"] == "Service"
        for address in (item["status"].get("loadBalancer") or {}).get("ingress") or ()
    ]
    assert addresses
    assert all(address.startswith("203.0.113.") for address in addresses)


def test_keys_are_revoked_at_both_ends(story: Story) -> None:
    end = story["delete"]
    assert end.ended.code == 0, end.ended.err
    # Deletion looks into the bucket with keys of its own, for a moment each.
    made = len(calls_of(story, "cwobject:CreateAccessKey"))
    assert made >= 1
    assert len(calls_of(story, "cwobject:RevokeAccessKeyByAccessKey")) == made
    assert end.seen["coreweave"] == story.beginning["coreweave"]
    made_there, left_there = (page.seen["control_plane"] for page in (story["setup"], end))
    before = story.beginning["control_plane"]
    assert len(made_there["service_accounts"]) == len(before["service_accounts"]) + 1
    assert left_there["service_accounts"] == before["service_accounts"]
    assert left_there["api_keys"] == before["api_keys"] != made_there["api_keys"]


def test_that_a_bucket_which_stays_is_lost_to_this_tool_is_said_before(story: Story) -> None:
    ended = story["delete"].ended
    assert "only this deletion could delete it, with --delete-bucket anyscale-w-" in ended.err
    (bucket,) = [item for item in ended.document["kept"] if item["kind"].endswith("bucket")]
    assert bucket["command"] is None


def test_deletion_leaves_the_bucket_alone(story: Story) -> None:
    end = story["delete"].seen
    assert len(end[STORE]["buckets"]) == 1
    before, after = (set(world["kubernetes"][CLUSTER]) for world in (story.beginning, end))
    assert {key for key in after - before if not re.search(DERIVED, key)} == set()
    assert end["control_plane"]["clouds"] == story.beginning["control_plane"]["clouds"]


def test_secrets_are_nowhere_but_in_their_secrets(story: Story) -> None:
    for page in story.pages.values():
        assert "CW-SECRET-" not in page.ended.out + page.ended.err
        assert "cwo" not in page.ended.out.replace("cwobject", "")
