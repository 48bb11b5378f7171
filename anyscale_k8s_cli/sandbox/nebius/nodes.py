"""The Kubernetes Node objects of a seeded cluster, and what Nebius itself runs on them."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.machines import System, node_status
from anyscale_k8s_cli.sandbox.nebius.seed import REGION, ClusterSeed, NodeGroupSeed, id_of

GPU = "nvidia.com/gpu"
SYSTEM = "ubuntu24.04"
_PLUGIN = "nvidia-device-plugin"


def nodes(seed: ClusterSeed) -> list[dict[str, Any]]:
    """One manifest per machine of each node group, as the kubelet would register it.

    GPUs are allocatable: the plugin that comes with Nebius' drivers has reported them.
    """
    groups = [group for group in seed.node_groups for _ in range(group.size)]
    return [_node(seed, group, number) for number, group in enumerate(groups)]


def gpu_plugin() -> dict[str, Any]:
    """The DaemonSet by which Nebius offers the GPUs of nodes with its drivers."""
    labels = {"app.kubernetes.io/name": _PLUGIN}
    spec = {
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"nebius.com/driverful": "true"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [
            {"name": _PLUGIN, "image": "cr.nebius.cloud/mk8s/nvidia-device-plugin:v0.17.1"}
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": _PLUGIN, "namespace": "kube-system", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _node(seed: ClusterSeed, group: NodeGroupSeed, number: int) -> dict[str, Any]:
    name = id_of("computeinstance", f"{seed.name}/{number}")
    # Nodes with Nebius' drivers have their plugin, which has reported them already.
    driven = bool(group.drivers and group.machine.gpus) and not group.dra
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(seed, group, name)},
        "spec": {
            "providerID": f"nebius://{name}",
            "taints": [taint.as_json() for taint in group.taints],
        },
        "status": node_status(
            group.machine,
            _system(seed),
            name=name,
            address=f"10.0.1.{10 + number}",
            devices={GPU: str(group.machine.gpus)} if driven else {},
        ),
    }


def _labels(seed: ClusterSeed, group: NodeGroupSeed, name: str) -> dict[str, str]:
    """The platform alone is called instance type; the preset has a label of Nebius' own."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": group.platform,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "nebius.com/node-group-id": seed.group_id(group),
        "nebius.com/resource-preset": group.preset,
        "node.kubernetes.io/instance-type": group.platform,
        "topology.kubernetes.io/region": REGION,
    }
    if group.preemptible:
        labels["nebius.com/preemptible"] = "true"
    if group.gpu:
        labels["nebius.com/gpu"] = "true"
        labels["nebius.com/gpu-name"] = group.gpu
    if group.drivers:
        labels["nebius.com/driverful"] = "true"
        labels["nebius.com/drivers-preset"] = group.drivers
    return labels | dict(group.labels)


def _system(seed: ClusterSeed) -> System:
    return System(
        kubelet=f"v{seed.version}.4",
        image="Ubuntu 24.04.2 LTS",
        kernel="6.11.0-1016-nvidia",
        runtime="containerd://1.7.27",
        disk=98831908,
        free_disk=87060071478,
        kept_cpu=100,
        free_memory=0.92,
    )
