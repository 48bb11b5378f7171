"""Who brings the device plugin to which pool, and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.addons.gpu import (
    NOBODY,
    OURS,
    GpuPool,
    all_served,
    by_hand,
    incumbent,
    restricted,
    survey,
)
from anyscale_k8s_cli.provider import NodePool

POOL = NodePool("g", labels={"pool": "g"}, gpu=True, size=2)


def node(allocatable: int = 0, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "n", "labels": labels},
        "status": {"allocatable": {"nvidia.com/gpu": str(allocatable)} if allocatable else {}},
    }


def plugin(name: str = "nvidia-device-plugin-daemonset", **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "gpu-operator", "annotations": annotations}}


THEIRS = "DaemonSet gpu-operator/nvidia-device-plugin-daemonset"
OUR_PLUGIN = {
    "metadata": {
        "name": "nvdp-nvidia-device-plugin",
        "namespace": "nvidia-device-plugin",
        "annotations": {
            "meta.helm.sh/release-name": "nvdp",
            "meta.helm.sh/release-namespace": "nvidia-device-plugin",
        },
    }
}


@pytest.mark.parametrize(
    ("pool", "nodes", "plugins", "owner"),
    [
        # The provider knows: its word counts.
        (NodePool("g", gpu=True, gpu_plugin_owner="GKE"), [], [], "GKE"),
        # Nothing is known and nothing is there.
        (POOL, [], [], NOBODY),
        (POOL, [node(pool="g")], [], NOBODY),
        # GPUs are offered without any DaemonSet: the image does it.
        (POOL, [node(1, pool="g")], [], "the node image"),
        # The GPU operator, also where it does not work (yet): never a second one.
        (POOL, [node(1, pool="g")], [plugin()], THEIRS),
        (POOL, [node(pool="g")], [plugin()], THEIRS),
        # Scaled to zero.
        (
            POOL,
            [],
            [plugin("x-nvidia-gpu-device-plugin")],
            "DaemonSet gpu-operator/x-nvidia-gpu-device-plugin",
        ),
        # Our own.
        (POOL, [node(1, pool="g")], [OUR_PLUGIN], OURS),
        (POOL, [], [OUR_PLUGIN], OURS),
        (POOL, [node(1, pool="g")], [OUR_PLUGIN, plugin()], THEIRS),
    ],
)
def test_owner(pool: NodePool, nodes: list[Any], plugins: list[Any], owner: str) -> None:
    (found,) = survey([pool], nodes, plugins)
    assert found.plugin_owner == owner


def test_two_plugins_on_one_node_are_seen() -> None:
    there = [node(1, pool="g")]
    assert survey([POOL], there, [OUR_PLUGIN, plugin()])[0].twice
    for alone in (OUR_PLUGIN, plugin()):
        assert not survey([POOL], there, [alone])[0].twice
    # Of nodes that are not there yet nobody knows which of them they will get.
    assert not survey([POOL], [], [OUR_PLUGIN, plugin()])[0].twice


def test_where_ours_serves_nobody_installs_another_by_hand() -> None:
    ours, none = gpu_pool("a", OURS), gpu_pool("b", NOBODY)
    assert all_served(by_hand([ours]))
    [terms] = restricted({}, by_hand([ours, none]))["affinity"]["nodeAffinity"].values()
    assert terms["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["b"]}]}
    ]


def test_cpu_pools_and_nodes_are_of_no_interest() -> None:
    assert survey([NodePool("c", labels={"pool": "c"})], [node(pool="c"), node()], []) == ()


def test_nodes_outside_pools_are_told_by_what_they_offer_or_their_labels() -> None:
    (strays,) = survey([], [node(4), node(8)], [])
    assert (strays.nodes, strays.allocatable) == (2, 12)
    labelled = {"metadata": {"name": "n", "labels": {"nvidia.com/gpu.present": "true"}}}
    (stray,) = survey([], [labelled], [])
    assert stray.plugin_owner == NOBODY
    denied = {"metadata": {"name": "n", "labels": {"nvidia.com/gpu.present": "false"}}}
    assert survey([], [denied], []) == ()


def test_report_of_a_pool() -> None:
    labels = {"pool": "g", "nvidia.com/gpu.product": "Tesla-T4"}
    pool = NodePool("g", labels=labels, gpu=True, gpu_driver="node image", size=3)
    (found,) = survey([pool], [], [])
    assert str(found) == (
        "g: 3 nodes, 0 GPUs allocatable, driver from node image, device plugin from nobody, "
        "product label set"
    )


def gpu_pool(name: str, owner: str) -> GpuPool:
    return GpuPool(name, 1, "", owner, 0, False, {"pool": name})


def test_a_plugin_is_wanted_as_soon_as_one_pool_has_none() -> None:
    theirs, none = gpu_pool("a", "the node image"), gpu_pool("b", NOBODY)
    assert all_served([theirs])
    assert not all_served([theirs, none])
    assert not all_served([])
    found = incumbent([theirs])
    assert found is not None
    assert found.what == "brought by the node image"
    assert incumbent([theirs, none]) is None


def test_values_are_held_to_the_pools_that_have_none() -> None:
    product = {"key": "nvidia.com/gpu.product", "operator": "Exists"}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    values: dict[str, Any] = {
        "affinity": {
            "nodeAffinity": {required: {"nodeSelectorTerms": [{"matchExpressions": [product]}]}}
        },
        "gfd": {"enabled": True},
    }
    pools = [gpu_pool("a", "the node image"), gpu_pool("b", NOBODY), gpu_pool("c", OURS)]
    limited = restricted(values, pools)
    terms = limited["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"]
    assert terms == [
        {"matchExpressions": [product, {"key": "pool", "operator": "In", "values": [name]}]}
        for name in ("b", "c")
    ]
    assert limited["gfd"] == {"enabled": True}
    # Nothing is limited where nobody else brings one, and the input is left alone.
    assert restricted(values, pools[1:]) == values
    assert len(values["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"]) == 1


def held_to(**labels: str) -> dict[str, Any]:
    """A plugin of others that runs where nodes have these labels."""
    return {**plugin(), "spec": {"template": {"spec": {"nodeSelector": labels}}}}


def by_affinity(operator: str, *values: str) -> dict[str, Any]:
    """Ours, as it is held to pools."""
    expression = {"key": "pool", "operator": operator, "values": list(values)}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return {**OUR_PLUGIN, "spec": {"template": {"spec": {"affinity": affinity}}}}


OTHER = NodePool("o", labels={"pool": "o"}, gpu=True)


@pytest.mark.parametrize(
    ("nodes", "brings", "owners"),
    [
        # Others' runs on one pool alone, whether nodes are there or not.
        ([node(pool="g"), node(pool="o")], held_to(pool="g"), (THEIRS, NOBODY)),
        ([], held_to(pool="g"), (THEIRS, NOBODY)),
        # By a label that the nodes lack, and new ones may have.
        ([node(pool="g"), node(pool="o")], held_to(team="ml"), (NOBODY, NOBODY)),
        ([], held_to(team="ml"), (THEIRS, THEIRS)),
        # By one that the GPU operator sets itself, sooner or later: never a second plugin.
        (
            [node(pool="g"), node(pool="o")],
            held_to(**{"nvidia.com/gpu.deploy.device-plugin": "true"}),
            (THEIRS, THEIRS),
        ),
        # Ours is held to one pool, and the other one has its own: so it stays.
        ([node(1, pool="g"), node(1, pool="o")], by_affinity("In", "g"), (OURS, "the node image")),
        ([node(1, pool="g"), node(pool="o")], by_affinity("NotIn", "g"), ("the node image", OURS)),
        ([node(1, pool="g"), node(pool="o")], by_affinity("Exists"), (OURS, OURS)),
        ([node(pool="g"), node(pool="o")], by_affinity("DoesNotExist"), (NOBODY, NOBODY)),
    ],
)
def test_each_pool_is_judged_by_what_runs_on_it(
    nodes: list[Any], brings: dict[str, Any], owners: tuple[str, str]
) -> None:
    found = survey([POOL, OTHER], nodes, [brings])
    assert tuple(pool.plugin_owner for pool in found) == owners


def test_nodes_outside_pools_are_named_where_others_have_a_plugin() -> None:
    stray = node(**{"nvidia.com/gpu.present": "true", "kubernetes.io/hostname": "stray-1"})
    pools = survey([POOL], [node(1, pool="g"), stray], [])
    assert [pool.plugin_owner for pool in pools] == ["the node image", NOBODY]
    limited = restricted({}, pools)
    [terms] = limited["affinity"]["nodeAffinity"].values()
    assert terms["nodeSelectorTerms"] == [
        {
            "matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["stray-1"]}
            ]
        }
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("vpc.amazonaws.com/efa", ", 64 vpc.amazonaws.com/efa"),
        ("rdma/ib", ", 64 rdma/ib"),
        ("x/y", ""),
    ],
)
def test_a_fast_network_between_nodes_is_told(name: str, told: str) -> None:
    one = node(8, pool="g")
    one["status"]["allocatable"] |= {name: "32", "hugepages-2Mi": "0"}
    (found,) = survey([POOL], [one, one], [])
    assert str(found).endswith(f"product label not set{told}")
