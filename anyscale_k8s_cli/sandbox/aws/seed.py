"""What is in the account when the world begins: clusters, networks, buckets.

Plain data. Names and numbers are those of a small hand-made EKS installation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from anyscale_k8s_cli.sandbox.machines import Taint

ACCOUNT_ID = "284710593866"
OTHER_ACCOUNT_ID = "915532408817"
ADMIN = "demo-admin"
ADMIN_POLICY: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


class LoadBalancerController(StrEnum):
    """What serves Services of type LoadBalancer in the cluster."""

    AWS_LOAD_BALANCER_CONTROLLER = "aws-load-balancer-controller"
    AUTO_MODE = "auto-mode"
    IN_TREE = "in-tree"


@dataclass(frozen=True, slots=True)
class NodeGroupSeed:
    name: str
    instance_type: str
    size: int
    ami_type: str = "AL2023_x86_64_STANDARD"
    capacity_type: str = "ON_DEMAND"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    max_size: int = 5


@dataclass(frozen=True, slots=True)
class AddonSeed:
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class AccessEntrySeed:
    """A principal that may use the cluster, besides its creator."""

    principal_arn: str
    username: str = ""
    groups: tuple[str, ...] = ()
    policy: str = ""


CPU_NODES = NodeGroupSeed("cpu", "m6i.2xlarge", 2)
GPU_NODES = NodeGroupSeed(
    "gpu",
    "g4dn.xlarge",
    1,
    ami_type="AL2023_x86_64_NVIDIA",
    labels={"nvidia.com/gpu.product": "Tesla-T4", "nvidia.com/gpu.count": "1"},
    taints=(Taint("nvidia.com/gpu", "present"),),
)
ADDONS = (
    AddonSeed("vpc-cni", "v1.19.5-eksbuild.1"),
    AddonSeed("coredns", "v1.12.1-eksbuild.2"),
    AddonSeed("kube-proxy", "v1.33.0-eksbuild.2"),
)
POD_IDENTITY_AGENT = AddonSeed("eks-pod-identity-agent", "v1.3.7-eksbuild.2")


@dataclass(frozen=True, slots=True)
class EksClusterSeed:
    """A cluster. `describes_while_creating`: how often it is still CREATING when described."""

    name: str = "demo"
    region: str = "us-west-2"
    version: str = "1.33"
    creator: str = ADMIN
    endpoint: str = ""
    ca_pem: bytes = b""
    oidc_provider_registered: bool = False
    load_balancer_controller: LoadBalancerController = (
        LoadBalancerController.AWS_LOAD_BALANCER_CONTROLLER
    )
    load_balancer_never_answers: bool = False
    public_endpoint: bool = True
    subnets_tagged: bool = True
    auto_mode: bool = False
    pods_reach_metadata: bool = False
    node_groups: tuple[NodeGroupSeed, ...] = (CPU_NODES, GPU_NODES)
    addons: tuple[AddonSeed, ...] = ADDONS
    access_entries: tuple[AccessEntrySeed, ...] = ()
    describes_while_creating: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)

    def digest(self, what: str) -> str:
        """64 hex digits, always the same for the same thing of this cluster."""
        return sha256(f"{self.region}/{self.name}/{what}".encode()).hexdigest()

    @property
    def issuer_id(self) -> str:
        return self.digest("issuer")[:32].upper()

    @property
    def issuer(self) -> str:
        """The URL in the `iss` of the cluster's service-account tokens."""
        return f"https://oidc.eks.{self.region}.{dns_suffix(self.region)}/id/{self.issuer_id}"

    @property
    def vpc_id(self) -> str:
        return f"vpc-{self.digest('vpc')[:17]}"

    @property
    def security_group_id(self) -> str:
        return f"sg-{self.digest('cluster-security-group')[:17]}"

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(f"{self.region}{letter}" for letter in "abc")

    def subnets(self) -> list[SubnetSeed]:
        """A public and a private one in each zone."""
        return [
            SubnetSeed(
                id=f"subnet-{self.digest(f'{zone}-{public}')[:17]}",
                zone=zone,
                public=public,
                cidr=f"10.0.{number * 16 + (0 if public else 96)}.0/20",
            )
            for public in (True, False)
            for number, zone in enumerate(self.zones)
        ]


@dataclass(frozen=True, slots=True)
class SubnetSeed:
    id: str
    zone: str
    public: bool
    cidr: str


@dataclass(frozen=True, slots=True)
class BucketSeed:
    """A bucket that somebody made by hand.

    `objects` are (key, content), oldest first. Without an account the bucket is in
    the stand-in's own; another account's bucket has its name taken and stays closed.
    """

    name: str
    region: str = "us-west-2"
    account_id: str | None = None
    objects: Sequence[tuple[str, bytes]] = ()
    versioned: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KmsKeySeed:
    """A customer's key for encryption."""

    id: str
    region: str = "us-west-2"
    alias: str = ""


DATA_KEY = KmsKeySeed("7d1f0c52-3b7e-4f0a-9c53-2f8b6a1e94d0", alias="team-data")
TEAM_DATA = BucketSeed(
    "team-data",
    objects=(("models/base.bin", b"weights"), ("reports/2025.csv", b"month,cost\njan,7\n")),
    versioned=True,
    tags={"team": "ml", "cost-center": "4711"},
)

# Bucket names are everybody's: some are taken by people whom one never meets.
STRANGERS_DATA = BucketSeed("acme-data", account_id=OTHER_ACCOUNT_ID)


def dns_suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
