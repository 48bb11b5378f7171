"""The Provider contract: one class per platform, which says only what is particular to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck
from anyscale_k8s_cli.cloud_side import CloudSide, Identity, Storage
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.spec import CloudSpec, Scope
from anyscale_k8s_cli.troubles import Trouble

T = TypeVar("T")


class Verb(StrEnum):
    """What a person wants to do; permissions are printed per verb."""

    PLAN = "plan"
    SETUP = "setup"
    REGISTER = "register"
    VERIFY = "verify"
    DELETE = "delete"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a platform's document of permissions that it takes.

        `look` is at what is made, `named` at what the user named and at what a deletion does
        not mind, `find` for what is not known by name; `plan` is what is asked before anything
        is made: quotas, free names.
        """
        return _PARTS[self]

    @property
    def cluster_parts(self) -> tuple[str, ...]:
        """Those of the cluster's document, of which verifying asks more than looking does."""
        if self in (Verb.PLAN, Verb.REGISTER):
            return (Verb.PLAN.value,)
        return (Verb.PLAN.value, self.value)


_PARTS = {
    Verb.PLAN: ("look", "named", "plan"),
    Verb.SETUP: ("look", "named", "plan", "setup"),
    Verb.REGISTER: ("look", "named", "plan"),
    Verb.VERIFY: ("look", "named", "find"),
    Verb.DELETE: ("look", "find", "delete"),
}


@dataclass(frozen=True)
class NodePool:
    """A group of like nodes as the platform's API tells of it.

    `gpu_driver` and `gpu_plugin_owner` name who brings them (`node image`, the
    platform's name), empty when nobody is known to. `labels` are those that new
    nodes will carry; `size` is how many nodes there are wanted now. `spot` is whether
    the platform may take the nodes away at any time.
    """

    name: str
    instance_types: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    size: int = 0
    gpu: bool = False
    gpu_driver: str = ""
    gpu_plugin_owner: str = ""
    spot: bool = False


@dataclass(frozen=True)
class Cluster:
    """What discovery found. `id` is the platform's own resource name (an ARN, a path).

    `facts` are the provider's own; nobody else looks into them.
    """

    name: str
    id: str
    account: str
    region: str
    version: str
    access: ClusterAccess
    zones: tuple[str, ...] = ()
    node_pools: tuple[NodePool, ...] = ()
    facts: Any = None


def unplaced(account: str, region: str, facts: Any = None) -> Cluster:
    """What stands for a cluster that nobody has named: where things are, and nothing to reach."""
    access = ClusterAccess(endpoint="", ca_pem="", token=None)
    return Cluster("", "", account, region, version="", access=access, facts=facts)


def install_on(cluster: Cluster, spec: CloudSpec, uid: str = "") -> Install:
    """Which install a spec means on a cluster; `uid` is the cluster's, where it is known."""
    return Install(
        provider=spec.provider,
        account=cluster.account,
        region=cluster.region,
        cluster=cluster.id,
        namespace=spec.namespace,
        cloud=spec.name,
        cluster_uid=uid,
        name_prefix=spec.rules.name_prefix,
    )


@dataclass(frozen=True)
class LoadBalancer:
    """How the gateway's Service asks for its load balancer, and who will answer.

    `decisive` are the annotations of which another value means another load balancer, with
    another address. `deployment` is what answers, where it runs in the cluster
    (`NAMESPACE/NAME`); `troubles` are its words when it cannot, and `hints` the checks that
    may tell why it does not. `unlike` tells how the one at an address differs from what is
    asked for; it is empty when it does not, and when nobody may look. `unmarked` are the
    annotations without those marks of ours that find it again; None where there are none.
    """

    served_by: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    decisive: tuple[str, ...] = ()
    load_balancer_class: str | None = None
    source_ranges: tuple[str, ...] = ()
    deployment: str = ""
    troubles: tuple[Trouble, ...] = ()
    hints: Callable[[], Iterable[BoundCheck]] = tuple
    unlike: Callable[[str], str] | None = None
    unmarked: Mapping[str, str] | None = None

    @property
    def by_hand(self) -> LoadBalancer:
        """The same for a Service that a person makes: nothing marks it as made by us."""
        annotations = self.annotations if self.unmarked is None else self.unmarked
        return replace(self, annotations=annotations)


def load_balancer_of(
    provider: Provider, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
) -> LoadBalancer:
    """What the platform wants to be asked, with the checks that tell of it."""
    asked = provider.load_balancer(spec, cluster, install, reader)
    return replace(asked, hints=lambda: provider.checks(spec, cluster))


@dataclass(frozen=True)
class Search:
    """What a search by locator found, and where it looked (lines for people)."""

    installs: tuple[Install, ...]
    searched: tuple[str, ...]
    unsearched: tuple[str, ...] = ()


