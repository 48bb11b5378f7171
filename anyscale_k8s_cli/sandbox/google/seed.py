"""What is in the project when the world begins: clusters, accounts, buckets, services.

Plain data. Names and numbers are those of a small hand-made GKE installation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from anyscale_k8s_cli.sandbox.machines import Taint

PROJECT_ID = "demo"
PROJECT_NUMBER = "418205339162"
OTHER_PROJECT_NUMBER = "905113477620"
ADMIN = "demo-admin"
AUTOMATION = "automation"
HAND_MADE_ACCOUNT = "team-data-reader"

GKE_METADATA, GCE_METADATA = "GKE_METADATA", "GCE_METADATA"
# The services that the product and the sandbox's worlds use, with their names for people.
SERVICES: Mapping[str, str] = {
    "cloudresourcemanager": "Cloud Resource Manager API",
    "compute": "Compute Engine API",
    "container": "Kubernetes Engine API",
    "file": "Cloud Filestore API",
    "iam": "Identity and Access Management (IAM) API",
    "iamcredentials": "IAM Service Account Credentials API",
    "serviceusage": "Service Usage API",
    "storage": "Cloud Storage API",
    "sts": "Security Token Service API",
}
ENABLED = tuple(name for name in SERVICES if name != "file")


@dataclass(frozen=True, slots=True)
class Accelerator:
    type: str
    count: int
    driver: str = "LATEST"


@dataclass(frozen=True, slots=True)
class NodePoolSeed:
    """A pool with `size` nodes in all. `metadata_mode` is GKE_METADATA or GCE_METADATA."""

    name: str
    machine_type: str
    size: int
    accelerator: Accelerator | None = None
    metadata_mode: str = GKE_METADATA
    spot: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    max_size: int = 5


CPU_NODES = NodePoolSeed("cpu", "n2-standard-8", 2)
GPU_NODES = NodePoolSeed("gpu", "n1-standard-8", 1, Accelerator("nvidia-tesla-t4", 1))


@dataclass(frozen=True, slots=True)
class GkeClusterSeed:
    """A cluster. `location` is a region or a zone.

    `public_endpoint`: whether its IP endpoint is for the world, and `admitted` the only
    networks that it is for then. `reads_while_creating`: how often it is still PROVISIONING
    when it is read. `workload_identity`: whether it has the project's pool. `status`: what
    it is after that.
    """

    name: str = "demo"
    location: str = "us-central1"
    project_id: str = PROJECT_ID
    version: str = "1.33"
    autopilot: bool = False
    workload_identity: bool = True
    node_pools: tuple[NodePoolSeed, ...] = (CPU_NODES, GPU_NODES)
    ip_endpoint: bool = True
    public_endpoint: bool = True
    admitted: tuple[str, ...] = ()
    dns_endpoint: bool = False
    gateway_api: bool = False
    reads_while_creating: int = 0
    status: str = "RUNNING"
    labels: Mapping[str, str] = field(default_factory=dict)

    def digest(self, what: str) -> str:
        """64 hex digits, always the same for the same thing of this cluster."""
        return sha256(f"{self.path}/{what}".encode()).hexdigest()

    @property
    def path(self) -> str:
        return f"projects/{self.project_id}/locations/{self.location}/clusters/{self.name}"

    @property
    def issuer(self) -> str:
        """The URL in the `iss` of the cluster's service-account tokens."""
        return f"https://container.googleapis.com/v1/{self.path}"

    @property
    def workload_pool(self) -> str:
        return f"{host_part(self.project_id)}.svc.id.goog" if self.workload_identity else ""

    @property
    def zonal(self) -> bool:
        return self.location.count("-") > 1

    @property
    def region(self) -> str:
        return self.location.rsplit("-", 1)[0] if self.zonal else self.location

    @property
    def zones(self) -> tuple[str, ...]:
        if self.zonal:
            return (self.location,)
        return tuple(f"{self.location}-{letter}" for letter in "abc")


ZONAL = GkeClusterSeed("zonal", "us-central1-f", node_pools=(CPU_NODES,))
AUTOPILOT = GkeClusterSeed("auto", autopilot=True, node_pools=())


@dataclass(frozen=True, slots=True)
class BucketSeed:
    """A bucket that somebody made by hand.

    `objects` are (name, content), oldest first. One of another project has its
    name taken and stays closed.
    """

    name: str
    location: str = "US-CENTRAL1"
    project_number: str = PROJECT_NUMBER
    objects: Sequence[tuple[str, bytes]] = ()
    versioned: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


TEAM_DATA = BucketSeed(
    "team-data-demo",
    objects=(("models/base.bin", b"weights"), ("reports/2025.csv", b"month,cost\njan,7\n")),
    versioned=True,
    labels={"team": "ml", "cost-center": "4711"},
)


@dataclass(frozen=True, slots=True)
class AccountSeed:
    """A service account that somebody made by hand, with its roles in the project."""

    account_id: str
    display_name: str = ""
    description: str = ""
    project_roles: tuple[str, ...] = ()


def host_part(project_id: str) -> str:
    """A project's id as a part of names of hosts: one of an organization's domain, turned round."""
    return ".".join(reversed(project_id.split(":")))


def email_of(account_id: str, project_id: str = PROJECT_ID) -> str:
    return f"{account_id}@{host_part(project_id)}.iam.gserviceaccount.com"


def node_account(project_number: str = PROJECT_NUMBER) -> str:
    """The account that nodes run as when nobody chose one."""
    return f"{project_number}-compute@developer.gserviceaccount.com"
