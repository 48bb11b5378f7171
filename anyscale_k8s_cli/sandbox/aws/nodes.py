"""The Kubernetes Node objects of a seeded cluster."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed, NodeGroupSeed
from anyscale_k8s_cli.sandbox.machines import Machine, System, node_status

# https://aws.amazon.com/ec2/instance-types/
_MACHINES = {
    "t3.medium": Machine(2, 4),
    "m6i.large": Machine(2, 8),
    "m6i.2xlarge": Machine(8, 32),
    "m6i.4xlarge": Machine(16, 64),
    "m7g.2xlarge": Machine(8, 32, arch="arm64"),
    "g4dn.xlarge": Machine(4, 16, 1),
    "g5.xlarge": Machine(4, 16, 1),
    "g6.xlarge": Machine(4, 16, 1),
    "p4d.24xlarge": Machine(96, 1152, 8),
    "p5.48xlarge": Machine(192, 2048, 8),
}


def nodes(seed: EksClusterSeed) -> list[dict[str, Any]]:
    """One manifest per machine of each node group, as the kubelet would register it.

    `nvidia.com/gpu` is not allocatable: a device plugin must report it first.
    """
    groups = [group for group in seed.node_groups for _ in range(group.size)]
    return [_node(seed, group, number) for number, group in enumerate(groups)]


def _node(seed: EksClusterSeed, group: NodeGroupSeed, number: int) -> dict[str, Any]:
    machine = _MACHINES[group.instance_type]
    digest = seed.digest(f"node-{number}")
    zone = seed.zones[number % len(seed.zones)]
    # In the private subnet of its zone.
    address = f"10.0.{96 + 16 * (number % len(seed.zones))}.{10 + number}"
    name = f"ip-{address.replace('.', '-')}.{seed.region}.compute.internal"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(seed, group, machine, name, zone)},
        "spec": {
            "providerID": f"aws:///{zone}/i-{digest[:17]}",
            "taints": [taint.as_json() for taint in group.taints],
        },
        "status": node_status(machine, _system(seed), name=name, address=address),
    }


def _labels(
    seed: EksClusterSeed, group: NodeGroupSeed, machine: Machine, name: str, zone: str
) -> dict[str, str]:
    labels = {
        "beta.kubernetes.io/instance-type": group.instance_type,
        "eks.amazonaws.com/capacityType": group.capacity_type,
        "eks.amazonaws.com/nodegroup": group.name,
        "eks.amazonaws.com/nodegroup-image": f"ami-{seed.digest(group.ami_type)[:17]}",
        "kubernetes.io/arch": machine.arch,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": group.instance_type,
        "topology.k8s.aws/zone-id": f"usw2-az{seed.zones.index(zone) + 1}",
        "topology.kubernetes.io/region": seed.region,
        "topology.kubernetes.io/zone": zone,
    }
    if seed.auto_mode:
        labels["eks.amazonaws.com/compute-type"] = "auto"
    return labels | dict(group.labels)


def _system(seed: EksClusterSeed) -> System:
    return System(
        kubelet=f"v{seed.version}.1-eks-3abbec1",
        image="Amazon Linux 2023.8.20250721",
        kernel="6.12.37-61.105.amzn2023.x86_64",
        runtime="containerd://1.7.27",
        disk=104845292,
        free_disk=95551679124,
        kept_cpu=90,
        free_memory=0.93,
        pods=58,
    )
