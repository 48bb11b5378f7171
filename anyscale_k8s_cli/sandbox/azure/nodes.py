"""The Kubernetes Node objects of a seeded cluster."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.azure.seed import SUBSCRIPTION_ID, AgentPoolSeed, AksClusterSeed
from anyscale_k8s_cli.sandbox.machines import Machine, System, node_status

_SPOT = "kubernetes.azure.com/scalesetpriority"
_IMAGE = "AKSUbuntu-2204gen2containerd-202510.19.1"


# https://learn.microsoft.com/azure/virtual-machines/sizes/overview
_MACHINES = {
    "Standard_D2s_v5": Machine(2, 8),
    "Standard_D4s_v5": Machine(4, 16),
    "Standard_D8s_v5": Machine(8, 32),
    "Standard_D16s_v5": Machine(16, 64),
    "Standard_D8pds_v5": Machine(8, 32, arch="arm64"),
    "Standard_NC4as_T4_v3": Machine(4, 28, 1),
    "Standard_NC64as_T4_v3": Machine(64, 440, 4),
    "Standard_NC24ads_A100_v4": Machine(24, 220, 1),
    "Standard_NC40ads_H100_v5": Machine(40, 320, 1),
    "Standard_ND96isr_H100_v5": Machine(96, 1900, 8),
}


def nodes(seed: AksClusterSeed) -> list[dict[str, Any]]:
    """One manifest per machine of each pool, as the kubelet would register it.

    `nvidia.com/gpu` is not allocatable: a device plugin must report it first.
    """
    found: list[dict[str, Any]] = []
    for pool in seed.pools:
        for number in range(pool.size):
            found.append(_node(seed, pool, number, len(found)))
    return found


def _node(seed: AksClusterSeed, pool: AgentPoolSeed, number: int, overall: int) -> dict[str, Any]:
    machine = _MACHINES[pool.vm_size]
    scale_set = f"aks-{pool.name}-{int(seed.digest(pool.name)[:7], 16) % 10**8:08d}-vmss"
    name = f"{scale_set}{number:06x}"
    taints = [taint.as_json() for taint in pool.taints]
    if pool.spot:
        taints.append({"key": _SPOT, "value": "spot", "effect": "NoSchedule"})
    group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{seed.node_resource_group.lower()}"
    machines = "providers/Microsoft.Compute/virtualMachineScaleSets"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(seed, pool, machine, name, number)},
        "spec": {
            "providerID": f"azure://{group}/{machines}/{scale_set}/virtualMachines/{number}",
            "taints": taints,
        },
        "status": node_status(machine, _system(seed), name=name, address=f"10.224.0.{4 + overall}"),
    }


def _labels(
    seed: AksClusterSeed, pool: AgentPoolSeed, machine: Machine, name: str, number: int
) -> dict[str, str]:
    # A pool without zones is in no zone: its machines count fault domains.
    zone = f"{seed.location}-{pool.zones[number % len(pool.zones)]}" if pool.zones else "0"
    labels = {
        "agentpool": pool.name,
        "beta.kubernetes.io/instance-type": pool.vm_size,
        "kubernetes.azure.com/agentpool": pool.name,
        "kubernetes.azure.com/cluster": seed.node_resource_group,
        "kubernetes.azure.com/mode": pool.mode.lower(),
        "kubernetes.azure.com/node-image-version": _IMAGE,
        "kubernetes.azure.com/os-sku": "Ubuntu",
        "kubernetes.azure.com/role": "agent",
        "kubernetes.io/arch": machine.arch,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": pool.vm_size,
        "topology.disk.csi.azure.com/zone": zone if pool.zones else "",
        "topology.kubernetes.io/region": seed.location,
        "topology.kubernetes.io/zone": zone,
    }
    if machine.gpus:
        labels |= {"accelerator": "nvidia", "kubernetes.azure.com/accelerator": "nvidia"}
    if pool.spot:
        labels[_SPOT] = "spot"
    return labels | dict(pool.labels)


def _system(seed: AksClusterSeed) -> System:
    return System(
        kubelet=f"v{seed.version}.5",
        image="Ubuntu 22.04.5 LTS",
        kernel="5.15.0-1098-azure",
        runtime="containerd://1.7.28-1",
        disk=129886128,
        free_disk=119703055367,
        kept_cpu=180,
        free_memory=0.9,
    )
