"""The Kubernetes Node objects of a seeded cluster, and what Oracle itself runs on them."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.machines import System, node_status
from anyscale_k8s_cli.sandbox.oci.seed import ClusterSeed, NodePoolSeed, ocid

GPU = "nvidia.com/gpu"
_PLUGIN = "nvidia-gpu-device-plugin"
_ZONE = "US-ASHBURN-AD-1"


def nodes(seed: ClusterSeed) -> list[dict[str, Any]]:
    """One manifest per machine of each pool, as the kubelet would register it."""
    pools = [pool for pool in seed.node_pools for _ in range(pool.size)]
    return [_node(seed, pool, number) for number, pool in enumerate(pools)]


def gpu_plugin() -> dict[str, Any]:
    """The DaemonSet of the add-on by which Oracle offers GPUs."""
    labels = {"name": _PLUGIN}
    spec = {
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"nvidia.com/gpu": "true"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [
            {"name": _PLUGIN, "image": "iad.ocir.io/oke-images/nvidia-k8s-device-plugin:0.17.1"}
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


def _node(seed: ClusterSeed, pool: NodePoolSeed, number: int) -> dict[str, Any]:
    address = f"10.0.10.{10 + number}"
    instance = ocid("instance", f"{seed.id}/{number}", "iad")
    offered = seed.gpu_plugin and pool.machine.gpus
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": address,
            "labels": _labels(pool, address, number),
            "annotations": {
                "oci.oraclecloud.com/compartment-id": seed.compartment,
                "oci.oraclecloud.com/node-pool-id": seed.pool_id(pool),
            },
        },
        "spec": {
            "providerID": instance,
            "taints": [taint.as_json() for taint in pool.taints],
        },
        "status": node_status(
            pool.machine,
            _system(seed),
            name=address,
            address=address,
            devices={GPU: str(pool.machine.gpus)} if offered else {},
        ),
    }


def _labels(pool: NodePoolSeed, address: str, number: int) -> dict[str, str]:
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": pool.shape,
        "beta.kubernetes.io/os": "linux",
        "displayName": f"oke-{pool.name}-{number}",
        "failure-domain.beta.kubernetes.io/region": "iad",
        "failure-domain.beta.kubernetes.io/zone": _ZONE,
        "hostname": f"oke-{pool.name}-{number}",
        "internal_addr": address,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": address,
        "kubernetes.io/os": "linux",
        "node.info/ds_proxymux_client": "true",
        "node.info/kubeletVersion": "v1.33",
        "node.kubernetes.io/instance-type": pool.shape,
        "oci.oraclecloud.com/fault-domain": f"FAULT-DOMAIN-{number % 3 + 1}",
        "oke.oraclecloud.com/node.info.private_subnet": "true",
        "oke.oraclecloud.com/node.info.private_worker": "true",
        "topology.kubernetes.io/region": "iad",
        "topology.kubernetes.io/zone": _ZONE,
    }
    if pool.machine.gpus:
        labels["nvidia.com/gpu"] = "true"
    return labels | dict(pool.labels)


def _system(seed: ClusterSeed) -> System:
    return System(
        kubelet=f"v{seed.version}",
        image="Oracle Linux Server 8.10",
        kernel="5.15.0-308.179.6.el8uek.x86_64",
        runtime="cri-o://1.33.1",
        disk=37206272,
        free_disk=34289300219,
        kept_cpu=160,
        free_memory=0.94,
    )
