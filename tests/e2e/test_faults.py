"""Planted faults: a few at a time in a healthy install, `verify` names each by its own code.

Nothing else fails or warns beside them. What is ours to mend is mended by the commands that are
printed, and the next look, which finds the next faults alone, shows that it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.sandbox.world import (
    AksWorld,
    CoreWeaveWorld,
    GenericWorld,
    NebiusWorld,
    OkeWorld,
    PlatformName,
    World,
)
from tests.by_hand import ByHand
from tests.e2e.planted.site import CORE, Fault, Site
from tests.e2e.planted.table import ALWAYS, FAULTS
from tests.processes import Desk, eventually, started

# With GPUs where a fault is one of theirs.
WORLD = World(
    aks=AksWorld(gpu_nodes=False),
    generic=GenericWorld(gpu_nodes=False),
    coreweave=CoreWeaveWorld(gpu_nodes=False),
    nebius=NebiusWorld(gpu_nodes=False),
    oke=OkeWorld(gpu_nodes=False),
)


def unwell(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    wrong = ("fail", "warn")
    return {item["code"]: item for item in document["checks"] if item["status"] in wrong}


@pytest.fixture(scope="module")
def site_on(
    desks: Callable[[], Desk], homes: Callable[[], Path]
) -> Iterator[Callable[[PlatformName], Site]]:
    """A healthy cloud on a platform, which each test leaves healthy."""
    made = dict[str, Site]()
    with ExitStack() as sandboxes:

        def site(platform: PlatformName) -> Site:
            if platform not in made:
                world = replace(WORLD, platforms=(platform,))
                sandbox = sandboxes.enter_context(started(desks(), homes, world))
                made[platform] = Site(sandbox, platform, ByHand(sandbox.environment))
                ended = made[platform].setup()
                assert ended.code == 0, ended.err
            return made[platform]

        yield site


@pytest.fixture(scope="module")
def eks(site_on: Callable[[PlatformName], Site]) -> Site:
    return site_on("eks")


def test_a_healthy_cloud(eks: Site) -> None:
    ended = eks.verify("--probe")

    assert ended.code == 0, ended.out
    document = ended.document
    schema = Path(__file__).parents[2] / "docs" / "schemas" / "verify.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    assert unwell(document) == {}
    assert document["summary"]["unknown"] == 0
    asked = {item["code"] for item in document["checks"]}
    assert {
        *("cloud-registered", "cluster-reachable", "operator-health", "namespace-pod-security"),
        *("operator-gateway", "addon-versions", "kept-objects", "pod-storage", "pod-egress"),
    } <= asked


def test_what_is_waived_stays_visible_and_the_rest_can_be_left_out(eks: Site) -> None:
    chosen = ("--only", "instance-types-fit", "--only", "drift", "--waive", "drift")

    document = eks.verify(*chosen).document

    verdicts = {item["code"]: item["status"] for item in document["checks"]}
    assert verdicts == {"instance-types-fit": "pass", "drift": "waived"}


@pytest.mark.parametrize("platform", FAULTS)
def test_each_fault_is_told_by_its_own_check_and_mended(
    site_on: Callable[[PlatformName], Site],
    platform: PlatformName,
    record_property: Callable[[str, object], None],
) -> None:
    site, wrong, always = site_on(platform), [], ALWAYS.get(platform, set())
    for together in FAULTS[platform]:
        ways_back = {fault: fault.plant(site) for fault in together}
        probe = any(fault.probe for fault in together)
        found = unwell(site.verify(*["--probe"] * probe).document)
        alone = found.keys() - always == {fault.code for fault in together}
        unmended = still_wrong(site, found, ways_back)
        for fault, way_back in ways_back.items():
            seen = alone and is_told(fault, found[fault.code])
            record_property(
                "fault", (platform, fault.what, seen, not unmended[fault], way_back is None)
            )
            if unmended[fault] or not seen:
                wrong.append(f"{fault.what}: {found}: {unmended[fault]}")

    assert wrong == []
    assert unwell(site.verify().document).keys() == always


def is_told(fault: Fault, item: Mapping[str, Any]) -> bool:
    return fault.said in "\n".join((item["detail"], *item["evidence"])) and item["fix"].startswith(
        fault.fix
    )


def still_wrong(
    site: Site,
    found: Mapping[str, Mapping[str, Any]],
    ways_back: Mapping[Fault, Callable[[], object] | None],
) -> dict[Fault, str]:
    """What mending leaves of each fault; a command that is printed for several is run once.

    What is for others to mend is mended first. A command waits for the operator; where there is
    none, it is waited for here.
    """
    for way_back in filter(None, ways_back.values()):
        way_back()
    ours = [fault for fault, way_back in ways_back.items() if way_back is None]
    paste, wrong = cache(site.paste), dict.fromkeys(ways_back, "")
    for fault in ours:
        fix = found.get(fault.code, {}).get("fix", "")
        lines = [line for line in fix.splitlines() if line.startswith("anyscale cloud ")]
        wrong[fault] = "".join(map(paste, lines)) if lines else f"nothing to paste in {fix!r}"
    if not ours:
        eventually(site.is_well, 60)
    return wrong


def test_a_cloud_whose_inventory_is_gone(eks: Site) -> None:
    """As one that was set up by hand: what nobody has written down is unknown, and why."""
    eks.delete(f"{CORE}/configmaps/anyscale-k8s-ledger")

    ended = eks.verify()

    assert ended.code == 0, ended.out
    unknown = {
        item["code"]: item["detail"]
        for item in ended.document["checks"]
        if item["status"] == "unknown"
    }
    assert set(unknown) == {"operator-identity", "operator-storage", "drift", "kept-objects"}
    assert set(unknown.values()) == {UNTOLD}


def test_a_cloud_whose_cluster_nobody_here_may_see(eks: Site) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}

    ended = eks.sandbox.anyscale("cloud", "verify", eks.cloud, "-o", "json", env=nobody)

    assert ended.code == 0, ended.out
    verdicts = {item["code"]: item["status"] for item in ended.document["checks"]}
    known = {code for code, status in verdicts.items() if status == "pass"}
    assert known == {
        *("cloud-registered", "control-plane-reachable", "operator-health"),
        *("storage-console", "storage-cors"),
    }
    assert set(verdicts.values()) == {"pass", "unknown"}
