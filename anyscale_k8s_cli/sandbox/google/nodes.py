"""The Kubernetes Node objects of a seeded cluster, and what GKE itself runs on them."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.google.seed import GKE_METADATA, GkeClusterSeed, NodePoolSeed
from anyscale_k8s_cli.sandbox.machines import Machine, System, node_status

METADATA_LABEL = "iam.gke.io/gke-metadata-server-enabled"
ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
GPU = "nvidia.com/gpu"
_PLUGIN = "nvidia-gpu-device-plugin"


# https://cloud.google.com/compute/docs/machine-resource
_MACHINES = {
    "e2-standard-4": Machine(4, 16),
    "n1-standard-8": Machine(8, 30),
    "n2-standard-8": Machine(8, 32),
    "g2-standard-8": Machine(8, 32),
    "a2-highgpu-1g": Machine(12, 85),
    "a3-highgpu-8g": Machine(208, 1872),
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
    taints = [taint.as_json() for taint in pool.taints]
    # The plugin has reported them already.
    devices = {GPU: str(pool.accelerator.count)} if pool.accelerator else {}
    if devices:
        taints.append({"key": GPU, "value": "present", "effect": "NoSchedule"})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(seed, pool, name, zone)},
        "spec": {"providerID": f"gce://{seed.project_id}/{zone}/{name}", "taints": taints},
        "status": node_status(
            _MACHINES[pool.machine_type],
            _system(seed),
            name=name,
            address=f"10.128.1.{10 + number}",
            devices=devices,
        ),
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


def _system(seed: GkeClusterSeed) -> System:
    return System(
        kubelet=f"v{seed.version}.2-gke.1111000",
        image="Container-Optimized OS from Google",
        kernel="6.6.93+",
        runtime="containerd://2.0.5",
        disk=98831908,
        free_disk=47060071478,
        kept_cpu=90,
        free_memory=0.89,
    )
