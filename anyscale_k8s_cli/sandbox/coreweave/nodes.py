"""The Kubernetes Node objects of a seeded cluster, and what CoreWeave itself runs on them."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.coreweave.seed import ORGANISATION, ClusterSeed, NodePoolSeed
from anyscale_k8s_cli.sandbox.machines import System, node_status

GPU = "nvidia.com/gpu"
NAMESPACE = "cw-nvidia-gpu-operator"
_PLUGIN = "nvidia-device-plugin-daemonset"


def nodes(seed: ClusterSeed) -> list[dict[str, Any]]:
    """One manifest per machine of each pool, as the kubelet would register it.

    GPUs are allocatable: the plugin of the managed operator has reported them.
    """
    machines = [pool for pool in seed.pools for _ in range(pool.size)]
    return [_node(seed, pool, number) for number, pool in enumerate(machines)]


def control_plane_namespace() -> dict[str, Any]:
    """Where CoreWeave's own programs are; nobody else changes anything in it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"ns.coreweave.cloud/org": "control-plane"}},
    }


def gpu_plugin() -> dict[str, Any]:
    """The DaemonSet by which the managed GPU operator offers GPUs."""
    labels = {"app": _PLUGIN, "app.kubernetes.io/managed-by": "gpu-operator"}
    spec = {
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"node.coreweave.cloud/class": "gpu"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [
            {
                "name": "nvidia-device-plugin",
                "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.4",
            }
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": _PLUGIN, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _node(seed: ClusterSeed, pool: NodePoolSeed, number: int) -> dict[str, Any]:
    name = f"g{number:05x}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(seed, pool, name)},
        "spec": {
            "providerID": f"coreweave://{name}",
            "taints": [taint.as_json() for taint in pool.taints],
        },
        "status": node_status(
            pool.machine,
            _system(seed),
            name=name,
            address=f"10.176.192.{10 + number}",
            devices=_devices(pool),
        ),
    }


def _devices(pool: NodePoolSeed) -> dict[str, str]:
    return {GPU: str(pool.machine.gpus), "rdma/ib": "1000"} if pool.gpu else {}


def _labels(seed: ClusterSeed, pool: NodePoolSeed, name: str) -> dict[str, str]:
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "compute.coreweave.com/node-pool": pool.name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.coreweave.cloud/class": "gpu" if pool.gpu else "cpu",
        "node.coreweave.cloud/reserved": ORGANISATION,
        "node.coreweave.cloud/state": "production",
        "node.coreweave.cloud/type": pool.instance_type,
        "node.kubernetes.io/instance-type": pool.instance_type,
        "topology.kubernetes.io/region": seed.zone[:-1],
        "topology.kubernetes.io/zone": seed.zone,
    }
    if pool.gpu:
        labels |= {
            "gpu.nvidia.com/class": pool.gpu,
            "gpu.nvidia.com/count": str(pool.machine.gpus),
            "gpu.nvidia.com/model": pool.gpu,
            "gpu.nvidia.com/vram": str(pool.vram),
        }
    return labels


def _system(seed: ClusterSeed) -> System:
    return System(
        kubelet=f"{seed.version}.1",
        image="Ubuntu 22.04.5 LTS",
        kernel="6.2.15-coreweave",
        runtime="containerd://1.7.27",
        disk=7000000000,
        free_disk=6451200000000,
        kept_cpu=1000,
        free_memory=0.96,
    )
