"""What a new sandbox holds, as plain data: the knobs of world files and of tests.

The ordinary world is small and believable: an organisation with its owner signed
in, an account of each cloud with a cluster of two node pools, and a bucket that
somebody made by hand. Each platform has a part of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from pydantic import ConfigDict, TypeAdapter

from anyscale_k8s_cli.sandbox.aws.seed import LoadBalancerController
from anyscale_k8s_cli.sandbox.controlplane.accounts import OWNER
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour
from anyscale_k8s_cli.sandbox.google.seed import GKE_METADATA

PlatformName = Literal["eks", "gke", "aks", "nebius", "coreweave", "oke", "generic"]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class EksWorld:
    """The AWS account and its cluster.

    `admin_groups` are the administrator's groups in the cluster; None means no
    access entry at all, which is what a second principal (`Stage.outsider`) always has.
    `removal_seconds` is how long a deleted load balancer can still be seen. With
    `pods_reach_metadata` a pod without a role of its own has that of its node.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    region: str = "us-west-2"
    version: str = "1.33"
    admin_groups: tuple[str, ...] | None = ("system:masters",)
    admin_policies: tuple[Mapping[str, Any], ...] | None = None
    oidc_provider_registered: bool = False
    pod_identity_agent: bool = False
    pods_reach_metadata: bool = False
    auto_mode: bool = False
    load_balancer_controller: LoadBalancerController = (
        LoadBalancerController.AWS_LOAD_BALANCER_CONTROLLER
    )
    load_balancer_never_answers: bool = False
    public_endpoint: bool = True
    subnets_tagged: bool = True
    gpu_nodes: bool = True
    describes_while_creating: int = 0
    refused_attempts: int = 1
    removal_seconds: float = 0.3


@dataclass(frozen=True)
class GkeWorld:
    """The Google project, its main cluster, and whether the small ones beside it are there.

    `admin_permissions` are all that the administrator may do (patterns); None means an
    owner's. `disabled_services` are named as in their hosts, without the domain.
    `refused_attempts`: how often something new is not known yet, by kind of use.
    `own_roles` are roles of the project's or the organization's own by their full names
    (`projects/demo/roles/data`), each with the permissions that it holds. `kms_keys` are full
    names of keys (`projects/demo/locations/us-central1/keyRings/team/cryptoKeys/data`) that the
    storage service may use.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    location: str = "us-central1"
    version: str = "1.33"
    status: str = "RUNNING"
    autopilot: bool = False
    workload_identity: bool = True
    metadata_mode: str = GKE_METADATA
    gpu_nodes: bool = True
    ip_endpoint: bool = True
    public_endpoint: bool = True
    dns_endpoint: bool = False
    gateway_api: bool = False
    others: bool = True
    admin_permissions: tuple[str, ...] | None = None
    disabled_services: tuple[str, ...] = ()
    kms_keys: tuple[str, ...] = ()
    own_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    load_balancer_never_answers: bool = False
    reads_while_creating: int = 0
    refused_attempts: int = 1
    removal_seconds: float = 0.3


@dataclass(frozen=True)
class OwnRole:
    """A role of a company's own in Azure, with the members of `az role definition create`."""

    __pydantic_config__ = _STRICT

    Name: str
    Description: str = ""
    IsCustom: bool = True
    Actions: tuple[str, ...] = ()
    NotActions: tuple[str, ...] = ()
    DataActions: tuple[str, ...] = ()
    NotDataActions: tuple[str, ...] = ()
    AssignableScopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AksWorld:
    """The Azure subscription and its clusters; all but `bare` is about the ordinary one.

    `entra` lets Entra's tokens in; `admin_in_group` says whether the administrator is
    in the group that may do everything there. `admin_roles` are grants as in
    `Rights.replace`; None means Owner. `anyscale_known` is whether Anyscale's
    application was let into the tenant. `limits` are quotas that are not as Azure begins
    with them, by its names. `kms_keys` are names of keys in the vault `team-keys`, which the
    identity `team-keys-user` may use. Attempts are how often something new is not there yet.
    `removal_seconds` is how long a deleted public address can still be seen.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    resource_group: str = "demo"
    location: str = "eastus"
    version: str = "1.33"
    oidc_issuer: bool = True
    workload_identity: bool = True
    local_accounts: bool = True
    entra: bool = False
    azure_rbac: bool = False
    admin_in_group: bool = True
    admin_roles: tuple[Mapping[str, Any], ...] | None = None
    private: bool = False
    anyscale_known: bool = True
    shared_key_forbidden: bool = False
    own_key_demanded: bool = False
    own_roles: tuple[OwnRole, ...] = ()
    kms_keys: tuple[str, ...] = ()
    required_tags: tuple[str, ...] = ()
    unregistered: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    load_balancer_never_answers: bool = False
    gpu_nodes: bool = True
    gets_while_creating: int = 0
    replication_attempts: int = 1
    federation_attempts: int = 1
    propagation_attempts: int = 1
    operation_polls: int = 1
    removal_seconds: float = 0.3


@dataclass(frozen=True)
class NebiusWorld:
    """The Nebius project and its cluster.

    `admin_role` is what the administrator holds on the project. `operation_polls`: how
    often an operation is still running when it is asked about. `refused_attempts`: how
    often the object store does not know a new key or permit yet.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    version: str = "1.33"
    admin_role: str = "admin"
    public_endpoint: bool = True
    gpu_nodes: bool = True
    gpu_drivers: bool = True
    reads_while_creating: int = 0
    operation_polls: int = 1
    refused_attempts: int = 1
    removal_seconds: float = 0.3


