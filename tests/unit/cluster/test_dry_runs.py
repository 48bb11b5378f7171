"""How many pods come of a workload, beside those that are there."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.dry_runs import pods_of

TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "main"}]}}


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "ray"}
    return {"kind": kind, "metadata": metadata, "spec": {"template": TEMPLATE, **spec}}


def surge(most: object) -> dict[str, Any]:
    return {"rollingUpdate": {"maxSurge": most}}


ONE = workload("Deployment", replicas=1)
FIVE = workload("Deployment", replicas=5)


@pytest.mark.parametrize(
    ("wanted", "live", "copies"),
    [
        (workload("Deployment"), None, 1),
        (workload("Deployment", replicas=0), None, 0),
        (FIVE, None, 5),
        # A quarter more, rounded up, while old pods go.
        (ONE, ONE, 1),
        (FIVE, FIVE, 2),
        (FIVE, ONE, 6),
        (workload("Deployment", replicas=5, strategy=surge(0)), FIVE, 0),
        (workload("Deployment", replicas=5, strategy=surge("50%")), FIVE, 3),
        (workload("Deployment", replicas=5, strategy={"type": "Recreate"}), FIVE, 0),
        (workload("StatefulSet", replicas=3), None, 3),
        (workload("StatefulSet", replicas=3), workload("StatefulSet", replicas=2), 1),
        (workload("DaemonSet"), None, 1),
        (workload("DaemonSet"), workload("DaemonSet"), 0),
        (workload("Job", parallelism=2), None, 2),
    ],
)
def test_replicas_and_what_replaces_them_are_counted(
    wanted: dict[str, Any], live: dict[str, Any] | None, copies: int
) -> None:
    (pod,) = pods_of(wanted, live=live)
    assert pod.copies == copies


def test_what_makes_no_pods_has_none() -> None:
    assert list(pods_of({"kind": "ConfigMap", "metadata": {"name": "x"}})) == []
