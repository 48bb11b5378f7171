"""What is in the tenancy when the world begins: compartments, clusters with their node pools.

Plain data. Ids look like Oracle's own: a kind, the realm, a region's key, letters and digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from anyscale_k8s_cli.sandbox.machines import Machine, Taint

REGION = "us-ashburn-1"
# Regions by their keys, as answers name them.
REGIONS: Mapping[str, str] = {"us-ashburn-1": "IAD", "us-phoenix-1": "PHX"}
NAMESPACE = "demospace"
ADMIN, OUTSIDER, LENT = "demo-admin", "outsider", "team-data"
ADMINISTRATORS = "Administrators"
GPU_PLUGIN = "NvidiaGpuPlugin"
GPU_TAINT = Taint("nvidia.com/gpu", "present")


def ocid(kind: str, name: str, region: str = "") -> str:
    """An id that is always the same for the same thing."""
    return f"ocid1.{kind}.oc1.{region}.{sha256(f'{kind}/{name}'.encode()).hexdigest()[:60]}"


TENANCY_ID = ocid("tenancy", "demo")
COMPARTMENT, OTHER_COMPARTMENT = "demo", "shared"
COMPARTMENTS: Mapping[str, str] = {
    ocid("compartment", name): name for name in (COMPARTMENT, OTHER_COMPARTMENT)
}
COMPARTMENT_ID = ocid("compartment", COMPARTMENT)
OTHER_COMPARTMENT_ID = ocid("compartment", OTHER_COMPARTMENT)


@dataclass(frozen=True, slots=True)
class NodePoolSeed:
    """A pool with `size` nodes of a shape."""

    name: str
    shape: str
    machine: Machine
    size: int
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


CPU_NODES = NodePoolSeed("cpu", "VM.Standard.E5.Flex", Machine(16, 64), 2)
GPU_NODES = NodePoolSeed("gpu", "VM.GPU.A10.1", Machine(30, 240, 1), 1, taints=(GPU_TAINT,))


@dataclass(frozen=True, slots=True)
class ClusterSeed:
    """A cluster. `reads_while_creating`: how often it is still CREATING when it is read.

    `virtual` is whether it has virtual nodes beside its pools.
    """

    name: str = "demo"
    compartment: str = COMPARTMENT_ID
    version: str = "1.33.1"
    node_pools: tuple[NodePoolSeed, ...] = (CPU_NODES, GPU_NODES)
    kind: str = "ENHANCED_CLUSTER"
    public_endpoint: bool = True
    gpu_plugin: bool = True
    virtual: bool = False
    reads_while_creating: int = 0

    @property
    def id(self) -> str:
        return ocid("cluster", f"{self.compartment}/{self.name}", "iad")

    @property
    def network(self) -> str:
        return ocid("vcn", f"{self.compartment}/{self.name}", "iad")

    def subnet(self, name: str) -> str:
        """The id of one of its network's subnets: `public`, `private`."""
        return ocid("subnet", f"{self.network}/{name}", "iad")

    def pool_id(self, pool: NodePoolSeed) -> str:
        return ocid("nodepool", f"{self.id}/{pool.name}", "iad")