@dataclass(frozen=True)
class CoreWeaveWorld:
    """The CoreWeave organisation and its cluster.

    `refused_attempts`: how often the object store does not know a new key yet. `cors`:
    whether the store has CORS calls. `federated`: whether the console has a configuration
    by which the cluster's issuer is believed.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    version: str = "v1.34"
    federated: bool = True
    public: bool = True
    gpu_nodes: bool = True
    cors: bool = True
    refused_attempts: int = 1


@dataclass(frozen=True)
class OkeWorld:
    """The Oracle tenancy and its cluster.

    `admin_statements` are the policy of the administrator's group; None lets it do
    everything. `refused_attempts`: how often the object store does not know a new key or
    policy yet. `lent_keys`: how many keys the user `team-data` has, who is not there if it
    is None.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    version: str = "1.33.1"
    admin_statements: tuple[str, ...] | None = None
    home_region: str = "us-ashburn-1"
    public_endpoint: bool = True
    gpu_nodes: bool = True
    gpu_plugin: bool = True
    virtual_nodes: bool = False
    lent_keys: int | None = None
    reads_while_creating: int = 0
    refused_attempts: int = 1
    removal_seconds: float = 0.3


@dataclass(frozen=True)
class GenericWorld:
    """A cluster without a cloud, and the store beside it with its quirks (`Quirk`) by name.

    `public_issuer`: whether clouds can read who signs the cluster's tokens.
    """

    __pydantic_config__ = _STRICT

    cluster: str = "demo"
    version: str = "1.33"
    gpu_nodes: bool = True
    public_issuer: bool = False
    storage_region: str = "onprem-1"
    quirks: tuple[str, ...] = ("path-only", "signing-region-checked")


@dataclass(frozen=True)
class KubernetesWorld:
    """What is the same about the clusters of all platforms.

    `objects` are manifests of what is there beforehand: policies, quotas and the like are
    heeded. `node_labels` and `node_taints` are those of every node besides its own.
    `registries` are the hosts that nodes can pull images from; None means all. Those in
    `registry_logins` want a login for it, which is there as `USER:PASSWORD`. What is not
    `reachable` has its address in a network that this machine is not in.
    """

    __pydantic_config__ = _STRICT

    objects: tuple[Mapping[str, Any], ...] = ()
    node_labels: Mapping[str, str] = field(default_factory=dict)
    node_taints: tuple[Mapping[str, str], ...] = ()
    registries: tuple[str, ...] | None = None
    registry_logins: Mapping[str, str] = field(default_factory=dict)
    reachable: bool = True


@dataclass(frozen=True)
class World:
    """Everything that can be different about a sandbox.

    `about` says what is, in a sentence. `setup` are options of `cloud setup` to be tried
    there, and `ends` is how that ends: HEALTHY, or the code of the error that stops it;
    `late` if that can be known only after something was made.
    `platforms` are those that are there; the fewer, the sooner it starts.
    `pace` is how long a simulated step of a cluster takes, in seconds;
    `operator_recheck_seconds` how often a healthy operator looks around again.
    """

    __pydantic_config__ = _STRICT

    about: str = ""
    setup: str = ""
    ends: str = ""
    late: bool = False
    platforms: tuple[PlatformName, ...] = get_args(PlatformName)
    pace: float = 0.05
    operator_recheck_seconds: float = 3.0
    permission_level: str = OWNER
    login_polls: int = 1
    behaviour: Behaviour = field(default_factory=Behaviour)
    kubernetes: KubernetesWorld = field(default_factory=KubernetesWorld)
    eks: EksWorld = field(default_factory=EksWorld)
    gke: GkeWorld = field(default_factory=GkeWorld)
    aks: AksWorld = field(default_factory=AksWorld)
    generic: GenericWorld = field(default_factory=GenericWorld)
    nebius: NebiusWorld = field(default_factory=NebiusWorld)
    coreweave: CoreWeaveWorld = field(default_factory=CoreWeaveWorld)
    oke: OkeWorld = field(default_factory=OkeWorld)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, text: str) -> World:
        """Knobs that are not named keep their ordinary value. Raises ValueError."""
        return reader().validate_json(text)


@cache
def reader() -> TypeAdapter[World]:
    """What reads worlds: made once, since that takes far longer than to read one."""
    return TypeAdapter(World)
