"""When a workload is up."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.rollouts import rolled_out
from anyscale_k8s_cli.run import StillWaiting


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "x", "generation": 2},
        "spec": spec,
        "status": status,
    }


UP = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (workload("Deployment", UP, replicas=1), ""),
        (workload("Deployment", UP | {"observedGeneration": 1}, replicas=1), "has not seen"),
        (workload("Deployment", UP | {"updatedReplicas": 0}, replicas=1), "new version"),
        (workload("Deployment", UP | {"replicas": 2}, replicas=1), "old version"),
        (workload("Deployment", UP | {"availableReplicas": 0}, replicas=1), "available"),
        (workload("Deployment", {"observedGeneration": 2}, replicas=0), ""),
        (workload("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 0}), ""),
        (
            workload("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 2}),
            "0 of 2",
        ),
        (workload("Job", {"conditions": [{"type": "Complete", "status": "True"}]}), ""),
        (
            workload(
                "Job", {"conditions": [{"type": "Failed", "status": "True", "message": "why"}]}
            ),
            "why",
        ),
        (workload("CustomResourceDefinition", {}), "not serve"),
        ({"kind": "ConfigMap", "metadata": {}}, ""),
    ],
)
def test_readiness(found: dict[str, Any], missing: str) -> None:
    if not missing:
        rolled_out(found)
        return
    with pytest.raises(StillWaiting, match=missing):
        rolled_out(found)
