"""Instance types from node groups, and how their GPUs are found."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.providers.nebius.capacity import accelerator, values
from anyscale_k8s_cli.providers.nebius.sdk.clusters import NodeGroup


def group(platform: str, preset: str, most: int = 1, *taints: dict[str, str]) -> NodeGroup:
    return NodeGroup("mk8snodegroup-e00", "g", platform, preset, {}, taints, 0, most, "", False)


def workloads(*groups: NodeGroup) -> dict[str, Any]:
    found = values(groups)["workloads"]
    assert isinstance(found, dict)
    return found


def test_a_type_is_a_platform_with_a_preset_below_what_it_has() -> None:
    taint = {"key": "workload", "value": "true", "effect": "NoSchedule"}
    soft = {"key": "rather", "value": "not", "effect": "PreferNoSchedule"}
    charts_own = {
        "key": "node.anyscale.com/capacity-type",
        "value": "SPOT",
        "effect": "NoSchedule",
    }
    made = group("gpu-h100-sxm", "8gpu-128vcpu-1600gb", 4, taint, soft, charts_own)
    found = workloads(made)["instanceTypes"]["additional"]
    assert found == {
        "gpu-h100-sxm-8gpu-128vcpu-1600gb": {
            "resources": {"CPU": 115, "memory": "1440Gi", "GPU": 8, "accelerators": ["H100"]},
            "nodeSelector": {
                "node.kubernetes.io/instance-type": "gpu-h100-sxm",
                "nebius.com/resource-preset": "8gpu-128vcpu-1600gb",
            },
            "tolerations": [{**taint, "operator": "Equal"}],
        }
    }


def test_gpus_are_found_by_their_platform() -> None:
    found = workloads(
        group("gpu-h100-sxm", "1gpu-16vcpu-200gb"),
        group("gpu-l40s-a", "1gpu-16vcpu-64gb"),
        group("cpu-d3", "16vcpu-64gb"),
    )
    assert found["accelerator"] == {
        "customNodeSelectorKey": "node.kubernetes.io/instance-type",
        "nodeSelectors": {
            "enableDefaults": False,
            "additional": {"H100": "gpu-h100-sxm", "L40S": "gpu-l40s-a"},
        },
    }
    assert "cpu-d3-16vcpu-64gb" in found["instanceTypes"]["additional"]


def test_clusters_of_cpus_need_no_accelerators() -> None:
    assert "accelerator" not in workloads(group("cpu-d3", "4vcpu-16gb"))


def test_groups_that_cannot_have_nodes_and_unknown_presets_make_no_type() -> None:
    assert values([group("cpu-d3", "4vcpu-16gb", 0), group("cpu-d3", "huge")]) == {}


@pytest.mark.parametrize(
    ("platform", "name"),
    [("gpu-h200-sxm", "H200"), ("gpu-b200-sxm-a", "B200"), ("gpu-l40s-d", "L40S"), ("cpu-e2", "")],
)
def test_what_a_platforms_gpus_are_called(platform: str, name: str) -> None:
    assert accelerator(platform) == name
