"""Which node takes a pod, and what is said when none does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.scheduling import (
    choose_node,
    parse_quantity,
    requests_of,
)

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
SMALL = node("small", labels={"zone": "a"}, allocatable={"cpu": "2", "memory": "4Gi"})
LARGE = node("large", labels={"zone": "b"}, allocatable={"cpu": "16", "memory": "64Gi"})
GPU = node("gpu", taints=[GPU_TAINT], allocatable={"nvidia.com/gpu": "1"})


def pod(name: str = "p", *, on: str = "", **spec: Any) -> dict[str, Any]:
    requests = spec.pop("requests", {})
    container = {"name": "c", "resources": {"requests": requests}}
    body = {"containers": [container], **spec}
    if on:
        body["nodeName"] = on
    return {"metadata": {"name": name}, "spec": body, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500m", "0.5"), ("2", "2"), ("1Gi", str(1024**3)), ("1.5k", "1500"), ("2M", "2000000")],
)
def test_quantities(text: str, expected: str) -> None:
    assert parse_quantity(text) == Decimal(expected)


def test_a_quantity_must_be_one() -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity("many")


def test_the_largest_init_container_counts_if_it_asks_for_more() -> None:
    asking = pod(requests={"cpu": "1"})
    asking["spec"]["initContainers"] = [{"resources": {"requests": {"cpu": "3"}}}]
    assert requests_of(asking) == {"cpu": Decimal(3)}


def test_a_pod_goes_where_it_fits() -> None:
    assert choose_node(pod(requests={"cpu": "4"}), [SMALL, LARGE], []) == ("large", "")


def test_what_runs_already_counts() -> None:
    running = [pod("q", on="large", requests={"cpu": "14"})]
    chosen, message = choose_node(pod(requests={"cpu": "4"}), [LARGE], running)
    assert chosen == ""
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
        "1 Preemption is not helpful for scheduling."
    )


def test_a_finished_pod_holds_nothing() -> None:
    done = pod("q", on="large", requests={"cpu": "14"})
    done["status"]["phase"] = "Succeeded"
    assert choose_node(pod(requests={"cpu": "4"}), [LARGE], [done])[0] == "large"


def test_a_taint_must_be_tolerated() -> None:
    asking = pod(requests={"nvidia.com/gpu": "1"})
    _, message = choose_node(asking, [SMALL, GPU], [])
    assert "1 Insufficient nvidia.com/gpu" in message
    assert "1 node(s) had untolerated taint {nvidia.com/gpu: present}" in message
    asking["spec"]["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert choose_node(asking, [SMALL, GPU], [])[0] == "gpu"


def test_selector_and_affinity_must_match() -> None:
    assert choose_node(pod(nodeSelector={"zone": "b"}), [SMALL, LARGE], [])[0] == "large"
    term = {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["b"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    assert choose_node(pod(affinity={"nodeAffinity": required}), [SMALL, LARGE], [])[0] == "small"
    _, message = choose_node(pod(nodeSelector={"zone": "c"}), [SMALL, LARGE], [])
    assert "2 node(s) didn't match Pod's node affinity/selector" in message


def test_a_cordoned_node_takes_nothing() -> None:
    cordoned = {**SMALL, "spec": {"unschedulable": True}}
    assert "1 node(s) were unschedulable" in choose_node(pod(), [cordoned], [])[1]


def test_without_nodes_there_is_nothing_to_say_but_that() -> None:
    assert choose_node(pod(), [], []) == ("", "no nodes available to schedule pods")
