"""What is in the organisation when the world begins: clusters with their node pools."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_DNS, uuid5

from anyscale_k8s_cli.sandbox.machines import Machine, Taint

ORGANISATION = "ab1cd2"
ADMIN = "ueqXfgRCYGqptDEMO1"
ZONE = "US-EAST-04A"


@dataclass(frozen=True, slots=True)
class NodePoolSeed:
    """A pool of `size` like machines; `gpu` is its model, `vram` in GB."""

    name: str
    instance_type: str
    machine: Machine
    size: int
    gpu: str = ""
    vram: int = 0
    taints: tuple[Taint, ...] = ()


CPU_NODES = NodePoolSeed("cpu", "cd-gp-i64-erapids", Machine(64, 512), 2)
GPU_NODES = NodePoolSeed(
    "gpu",
    "gd-8xh100ib-i128",
    Machine(128, 2048, 8),
    1,
    gpu="H100_NVLINK_80GB",
    vram=81,
)


@dataclass(frozen=True, slots=True)
class ClusterSeed:
    name: str = "demo"
    zone: str = ZONE
    version: str = "v1.34"
    pools: tuple[NodePoolSeed, ...] = (CPU_NODES, GPU_NODES)
    public: bool = True
    status: str = "STATUS_RUNNING"

    @property
    def id(self) -> str:
        return str(uuid5(NAMESPACE_DNS, f"{self.name}.{self.zone}"))

    @property
    def issuer(self) -> str:
        """Who signs the tokens of its service accounts."""
        return f"https://oidc.cks.coreweave.com/id/{self.id}"
