"""Machines of clusters, as the clouds sell them and as their kubelets report them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str = "NoSchedule"

    def as_json(self) -> dict[str, str]:
        return {"key": self.key, "value": self.value, "effect": self.effect}


@dataclass(frozen=True, slots=True)
class Machine:
    """A type of machine."""

    cpus: int
    memory_gib: int
    gpus: int = 0
    arch: str = "amd64"


@dataclass(frozen=True, slots=True)
class System:
    """What a cloud runs on its machines, and what that keeps for itself.

    `disk` is in KiB, `free_disk` in bytes, `kept_cpu` in thousandths of a CPU;
    `free_memory` is the share that pods may have.
    """

    kubelet: str
    image: str
    kernel: str
    runtime: str
    disk: int
    free_disk: int
    kept_cpu: int
    free_memory: float
    pods: int = 110


def node_status(
    machine: Machine,
    system: System,
    *,
    name: str,
    address: str,
    devices: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The status of a Ready node. `devices` are offered by plugins that run already."""
    memory = machine.memory_gib * 1024 * 1024
    capacity = {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{system.disk}Ki",
        "memory": f"{memory}Ki",
        "pods": str(system.pods),
        **(devices or {}),
    }
    allocatable = {
        **capacity,
        "cpu": f"{machine.cpus * 1000 - system.kept_cpu}m",
        "ephemeral-storage": str(system.free_disk),
        "memory": f"{int(memory * system.free_memory)}Ki",
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
            "architecture": machine.arch,
            "bootID": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"boot.{name}")),
            "containerRuntimeVersion": system.runtime,
            "kernelVersion": system.kernel,
            # Deprecated; the field is required and empty.
            "kubeProxyVersion": "",
            "kubeletVersion": system.kubelet,
            "machineID": uuid.uuid5(uuid.NAMESPACE_DNS, name).hex,
            "operatingSystem": "linux",
            "osImage": system.image,
            "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
        },
    }
