"""Instance types from nodes: below what is allocatable, by labels that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import instance_types as types
from anyscale_k8s_cli.addons.placement import kept_out
from anyscale_k8s_cli.checks import Severity, Status, declared
from anyscale_k8s_cli.checks.cluster import types_fit
from anyscale_k8s_cli.checks.nodes import by_nodes
from anyscale_k8s_cli.checks.nodes import types_fit as offered_fit


def node(
    cpus: str = "15910m",
    memory: str = "61Gi",
    gpus: int = 0,
    taints: tuple[dict[str, str], ...] = (),
    **labels: str,
) -> dict[str, Any]:
    names = {"product": "nvidia.com/gpu.product", "shape": "node.kubernetes.io/instance-type"}
    return {
        "metadata": {"name": "n", "labels": {names[key]: value for key, value in labels.items()}},
        "spec": {"taints": list(taints)},
        "status": {
            "allocatable": {"cpu": cpus, "memory": memory, "nvidia.com/gpu": str(gpus)},
        },
    }


def instance_types(*nodes: dict[str, Any]) -> dict[str, Any]:
    found = types.values("auto", nodes)["workloads"]["instanceTypes"]
    assert isinstance(found, dict)
    return found


def test_a_type_stays_below_what_is_allocatable() -> None:
    """A node of 16 CPUs and 64 GiB gives one of 14 and 54."""
    assert instance_types(node())["additional"] == {
        "14CPU-54GB": {"resources": {"CPU": 14, "memory": "54Gi"}}
    }


def test_defaults_that_no_node_satisfies_are_dropped() -> None:
    assert instance_types(node())["defaults"] == {"8CPU-32GB-1xT4": None}
    assert set(instance_types(node("2900m", "14Gi"))["defaults"]) == {
        "4CPU-16GB",
        "8CPU-32GB",
        "8CPU-32GB-1xT4",
    }
    assert instance_types(node(gpus=1, product="Tesla-T4"))["defaults"] == {}


def test_nodes_of_one_shape_make_one_type() -> None:
    assert len(instance_types(node(), node())["additional"]) == 1


def test_a_node_of_several_gpus_is_also_had_in_slices() -> None:
    found = types.values("auto", [node("192", "2000Gi", 8, product="NVIDIA-H100-80GB-HBM3")])
    made = found["workloads"]["instanceTypes"]["additional"]
    assert set(made) == {"172CPU-1800GB-8xH100", "21CPU-225GB-1xH100"}
    assert made["21CPU-225GB-1xH100"]["resources"]["accelerators"] == ["H100"]
    assert found["workloads"]["accelerator"] == {
        "customNodeSelectorKey": "nvidia.com/gpu.product",
        "nodeSelectors": {"enableDefaults": False, "additional": {"H100": "NVIDIA-H100-80GB-HBM3"}},
    }


def test_without_the_usual_label_the_shape_of_the_machine_selects() -> None:
    found = types.values("auto", [node(gpus=8, shape="BM.GPU.H100.8")])
    accelerators = found["workloads"]["accelerator"]
    assert accelerators["customNodeSelectorKey"] == "node.kubernetes.io/instance-type"


def test_taints_of_the_clusters_own_are_tolerated_and_the_charts_are_left_to_it() -> None:
    taints = (
        {"key": "workload", "value": "true", "effect": "NoSchedule"},
        {"key": "node.anyscale.com/capacity-type", "value": "SPOT", "effect": "NoSchedule"},
        {"key": "soft", "effect": "PreferNoSchedule"},
    )
    [made] = instance_types(node(taints=taints))["additional"].values()
    assert made["tolerations"] == [
        {"key": "workload", "operator": "Equal", "value": "true", "effect": "NoSchedule"}
    ]


DEDICATED = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
ON_GPUS = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}


def test_defaults_that_are_kept_are_let_onto_the_nodes_with_the_fewest_taints() -> None:
    nodes = [node("7", "28Gi", taints=(DEDICATED,)), node("7", "28Gi", 1, (DEDICATED, ON_GPUS))]
    assert kept_out({}, types.of_chart({}), nodes)["2CPU-8GB"] == ["dedicated=ml:NoSchedule"]
    found = types.values("auto", nodes)
    tolerating = {"tolerations": [{**DEDICATED, "operator": "Equal"}]}
    assert found["workloads"]["instanceTypes"]["defaults"] == {
        "2CPU-8GB": tolerating,
        "4CPU-16GB": tolerating,
        "8CPU-32GB": None,
        "8CPU-32GB-1xT4": None,
    }
    assert kept_out({}, types.of_chart(found), nodes) == {}
    # One node that is open is enough.
    assert set(instance_types(*nodes, node())["defaults"]) == {"8CPU-32GB-1xT4"}


def test_nodes_that_are_kept_for_gpus_are_opened_where_there_are_no_others() -> None:
    large = node(gpus=1, taints=(ON_GPUS,), product="Tesla-T4")
    none = {"2CPU-8GB": {}, "4CPU-16GB": None, "8CPU-32GB": None}
    found = instance_types(large, node("3", "12Gi"))["defaults"]
    assert {name: found.get(name, {}) for name in none} == none
    assert instance_types(large)["defaults"]["4CPU-16GB"]["tolerations"][0]["key"] == ON_GPUS["key"]


def test_what_taints_keep_from_all_nodes_with_room_is_told(tmp_path: Path) -> None:
    passing = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
    spot = {"key": "node.anyscale.com/capacity-type", "value": "SPOT", "effect": "NoSchedule"}
    nodes = [node("3", "12Gi", taints=(passing, spot)), node(taints=(DEDICATED,))]
    by_it = ["dedicated=ml:NoSchedule"]
    closed = {"4CPU-16GB": by_it, "8CPU-32GB": by_it}
    assert kept_out({}, types.of_chart({}), nodes) == closed
    assert kept_out({"patches": [{"path": "/spec/tolerations/-"}]}, types.of_chart({}), nodes) == {}

    file = tmp_path / "types.yaml"
    file.write_text("large: {resources: {CPU: 14, memory: 8Gi}}\n")
    found = types_fit(str(file), nodes, lambda: False)
    assert (found.status, "no node admits large" in found.detail) == (Status.WARN, True)
    file.write_text(
        "large: {resources: {CPU: 14}, tolerations: [{key: dedicated, operator: Exists}]}\n"
    )
    assert types_fit(str(file), nodes).status is Status.PASS


def test_a_type_with_gpus_is_let_onto_nodes_that_are_for_them() -> None:
    nodes = [node(gpus=1, taints=(ON_GPUS, DEDICATED), product="Tesla-T4")]
    asked = {"t4": {"resources": {"CPU": 1, "GPU": 1, "accelerators": ["T4"]}}}
    assert kept_out({}, asked, nodes) == {"t4": ["dedicated=ml:NoSchedule"]}
    tolerations = {"additional": [{"key": "dedicated", "operator": "Exists"}]}
    values = {"workloads": {"accelerator": {"tolerations": tolerations}}}
    assert kept_out(values, asked, nodes) == {}


def test_types_of_the_chart_are_as_the_users_values_leave_them() -> None:
    own = {"mine": {"resources": {"CPU": 1, "memory": "1Gi"}}, "broken": {"CPU": 1}}
    said = {"defaults": {"2CPU-8GB": None, "4CPU-16GB": {"tolerations": []}}, "additional": own}
    found = types.of_chart({"workloads": {"instanceTypes": said}})
    assert set(found) == {"mine", "4CPU-16GB", "8CPU-32GB", "8CPU-32GB-1xT4"}
    assert found["4CPU-16GB"]["resources"]["CPU"] == 4
    alone = {"workloads": {"instanceTypes": {**said, "enableDefaults": False}}}
    assert set(types.of_chart(alone)) == {"mine"}


def test_nodes_of_the_control_plane_take_no_ray_nodes() -> None:
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    assert types.shapes([node(taints=(taint,))]) == ()
    assert types.values("auto", [node(taints=(taint,))]) == {}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Tesla-T4", "T4"),
        ("nvidia-tesla-t4", "T4"),
        ("NVIDIA-A10G", "A10G"),
        ("NVIDIA-L40S", "L40S"),
        ("NVIDIA-A100-SXM4-40GB", "A100-40G"),
        ("nvidia-a100-80gb", "A100-80G"),
        ("nvidia-h100-mega-80gb", "H100-MEGA"),
        ("NVIDIA-H200", "H200"),
        ("nvidia-rtx-pro-6000", "RTX-PRO-6000"),
        ("gpu-h100-sxm", "H100"),
        ("BM.GPU.H100.8", "H100"),
        ("VM.GPU.A10.1", "A10"),
        ("BM.GPU.A100-v2.8", "A100-80G"),
        ("BM.GPU4.8", "A100-40G"),
        ("VM.GPU3.2", "V100"),
    ],
)
def test_a_gpu_has_anyscales_name(label: str, name: str) -> None:
    assert types.accelerator(label) == name


def test_gpus_without_a_label_of_their_own_are_selected_by_none() -> None:
    assert "accelerator" not in types.values("auto", [node(gpus=1)])["workloads"]


def test_default_changes_nothing() -> None:
    assert types.values("default", [node()]) == {}


def test_a_file_replaces_the_charts_types_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "types.yaml"
    file.write_text(
        "small: {resources: {CPU: 4, memory: 8Gi}}\n"
        "huge: {resources: {CPU: 400, memory: 8Gi}}\n"
        "other: {resources: {CPU: 1, memory: 1Gi, GPU: 1, accelerators: [H100]}}\n"
    )
    found = types.values(str(file), [node()])["workloads"]["instanceTypes"]
    assert found["enableDefaults"] is False
    assert set(found["additional"]) == {"small", "huge", "other"}
    assert types.unsatisfied_of(types.of_file(file), [node()]) == ["huge", "other"]


def test_a_type_may_take_a_node_whole_and_an_a100_of_any_memory() -> None:
    azure = node(gpus=1, product="NVIDIA-A100")
    asked = {
        "whole": {"resources": {"CPU": 15, "memory": "60Gi"}},
        "a100": {"resources": {"CPU": 4, "memory": "8Gi", "GPU": 1, "accelerators": ["A100"]}},
        "more": {"resources": {"CPU": 16, "memory": "60Gi"}},
        "80": {"resources": {"CPU": 4, "GPU": 1, "accelerators": ["A100-80G"]}},
    }
    assert types.unsatisfied_of(asked, [azure]) == ["more", "80"]


def test_what_no_node_can_satisfy_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "types.yaml"
    file.write_text("huge: {resources: {CPU: 400, memory: 8Gi}}\n")
    found = types_fit(str(file), [node()])
    assert found.status is Status.WARN
    assert "huge" in found.detail
    assert types_fit(str(file), []).status is Status.UNKNOWN
    # Where nothing adds nodes there is nothing to wait for, and nothing is installed.
    assert types_fit(str(file), [node()], lambda: False).status is Status.FAIL
    assert declared.INSTANCE_TYPES_FIT.severity is Severity.FATAL


@pytest.mark.parametrize("text", ["", "- a list\n", "name: {CPU: 1}\n", "{\n"])
def test_a_file_without_types_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "types.yaml"
    file.write_text(text)
    with pytest.raises(errors.CliError) as caught:
        types.of_file(file)
    assert caught.value.code is errors.INVALID_SPEC


def test_what_auto_would_mend_and_what_it_has_not_mended_have_different_fixes() -> None:
    again = "anyscale cloud setup --name prod"
    found = offered_fit(types.of_chart({}), [node(taints=(DEDICATED,))], {}, again)
    assert found.status is Status.WARN
    assert "no node can satisfy 8CPU-32GB-1xT4; no node admits 2CPU-8GB, " in found.detail
    assert "for want of a toleration of dedicated=ml:NoSchedule" in found.detail
    assert found.fix.endswith(f"\n{again} --instance-types auto")
    auto = f"{again} --instance-types auto"
    assert by_nodes(auto).startswith(f"{auto}\nthis makes them")
