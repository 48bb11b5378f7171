"""A cloud that others have undone in part, or that may not be deleted just now."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.sandbox.environment import Folder
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from tests.by_hand import CLUSTER, ByHand
from tests.chaos.crashes import (
    DELETE,
    SCOPE,
    SETUP,
    WITHOUT_GPU,
    after,
    bucket_of,
    ended,
    kill_at,
    set_up,
)
from tests.chaos.likeness import likeness
from tests.processes import Sandbox, eventually

WORLD = WITHOUT_GPU

NAMESPACE = "/api/v1/namespaces/anyscale-operator"
HELD = f"{NAMESPACE}/configmaps/held"


@pytest.fixture
def by_hand(sandbox: Sandbox) -> ByHand:
    return ByHand(sandbox.environment)


@pytest.fixture(scope="module")
def empty(sandbox: Sandbox) -> dict[str, Any]:
    """The world before anything."""
    return likeness(sandbox.admin.snapshot())


def test_refused_and_then_undone_by_hand(
    sandbox: Sandbox, empty: dict[str, Any], by_hand: ByHand, tmp_path: Path
) -> None:
    """A run that is stopped has changed nothing else; a search by scope finds what hands left.

    What is being deleted can hold neither lock nor ledger, and is waited for.
    """
    bucket = bucket_of(set_up(sandbox))
    before = likeness(sandbox.admin.snapshot())

    # The control plane refuses.
    route = "DELETE /api/v2/clouds/*"
    sandbox.admin.inject(FaultRule(FaultKind.ERROR, "anyscale", route, status=409))
    assert refused(sandbox) == (5, "deletion-refused")
    record = before.pop("cloud prod")
    now = likeness(sandbox.admin.snapshot())
    assert now.pop("cloud prod") == {**record, "state": "DELETING"}
    assert now == before

    # The cluster is away.
    sandbox.admin.inject(FaultRule(FaultKind.DROP, "kubernetes", times=0))
    assert refused(sandbox) == (2, "cluster-unreachable")
    sandbox.admin.clear_faults()

    # Somebody deletes the registration, uninstalls the operator, deletes its namespace.
    sandbox.admin.break_("registration")
    eventually(lambda: sandbox.admin.snapshot()["control_plane"]["clouds"] == [])
    found = sandbox.anyscale(*DELETE, "--dry-run", fresh_home=True)
    releases = {item["key"] for item in found.document["remove"] if item["kind"] == "helm:release"}
    assert "helm:release/anyscale-operator/anyscale-operator" in releases
    uninstall(sandbox, by_hand, tmp_path / "kubeconfig")
    hold(by_hand)
    by_hand.delete(NAMESPACE)

    done = ends_once_released(sandbox, by_hand, *DELETE, *SCOPE, "--delete-bucket", bucket)
    assert done["left"] == []
    keys = {item["key"] for item in done["removed"]}
    assert {"helm:release/envoy-gateway-system/eg", f"aws:s3-bucket/{bucket}"} <= keys
    assert likeness(sandbox.admin.snapshot()) == empty


def test_workloads_run_and_then_the_cluster_is_deleted(
    sandbox: Sandbox, empty: dict[str, Any], by_hand: ByHand
) -> None:
    """After a setup that found its namespace going. Last, because the cluster stays away."""
    bucket = bucket_of(set_up(sandbox, "--network", "none"))
    sandbox.admin.set_active_workloads(1)
    heads = f"{NAMESPACE}/pods?labelSelector=ray-node-type%3Dhead"
    eventually(lambda: by_hand.kubernetes.get(heads).json()["items"] != [])
    before = likeness(sandbox.admin.snapshot())
    assert refused(sandbox) == (5, "active-workloads")
    assert likeness(sandbox.admin.snapshot()) == before

    hold(by_hand)
    going = after("kubernetes", "DELETE /api/v1/namespaces/*", "namespaces/anyscale-operator")
    kill_at(sandbox, going, *DELETE, "--ignore-active-workloads")
    assert by_hand.exists(HELD)
    ends_once_released(sandbox, by_hand, *SETUP)

    assert sandbox.admin.snapshot()["aws"]["load_balancers"]
    sandbox.admin.delete_cluster()
    done = sandbox.anyscale(*DELETE, "--delete-bucket", bucket, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert done.document["cluster_state"] == "deleted"
    assert "its steps are skipped" in done.err
    # With the cluster go its objects and its own security group.
    of_cluster = (f"{CLUSTER} ", f"security_groups eks-cluster-sg-{CLUSTER}")
    outside = {name: item for name, item in empty.items() if not name.startswith(of_cluster)}
    assert likeness(sandbox.admin.snapshot()) == outside


def refused(sandbox: Sandbox) -> tuple[int, str]:
    """Delete does not come to its end: the exit code, and the code of the error."""
    done = sandbox.anyscale(*DELETE, fresh_home=True)
    return done.code, str(done.document["error"]["code"])


def hold(by_hand: ByHand) -> None:
    """Put something into the namespace that will not go when it is deleted."""
    metadata = {"name": "held", "finalizers": ["example.com/hold"]}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    by_hand.kubernetes.post(f"{NAMESPACE}/configmaps", json=manifest)


def ends_once_released(sandbox: Sandbox, by_hand: ByHand, *arguments: str) -> dict[str, Any]:
    """The command waits for what holds the namespace, and ends well when it is let go."""
    events = sandbox.homes() / "events"
    waits = sandbox.start(*arguments, "--events", str(events), fresh_home=True)

    def waited() -> bool:
        told = events.read_text().splitlines() if events.exists() else []
        return any("step-waiting" in line and "finalizer" in line for line in told)

    eventually(waited, 120)
    by_hand.patch(HELD, {"metadata": {"finalizers": None}})
    done = ended(waits, limit=240)
    assert done.code == 0, done.out + done.err
    return done.document


def uninstall(sandbox: Sandbox, by_hand: ByHand, config: Path) -> None:
    """As the vendor documents it, with helm."""
    config.write_text(yaml.safe_dump(by_hand.kubeconfig()))
    helm = Folder(sandbox.record.directory).executables / "helm"
    release = ["anyscale-operator", "-n", "anyscale-operator"]
    command = [helm, "uninstall", *release, "--wait", "--kubeconfig", config]
    subprocess.run(command, check=True, capture_output=True)