class Looking:
    """Keeps a search honest: where it looked, and where it was not let."""

    def __init__(self) -> None:
        self.searched: list[str] = []
        self.unsearched: list[str] = []

    def at(self, place: str, look: Callable[[], list[T]]) -> list[T]:
        """What is found there; nothing, and a line that says so, where looking is denied."""
        try:
            found = look()
        except errors.CloudFailure as failure:
            if not failure.denied:
                raise
            self.unsearched.append(f"{place}: {failure}")
            return []
        self.searched.append(place)
        return found


class ClusterState(StrEnum):
    """What the cloud itself says of a cluster."""

    PRESENT = "present"
    DELETED = "deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PolicyDocument:
    """Permissions in the platform's native form."""

    name: str
    format: str
    text: str


@dataclass(frozen=True)
class Made:
    """A kind of object that setup makes outside the cluster, for people to know beforehand.

    `scope` is what it is part of; `rights` are what it lets the operator do, or whom be it.
    `named` is its key in `rules.names`; it is not made where one of the settings `unless`
    says that the user has it (`path=value`: by that value alone); of several in one text,
    parted by spaces, all must. `data` is
    whether data is kept in it; `store` is the one kind of store that it is made for, where
    there is a choice.
    """

    what: str
    name: str
    scope: str
    rights: tuple[str, ...] = ()
    named: str = ""
    unless: tuple[str, ...] = ()
    data: bool = False
    store: str = ""


class ClusterReader(Protocol):
    """The reading half of the Kubernetes client, all that a provider may use."""

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """The object, or None when there is no such object or kind."""
        ...

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
    ) -> list[dict[str, Any]]:
        """All objects of a kind, in all namespaces when none is given."""
        ...


class ControlPlaneFacts(Protocol):
    """What a provider may know of Anyscale's control plane."""

    @property
    def cors_origin(self) -> str:
        """The origin that a bucket's CORS rule must admit."""
        ...

    def azure_audience(self) -> str:
        """What an operator's token for the control plane is issued for on Azure."""
        ...


class Provider(Protocol):
    """One platform."""

    @property
    def name(self) -> str:
        """The platform's name on the command line, `eks`."""
        ...

    @property
    def control_plane_name(self) -> str:
        """AWS, GCP, AZURE or GENERIC."""
        ...

    @property
    def workload_identity(self) -> bool:
        """Whether the platform vouches for the operator: `cloud_side` names an identity."""
        ...

    @property
    def environment(self) -> Mapping[str, tuple[str, ...]]:
        """Spec fields (dotted) with the platform's own variables that may set them."""
        ...

    @property
    def required(self) -> tuple[str, ...]:
        """Spec fields (dotted) without which no cluster is found, in the order to ask for them."""
        ...

    @property
    def settings(self) -> frozenset[str]:
        """Those of the spec's particular fields that mean something here.

        Why the others do not, the module `absences` of the package tells.
        """
        ...

    def check_spec(self, spec: CloudSpec) -> None:
        """Offline: refuse values that the platform would refuse (`invalid-spec`)."""
        ...

    def discover(self, spec: CloudSpec) -> Cluster:
        """Read-only. Raises `cluster-not-found`, `account-mismatch`, `cloud-credentials-…`."""
        ...

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        """The objects that should be. Nothing is asked of the cloud yet.

        `dropped_tags` were written by an earlier setup and are wanted no longer.
        """
        ...

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        """The provider's own members of the cloud resource's payload.

        `identity` is `NO_IDENTITY` where `cloud_side` names none.
        """
        ...

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """The provider's own Helm values, fit for the nodes that are there.

        `identity` is `NO_IDENTITY` where `cloud_side` names none.
        """
        ...

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        """What the gateway's Service must carry. Refuses what nobody would serve."""
        ...

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        """Helm values of the NVIDIA device plugin on this platform (affinity, tolerations)."""
        ...

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        """Checks of the cloud side; the core has those of the cluster.

        Each is declared in the module `declared` of the provider's package, which tells
        when it is asked (`checks/registry.py`).
        """
        ...

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        """The least rights for a verb, offline."""
        ...

    def makes(self, install: Install) -> Sequence[Made]:
        """What setup makes outside the cluster for an install, by its usual names, offline."""
        ...

    def search(self, scope: Scope, cloud: str | None) -> Search:
        """Find installs by their locators in the account, with no ledger and no cluster."""
        ...

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        """The cloud-side objects that carry this install's locator or mark, for teardown."""
        ...

    def cluster_state(self, install: Install) -> ClusterState:
        """Ask the cloud, in the recorded account and region, for the recorded cluster."""
        ...

    def locate(self, install: Install) -> CloudSpec:
        """The spec that discovers the install's cluster again."""
        ...

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        """Those load balancers at `addresses` that the platform still lists (ids or names)."""
        ...
