"""What is in the subscription when the world begins: clusters, accounts, identities.

Plain data. Names and numbers are those of a small hand-made AKS installation.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from anyscale_k8s_cli.sandbox.machines import Taint

TENANT_ID = "5c6f0e4e-3d6b-4f0c-9c1a-8b7a2f3d9e10"
SUBSCRIPTION_ID = "0b7b6a5e-3f0d-4b52-8a86-1d9f2c4e7a31"
OTHER_SUBSCRIPTION_ID = "9e1d3c47-52a0-4c1b-b7d8-60f4a1c28e55"
ADMIN = "demo-admin"
# Of Anyscale's application, the same in each tenant that let it in.
ANYSCALE_APP_ID = "086bc555-6989-4362-ba30-fded273e432b"
ADMIN_ROLES: Sequence[Mapping[str, Any]] = ({"role": "Owner"},)
_NAMESPACE = uuid.UUID("6f2f5f5e-8a34-4a6a-9a1f-0d8cbb6c1a0f")


def guid(*parts: str) -> str:
    """An id that is always the same for the same thing."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


@dataclass(frozen=True, slots=True)
class AgentPoolSeed:
    """A node pool; `gpu_driver` is what AKS does about drivers on machines with GPUs."""

    name: str
    vm_size: str
    size: int
    mode: str = "User"
    zones: tuple[str, ...] = ("1", "2", "3")
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    spot: bool = False
    gpu_driver: str = ""
    max_size: int = 5


CPU_POOL = AgentPoolSeed("cpu", "Standard_D8s_v5", 2, mode="System")
GPU_POOL = AgentPoolSeed(
    "gpu",
    "Standard_NC4as_T4_v3",
    1,
    labels={"nvidia.com/gpu.product": "NVIDIA-T4", "nvidia.com/gpu.count": "1"},
    taints=(Taint("nvidia.com/gpu", "present"),),
    gpu_driver="Install",
)


@dataclass(frozen=True, slots=True)
class AksClusterSeed:
    """A cluster.

    `entra` lets people in by their Entra tokens, `azure_rbac` decides by Azure roles
    what they may do there; `local_accounts` are the certificates and tokens in the
    kubeconfigs that ARM hands out. `gets_while_creating` is how often it is still
    Creating when read. `own_network` is whether its nodes are in a network that somebody made.
    """

    name: str = "demo"
    resource_group: str = "demo"
    location: str = "eastus"
    version: str = "1.33"
    endpoint: str = ""
    ca_pem: bytes = b""
    oidc_issuer: bool = True
    workload_identity: bool = True
    local_accounts: bool = True
    entra: bool = False
    azure_rbac: bool = False
    admin_groups: tuple[str, ...] = ()
    private: bool = False
    load_balancer_never_answers: bool = False
    pools: tuple[AgentPoolSeed, ...] = (CPU_POOL, GPU_POOL)
    gets_while_creating: int = 0
    own_network: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    def digest(self, what: str) -> str:
        """64 hex digits, always the same for the same thing of this cluster."""
        return sha256(f"{self.resource_group}/{self.name}/{what}".encode()).hexdigest()

    @property
    def issuer(self) -> str:
        """The URL in the `iss` of the cluster's service-account tokens, with its slash."""
        own = guid("issuer", self.resource_group, self.name)
        return f"https://{self.location}.oic.prod-aks.azure.com/{TENANT_ID}/{own}/"

    @property
    def network(self) -> tuple[str, str]:
        """The resource group and the name of its virtual network."""
        if self.own_network:
            return self.resource_group, f"{self.name}-vnet"
        return self.node_resource_group, f"aks-vnet-{self.digest('vnet')[:8]}"

    @property
    def node_resource_group(self) -> str:
        return f"MC_{self.resource_group}_{self.name}_{self.location}"

    @property
    def kubelet_identity(self) -> str:
        """The object id of the identity of its nodes."""
        return guid("kubelet", self.resource_group, self.name)


BARE = AksClusterSeed(
    "bare",
    oidc_issuer=False,
    workload_identity=False,
    pools=(AgentPoolSeed("cpu", "Standard_D8s_v5", 1),),
)


@dataclass(frozen=True, slots=True)
class StorageAccountSeed:
    """An account that somebody made by hand.

    `containers` are names with their blobs, (name, content) each. An account in
    another subscription has its name taken and stays closed.
    """

    name: str
    resource_group: str = "demo"
    subscription_id: str = SUBSCRIPTION_ID
    location: str = "eastus"
    containers: Mapping[str, Sequence[tuple[str, bytes]]] = field(default_factory=dict)
    shared_key: bool | None = None
    hierarchical: bool = False
    cors: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


TEAM_DATA = StorageAccountSeed(
    "teamdatademo",
    containers={"data": (("models/base.bin", b"weights"), ("reports/2025.csv", b"month,cost\n"))},
    tags={"team": "ml", "cost-center": "4711"},
)


@dataclass(frozen=True, slots=True)
class IdentitySeed:
    """A user-assigned identity that somebody made by hand.

    `federated` are (name, issuer, subject); `roles` are (role's name, scope).
    """

    name: str
    resource_group: str = "demo"
    location: str = "eastus"
    federated: Sequence[tuple[str, str, str]] = ()
    roles: Sequence[tuple[str, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


TEAM_IDENTITY = IdentitySeed("team-data-reader", tags={"team": "ml"})


@dataclass(frozen=True, slots=True)
class VaultSeed:
    """A key vault that somebody made by hand, in the group of the clusters.

    `users` are names of identities that may use all of its keys, by role or by access policy.
    """

    name: str
    keys: Sequence[str] = ()
    users: Sequence[str] = ()
    by_roles: bool = True
    purge_protection: bool = True
    resource_group: str = "demo"
    location: str = "eastus"

    @property
    def uri(self) -> str:
        return f"https://{self.name}.vault.azure.net/"


@dataclass(frozen=True, slots=True)
class PolicySeed:
    """An assignment of Azure Policy that denies: shared keys, Azure's own keys, a missing tag."""

    name: str
    display_name: str
    denies_shared_key: bool = False
    demands_own_key: bool = False
    required_tag: str = ""


NO_SHARED_KEY = PolicySeed(
    "no-shared-key",
    "Storage accounts should prevent shared key access",
    denies_shared_key=True,
)


OWN_KEY = PolicySeed(
    "own-key",
    "Storage accounts should use customer-managed key for encryption",
    demands_own_key=True,
)


@dataclass(frozen=True, slots=True)
class LockSeed:
    """A management lock; `level` is CanNotDelete or ReadOnly."""

    name: str
    scope: str
    level: str = "CanNotDelete"
