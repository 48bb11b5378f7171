"""Upgrades, by the tool as it will be one version on: told beforehand, and taken back."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.releases import releases_check
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.release_work import Release, ReleaseWork
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.operations.rendering import taken_back, version_change
from anyscale_k8s_cli.plan import PlannedChange, with_parts
from anyscale_k8s_cli.run import StillWaiting

from .later import (
    CONTROLLER,
    NEXT,
    OPERATOR,
    PLUGIN,
    chart_of,
    fails_and_is_taken_back,
    later_tool,
)
from .site import Site

USERS = {
    "operator": {
        "container": {
            "additionalEnv": [
                {"name": "A", "value": "s3cret-of-mine"},
                {"name": "PROXY", "value": "http://me:pa55@proxy.example"},
            ]
        }
    }
}


@pytest.fixture(scope="module")
def installed(lasting: Site) -> Site:
    """An install of today's charts; each test but the last leaves it with those."""
    lasting.world.apply(lasting.install().resources)
    return lasting


def all_planned(site: Site, **changes: Any) -> dict[str, PlannedChange]:
    made = site.world.plan(site.install(**changes).resources)
    return {item.resource.key: item for item in asyncio.run(with_parts(made)).changes}


def planned(site: Site, key: str, **changes: Any) -> PlannedChange:
    return all_planned(site, **changes)[key]


def key_of(release: tuple[str, str, str]) -> str:
    return f"helm:release/{release[0]}/{release[1]}"


def test_what_is_waited_for_while_helm_works_is_told(installed: Site) -> None:
    """And not what was waited for before it began: definitions."""
    told = [item.what for item in installed.world.events if isinstance(item, StepWaiting)]
    of_helm = "helm to write the release envoy-gateway-system/eg and to run its hooks"
    assert of_helm in told


def test_a_release_that_is_not_up_is_a_warning_that_says_why(installed: Site) -> None:
    kubernetes = installed.world.kubernetes
    where = Reference("apps/v1", "Deployment", "envoy-gateway", CONTROLLER[0])
    check = releases_check(kubernetes, "ray", "anyscale cloud setup")
    look = check.run
    assert check.check.code == "releases-up"
    assert look().status is Status.PASS

    def select(pool: str | None) -> None:
        selector = {"nodeSelector": {"pool": pool}}
        kubernetes.patch_merge(where, {"spec": {"template": {"spec": selector}}})

    def until(status: Status, seen: str = "") -> Finding:
        def probe() -> Finding:
            found = look()
            if found.status is not status or seen not in "".join(found.evidence):
                raise StillWaiting(found.detail)
            return found

        return installed.world.run.wait_for(probe, what="the pods", timeout=30)

    select("nowhere")
    hanging = until(Status.WARN, "Unschedulable")
    assert hanging.status is Status.WARN
    assert hanging.detail.startswith(f"{where} is not up: ")
    assert hanging.fix.splitlines()[-1] == "anyscale cloud setup"
    assert "describe deployment envoy-gateway -n envoy-gateway-system" in hanging.fix
    select(None)
    until(Status.PASS)


