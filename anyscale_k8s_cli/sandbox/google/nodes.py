"""The Kubernetes Node objects of a seeded cluster, and what GKE itself runs on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.seed import GKE_METADATA, GkeClusterSeed, NodePoolSeed

METADATA_LABEL = "iam.gke.io/gke-metadata-server-enabled"
ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
GPU = "nvidia.com/gpu"
_PLUGIN = "nvidia-gpu-device-plugin"


@dataclass(frozen=True, slots=True)
class _Machine:
    cpus: int
    memory_gib: int


# https://cloud.google.com/compute/docs/machine-resource
_MACHINES = {
    "e2-standard-4": _Machine(4, 16),
    "n1-standard-8": _Machine(8, 30),
    "n2-standard-8": _Machine(8, 32),
    "g2-standard-8": _Machine(8, 32),
    "a2-highgpu-1g": _Machine(12, 85),
    "a3-highgpu-8g": _Machine(208, 1872),
}


def nodes(seed: GkeClusterSeed) -> list[dict[str, Any]]:
    """One manifest per machine of each node pool, as the kubelet would register it.

    GPUs are allocatable: GKE's own plugin has reported them.
    """
    pools = [pool for pool in seed.node_pools for _ in range(pool.size)]
    return [_node(seed, pool, number) for number, pool in enumerate(pools)]


def gpu_plugin() -> dict[str, Any]:
    """The DaemonSet by which GKE offers the GPUs of its nodes."""
    labels = {"k8s-app": _PLUGIN}
    wanted = {"matchExpressions": [{"key": ACCELERATOR_LABEL, "operator": "Exists"}]}
    node_affinity = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [wanted]}
    }
    spec = {
        "priorityClassName": "system-node-critical",
        "affinity": {"nodeAffinity": node_affinity},
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": _PLUGIN, "image": f"gke.gcr.io/{_PLUGIN}:v1.0.31-gke.4"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": _PLUGIN,
            "namespace": "kube-system",
            "labels": {**labels, "addonmanager.kubernetes.io/mode": "Reconcile"},
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _node(seed: GkeClusterSeed, pool: NodePoolSeed, number: int) -> dict[str, Any]:
    digest = seed.digest(f"node-{number}")
    zone = seed.zones[number % len(seed.zones)]
    name = f"gke-{seed.name}-{pool.name}-{digest[:8]}-{digest[8:12]}"
    taints = [
        {"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in pool.taints
    ]
    if pool.accelerator:
        taints.append({"key": GPU, "value": "present", "effect": "NoSchedule"})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(seed, pool, name, zone)},
        "spec": {"providerID": f"gce://{seed.project_id}/{zone}/{name}", "taints": taints},
        "status": _status(seed, pool, name, f"10.128.1.{10 + number}"),
    }


def _labels(seed: GkeClusterSeed, pool: NodePoolSeed, name: str, zone: str) -> dict[str, str]:
    labels = {
        "beta.kubernetes.io/instance-type": pool.machine_type,
        "cloud.google.com/gke-boot-disk": "pd-balanced",
        "cloud.google.com/gke-container-runtime": "containerd",
        "cloud.google.com/gke-nodepool": pool.name,
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-provisioning": "spot" if pool.spot else "standard",
        "cloud.google.com/machine-family": pool.machine_type.split("-", 1)[0],
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": pool.machine_type,
        "topology.gke.io/zone": zone,
        "topology.kubernetes.io/region": seed.region,
        "topology.kubernetes.io/zone": zone,
    }
    if pool.spot:
        labels["cloud.google.com/gke-spot"] = "true"
    if pool.accelerator:
        labels[ACCELERATOR_LABEL] = pool.accelerator.type
        labels["cloud.google.com/gke-gpu"] = "true"
        labels["cloud.google.com/gke-gpu-driver-version"] = pool.accelerator.driver.lower()
    if seed.workload_identity and pool.metadata_mode == GKE_METADATA:
        labels[METADATA_LABEL] = "true"
    return labels | dict(pool.labels)


def _status(seed: GkeClusterSeed, pool: NodePoolSeed, name: str, address: str) -> dict[str, Any]:
    machine = _MACHINES[pool.machine_type]
    memory = machine.memory_gib * 1024 * 1024
    capacity = {
        "cpu": str(machine.cpus),
        "ephemeral-storage": "98831908Ki",
        "memory": f"{memory}Ki",
        "pods": "110",
    }
    if pool.accelerator:
        capacity[GPU] = str(pool.accelerator.count)
    # The kubelet and the system keep a part for themselves.
    allocatable = capacity | {
        "cpu": f"{machine.cpus * 1000 - 90}m",
        "ephemeral-storage": "47060071478",
        "memory": f"{int(memory * 0.89)}Ki",
    }
    return {
        "capacity": capacity,
        "allocatable": allocatable,
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name},
        ],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
            }
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "containerRuntimeVersion": "containerd://2.0.5",
            "kernelVersion": "6.6.93+",
            "kubeletVersion": f"v{seed.version}.2-gke.1111000",
            "operatingSystem": "linux",
            "osImage": "Container-Optimized OS from Google",
        },
    }
