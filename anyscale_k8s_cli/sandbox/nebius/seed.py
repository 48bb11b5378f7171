"""What is in the project when the world begins: clusters with their node groups.

Plain data. Ids look like Nebius' own: a kind, a region's short name, letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from anyscale_k8s_cli.sandbox.machines import Machine, Taint

REGION = "eu-north1"
TENANT, PROJECT = "demo-tenant", "demo"
ADMIN, OUTSIDER = "demo-admin", "outsider"
GPU_TAINT = Taint("nvidia.com/gpu", "present")
_SHORT = {"eu-north1": "e00", "eu-west1": "e01", "us-central1": "u00"}
_PRESET = re.compile(r"(?:(\d+)gpu-)?(\d+)vcpu-(\d+)gb")


def id_of(kind: str, name: str, region: str = REGION) -> str:
    """An id that is always the same for the same thing."""
    return f"{kind}-{_SHORT.get(region, 'e00')}{sha256(f'{kind}/{name}'.encode()).hexdigest()[:14]}"


TENANT_ID = id_of("tenant", TENANT)
PROJECT_ID = id_of("project", PROJECT)


@dataclass(frozen=True, slots=True)
class NodeGroupSeed:
    """A group with `size` nodes. `drivers` is the preset of GPU drivers that Nebius installs,
    `dra` whether GPUs are to be claimed.

    `most` is given where the group may grow.
    """

    name: str
    platform: str
    preset: str
    size: int
    drivers: str = ""
    dra: bool = False
    gpu: str = ""
    most: int = 0
    preemptible: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @property
    def machine(self) -> Machine:
        """What a node of the preset has."""
        found = _PRESET.fullmatch(self.preset)
        if found is None:
            raise ValueError(f"not a preset: {self.preset}")
        return Machine(int(found[2]), int(found[3]), int(found[1] or 0))


CPU_NODES = NodeGroupSeed("cpu", "cpu-d3", "16vcpu-64gb", 2)
GPU_NODES = NodeGroupSeed(
    "gpu",
    "gpu-h100-sxm",
    "1gpu-16vcpu-200gb",
    1,
    drivers="cuda12.8",
    gpu="H100",
    most=4,
    taints=(GPU_TAINT,),
)


@dataclass(frozen=True, slots=True)
class ClusterSeed:
    """A cluster. `reads_while_creating`: how often it is still PROVISIONING when it is read."""

    name: str = "demo"
    version: str = "1.33"
    node_groups: tuple[NodeGroupSeed, ...] = (CPU_NODES, GPU_NODES)
    public_endpoint: bool = True
    reads_while_creating: int = 0

    @property
    def id(self) -> str:
        return id_of("mk8scluster", self.name)

    def group_id(self, group: NodeGroupSeed) -> str:
        return id_of("mk8snodegroup", f"{self.name}/{group.name}")