def test_a_release_whose_last_revision_failed_is_a_warning(installed: Site) -> None:
    kubernetes = installed.world.kubernetes
    (last,) = kubernetes.list("v1", "Secret", CONTROLLER[0], label_selector="name=eg,owner=helm")
    release = json.loads(gzip.decompress(b64decode(b64decode(last["data"]["release"]))))
    release |= {"version": 2, "info": {**release["info"], "status": "failed"}}
    packed = b64encode(b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    labels = {**last["metadata"]["labels"], "version": "2", "status": "failed"}
    name, namespace = "sh.helm.release.v1.eg.v2", CONTROLLER[0]
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    kubernetes.create({**last, "metadata": metadata, "data": {"release": packed}})
    told = releases_check(kubernetes, "ray", "anyscale cloud setup").run()
    kubernetes.delete(Reference("v1", "Secret", name, namespace))
    assert told.status is Status.WARN
    assert told.detail == "the release envoy-gateway-system/eg is failed, by its revision 2"
    assert "history eg --namespace envoy-gateway-system" in told.fix


REFUSED = 'Failed to schedule pod, incompatible with nodepool "gpu", did not tolerate taint'


def refuse_nodes(site: Site, namespace: str) -> None:
    """Karpenter's answer to each pod there that has no node."""
    for pod in site.world.kubernetes.list("v1", "Pod", namespace):
        if not pod["spec"].get("nodeName"):
            metadata = {"name": f"no.{pod['metadata']['uid']}", "namespace": namespace}
            about = {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": namespace}
            event = {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "type": "Warning"}
            said = {"reason": "FailedScheduling", "message": REFUSED}
            source = {"involvedObject": about, "reportingComponent": "karpenter"}
            with suppress(errors.CliError):
                site.world.kubernetes.create({**event, **said, **source})


def test_a_pod_that_gets_no_node_is_not_waited_for(installed: Site) -> None:
    """Neither by us nor, in a hook, by helm; with nodes the same again comes up."""
    world = installed.world
    nodes = [Reference.of(node) for node in world.kubernetes.list("v1", "Node")]

    def cordon(*, on: bool) -> None:
        for node in nodes:
            world.kubernetes.patch_merge(node, {"spec": {"unschedulable": on or None}})

    release = Release(
        CONTROLLER[1],
        CONTROLLER[0],
        CONTROLLER[2],
        dict,
        seconds=3600,
        settled_seconds=0.3,
    )
    work = ReleaseWork(installed.tools, release, installed.stage().context.install)

    def in_vain(wait: Callable[[], object]) -> errors.CliError:
        cordon(on=True)
        ended = threading.Event()

        def answers() -> None:
            while not ended.wait(0.1):
                refuse_nodes(installed, CONTROLLER[0])

        karpenter = threading.Thread(target=answers)
        karpenter.start()
        try:
            with pytest.raises(errors.CliError) as raised:
                wait()
        finally:
            ended.set()
            karpenter.join()
            cordon(on=False)
        return raised.value

    of_helm = in_vain(lambda: work.install(work.look(), keep_values=True))
    assert of_helm.code is errors.CLUSTER_FAILED
    assert of_helm.message == "envoy-gateway-system/eg does not come up: a pod gets no node"
    assert of_helm.cause.endswith(f"No node is added for it: FailedScheduling: {REFUSED}")
    assert "add a node that has room" in of_helm.fix
    found = work.install(work.look(), keep_values=True)
    work.wait(found)

    where = Reference("apps/v1", "Deployment", "envoy-gateway", CONTROLLER[0])
    anew = {"spec": {"template": {"metadata": {"annotations": {"again": "yes"}}}}}

    def roll_out() -> None:
        world.kubernetes.patch_merge(where, anew)
        work.wait(found)

    ours = in_vain(roll_out)
    assert (ours.code, ours.message) == (of_helm.code, of_helm.message)
    told = [item.detail for item in world.events if isinstance(item, StepWaiting)]
    assert any("waits for a node, and none is added for it" in line for line in told)
    work.wait(found)


def test_what_is_installed_stays_and_an_upgrade_tells_each_object_first(
    installed: Site, tmp_path: Path
) -> None:
    edits = {"anyscale-operator": {"0.40.0-debian": "0.41.0-debian"}}
    later = later_tool(installed, tmp_path, NEXT, edits)
    assert later.world.changes(later.install().resources) == {}

    mark = len(later.world.wire.calls())
    found = all_planned(later, upgrade=True)
    item = found[key_of(OPERATOR)]
    done = [call.operation for call in later.world.wire.calls()[mark:]]
    assert [item for item in done if item.write and not item.principal.startswith("system:")] == []

    assert item.decision.reason == "chart version: '1.8.0' → '1.9.0'"
    parts = {(part.kind, part.name): part for part in item.parts}
    deployment = parts["Deployment", "anyscale-operator"]
    assert deployment.change == "update"
    assert re.search(r"^- .* image: timberio/vector:0.40.0-debian$", deployment.diff, re.MULTILINE)
    assert re.search(r"^\+ .* image: timberio/vector:0.41.0-debian$", deployment.diff, re.MULTILINE)
    assert item.as_json()["parts"][0].keys() == {"kind", "name", "namespace", "change", "diff"}
    assert found[key_of(PLUGIN)].parts
    hooks = [part for part in found[key_of(CONTROLLER)].parts if part.kind == "Job"]
    assert hooks, "what a hook makes is told of, too"


def test_a_version_that_was_asked_for_and_is_older_is_told_with_what_it_changes(
    installed: Site, tmp_path: Path
) -> None:
    earlier = later_tool(installed, tmp_path, {"anyscale-operator": "1.7.0"}, {})
    side = earlier.install(spec={"operator": {"version": "1.7.0"}})
    made = earlier.world.plan(side.resources)
    assert list(taken_back(made)) == [
        "Anyscale operator: chart version 1.7.0 is older than what is installed (1.8.0)"
    ]
    looked = asyncio.run(with_parts(made, lambda item: version_change(item) is not None))
    assert [item.resource.key for item in looked.changes if item.parts] == [key_of(OPERATOR)]
    assert list(taken_back(earlier.world.plan(earlier.install().resources))) == []


def test_nobodys_secrets_are_in_a_difference(installed: Site, tmp_path: Path) -> None:
    later = later_tool(installed, tmp_path, {"anyscale-operator": NEXT["anyscale-operator"]}, {})
    item = planned(later, key_of(OPERATOR), upgrade=True, spec={"operator": {"values": USERS}})
    shown = "\n".join(part.diff for part in item.parts)
    assert re.search(r"^\+ +- name: A$", shown, re.MULTILINE)
    assert "(hidden, another)" in shown
    assert not [text for text in ("s3cret-of-mine", "pa55") if text in shown]


@pytest.mark.parametrize("release", [CONTROLLER, PLUGIN], ids=lambda item: item[2])
def test_an_upgrade_that_fails_is_taken_back(
    installed: Site, tmp_path: Path, release: tuple[str, str, str]
) -> None:
    fails_and_is_taken_back(installed, tmp_path, release)


def test_an_upgrade_that_was_killed_is_mended_and_an_older_tool_takes_nothing_back(
    installed: Site, tmp_path: Path
) -> None:
    """Without --upgrade the next run goes back to what was installed, with it on to the new."""
    fails_and_is_taken_back(installed, tmp_path / "broken", OPERATOR)
    later = later_tool(installed, tmp_path / "good", NEXT, {})
    for upgrade, more in ((False, ""), (True, "; chart version: '1.8.0' → '1.9.0'")):
        installed.leave_pending(OPERATOR[0], OPERATOR[1], "pending-upgrade", like="failed")
        assert chart_of(installed, OPERATOR) == ("pending-upgrade", "1.9.0")
        item = planned(later, key_of(OPERATOR), upgrade=upgrade)
        assert item.decision.reason == f"status: 'pending-upgrade' → 'deployed'{more}"
        later.world.apply(later.install(upgrade=upgrade).resources)
        assert chart_of(later, OPERATOR) == ("deployed", "1.9.0" if upgrade else "1.8.0")
        assert later.world.changes(later.install(upgrade=upgrade).resources) == {}
    for release in (OPERATOR, CONTROLLER, PLUGIN):
        assert chart_of(later, release) == ("deployed", NEXT[release[2]])
    assert installed.world.changes(installed.install(upgrade=True).resources) == {}
