"""The Provider contract and the registry.

A provider is one class per platform and says only what is particular to it.
Providers are found through the entry-point group `anyscale_k8s_cli.providers`,
ours and other people's alike, and are imported when one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol, TypeVar, runtime_checkable

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.absence import Absences
from anyscale_k8s_cli.checks import BoundCheck, Finding
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import NO_TAGS, Observed, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Addressing, Checksums, CloudSpec, Scope, Settings
from anyscale_k8s_cli.storage_keys import KeysResource
from anyscale_k8s_cli.troubles import Trouble

T = TypeVar("T")


ENTRY_POINTS = "anyscale_k8s_cli.providers"

# The vendor's client says whose cloud it is; we say which Kubernetes.
VENDOR_NAMES = {"aws": "eks", "gcp": "gke", "azure": "aks"}
PLATFORMS = ("eks", "gke", "aks", "coreweave", "nebius", "oke", "generic")


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
class Storage:
    """The bucket as the control plane and the chart want it: `url` with its scheme (`s3://…`).

    `region` is what requests are signed for. `endpoint` is a bare origin (`https://host`),
    empty where every SDK knows it by itself. `addressing` and `checksums` are said for
    S3 stores that are not Amazon's: the control plane, the keys' config file and the pods'
    agents are all set by them, and by no platform's name. `cors` is False where the store
    cannot be told whose pages may read in it: that is told, and fails nothing.
    """

    url: str
    region: str
    endpoint: str = ""
    addressing: Addressing | None = None
    checksums: Checksums = Checksums.WHEN_SUPPORTED
    cors: bool = True


@dataclass(frozen=True)
class Identity:
    """`registered` is what the control plane compares, `helm` what the chart wants.

    `audience` is what the operator's tokens are for, where the platform makes them
    for somebody.
    """

    registered: str
    helm: str
    audience: str = ""


@dataclass(frozen=True)
class WorkloadEndpoints:
    """Where pods go that SDKs know by themselves: origins, empty where there is nothing to add.

    `tokens` is where a pod's own token is exchanged for one that the store takes.
    """

    storage: str = ""
    tokens: str = ""


# What a provider is given where the platform vouches for nobody.
NO_IDENTITY = Identity(registered="", helm="")


class IdentityProof(Protocol):
    """Uses an identity of pods once, from here."""

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        """`token(audience)` gives a fresh token of the identity's service account.

        Returns what was proven, line by line. Raises a `CliError` with the cause.
        """
        ...


@dataclass(frozen=True)
class Acting:
    """What pods act as: the operator and, if nothing else is said, Ray's pods; or these alone.

    `resources` are all that there is to it. The pods run as a service account, whose `annotation`
    names the identity, or to which `bindings` give it where an object of its own does. `prove`
    uses it with a token of that account; None where the platform's API cannot tell.
    """

    resources: tuple[Resource[Any], ...]
    identity: Resource[Identity]
    annotation: str = ""
    prove: IdentityProof | None = None
    bindings: tuple[Resource[Any], ...] = ()

    def annotations(self) -> Mapping[str, str]:
        """What the service account carries. Raises `NotYetKnown` until there is an identity."""
        return {self.annotation: self.identity.output.helm} if self.annotation else {}


@dataclass(frozen=True)
class CloudSide:
    """The objects outside the cluster, and the two that everything else asks for.

    `identity` is None on a platform without workload identity: the operator then signs
    in to the control plane with a token that the core makes (`operator_token.py`).
    `service_account_annotations` go on the operator's ServiceAccount;
    `prove_identity` is None where the platform's API cannot tell. `bindings` are what gives
    the identity to that account where an object of its own does. `pod_variables` are what the
    platform puts into each of the account's pods when it is made: one without them has not
    got the identity, and is made anew (`addons/identified.py`).

    `storage_keys` is for stores without workload identity, and is one of `resources`.
    With it the core owns the Secret of their kind (`credential_kinds.py`), keeps it equal
    to them and to what `storage` says, and brings it to the pods
    (`addons/storage_credentials.py`). Nothing more is asked of the provider: no values,
    no patches. `token_audience` is for a store that knows the pods by a token of their own
    service account: the core brings one for it into each (`addons/storage_token.py`).
    `workloads` is None where Ray's pods have the operator's identity and service account.
    """

    resources: tuple[Resource[Any], ...]
    storage: Resource[Storage]
    identity: Resource[Identity] | None
    service_account_annotations: Callable[[], Mapping[str, str]]
    prove_identity: IdentityProof | None = None
    bindings: tuple[Resource[Any], ...] = ()
    pod_variables: tuple[str, ...] = ()
    storage_keys: KeysResource[Any] | None = None
    token_audience: str = ""
    workloads: Acting | None = None

    @property
    def identity_output(self) -> Identity:
        """The identity; raises `NotYetKnown` until it exists."""
        return NO_IDENTITY if self.identity is None else self.identity.output


def vouched_for(
    storage: Resource[Storage],
    operator: Acting,
    workloads: Acting | None = None,
    pod_variables: tuple[str, ...] = (),
) -> CloudSide:
    """The side of a platform that knows pods by their service accounts."""
    theirs = workloads.resources if workloads else ()
    return CloudSide(
        resources=(storage, *operator.resources, *theirs),
        storage=storage,
        identity=operator.identity,
        service_account_annotations=operator.annotations,
        prove_identity=operator.prove,
        bindings=operator.bindings,
        pod_variables=pod_variables,
        workloads=workloads,
    )


def entered_with(keys: KeysResource[Any], storage: Resource[Storage]) -> CloudSide:
    """The side of a store that pods enter with credentials."""
    return CloudSide(
        resources=(keys, storage),
        storage=storage,
        identity=None,
        service_account_annotations=dict,
        storage_keys=keys,
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


@runtime_checkable
class TellsGrants(Protocol):
    """An ability of resources: they let somebody in, or let somebody do something."""

    def grants(self, observed: Observed[Any]) -> Sequence[PolicyDocument]:
        """Whom, and what, as the platform has it now. Nothing is asked for it."""
        ...


@runtime_checkable
class TellsProtection(Protocol):
    """An ability of resources that hold data."""

    def protection(self, observed: Observed[Any]) -> Mapping[str, str]:
        """How the data is kept from others, as it was seen. Nothing is asked for it."""
        ...


@runtime_checkable
class TellsBeforehand(Protocol):
    """An ability that not every platform has: it tells offline what its resources will tell."""

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        """What setup will write for a spec; what is not known yet is in angle brackets."""
        ...

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        """What a bucket of setup's making is set to."""
        ...


@runtime_checkable
class RegistersUnplaced(Protocol):
    """An ability that not every platform has: what a person made can be registered unseen.

    That is before anybody says which cluster it is for.
    """

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        """Spec fields (dotted) that must be said where no cluster tells them."""
        ...

    def unplaced(self, spec: CloudSpec) -> Cluster:
        """Account and region by credentials and options; the cluster's id is empty.

        `cloud_side`, `registration`, `operator_values`, `load_balancer` and `checks` take it
        like any other, and leave out what only the cluster would tell. Raises as `discover`.
        """
        ...


@runtime_checkable
class ListsClusters(Protocol):
    """An ability that not every platform has: its API lists clusters."""

    def clusters(self, scope: Scope) -> Sequence[str]:
        """The names of the clusters in the scope's account and region.

        Contexts, where the platform needs one to find a cluster.
        """
        ...


@runtime_checkable
class KnowsItsAccount(Protocol):
    """An ability that not every platform has: credentials that name an account."""

    def completed(self, scope: Scope) -> Scope:
        """The scope, with the account of the credentials where none is said.

        Where they name none either it raises `missing-input`, or leaves the account open if
        all of them can be searched.
        """
        ...


@runtime_checkable
class KnowsCaller(Protocol):
    """An ability that not every platform has: it tells whose the credentials are."""

    def caller(self) -> str:
        """Who this machine is to the platform, and in whose account.

        Raises `cloud-credentials-missing` and `cloud-credentials-rejected`.
        """
        ...


@runtime_checkable
class ComparesIdentities(Protocol):
    """An ability that not every platform has: an identity has two names."""

    def same_identity(self, registered: str, held: str) -> bool:
        """Whether who is registered is whom a pod found itself to be."""
        ...


@runtime_checkable
class NamesEndpoints(Protocol):
    """An ability that not every platform has: its store has no endpoint that is said."""

    def workload_endpoints(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage
    ) -> WorkloadEndpoints:
        """Where its SDKs would send a pod that uses the bucket. Nothing is asked for it."""
        ...


@runtime_checkable
class MarksSpot(Protocol):
    """An ability that not every platform has: nodes that it may take away carry a label."""

    @property
    def spot_labels(self) -> Mapping[str, str]:
        """Labels with their values, by any of which such a node is known."""
        ...


@runtime_checkable
class ForeseesDenials(Protocol):
    """An ability that not every platform has: it tells beforehand what one may not remove."""

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        """Of objects that were found, and of those that stay and lose our marks.

        A failure is what would stop a deletion half-way; its evidence names each right.
        """
        ...


@runtime_checkable
class AsksForSecrets(Protocol):
    """An ability that not every platform has: credentials that a person may type."""

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        """The variables that are to hold what is typed, each with the question for it.

        Empty where nothing is missing. An answer may be empty: the platform then goes on
        with what it finds elsewhere.
        """
        ...


def canonical(name: str) -> str:
    """`aws` means `eks`, and so on; platform names stay."""
    lowered = name.lower()
    return VENDOR_NAMES.get(lowered, lowered)


@cache
def registered() -> tuple[EntryPoint, ...]:
    """Who provides a platform. Asked once: every installed package is looked into for it."""
    return tuple(entry_points(group=ENTRY_POINTS))


def available() -> list[str]:
    """The names of the providers that are installed."""
    return sorted({entry.name for entry in registered()})


def beside(entry: EntryPoint, name: str) -> ModuleType | None:
    """A module of a provider's package, imported without the provider; None where it has none."""
    path = f"{entry.module}.{name}"
    try:
        there = find_spec(path) is not None
    except ModuleNotFoundError as missing:
        if missing.name != path:
            raise
        there = False  # a single module, which has no others in it
    return import_module(path) if there else None


def absences(name: str) -> Absences:
    """Why a platform does not know what others do, by the module `absences` of its package."""
    for entry in entry_points(group=ENTRY_POINTS, name=canonical(name)):
        found: Absences = getattr(beside(entry, "absences"), "ABSENCES", {})
        return found
    return {}


def load(name: str, run: Run) -> Provider:
    """The provider of that name. A provider that fails to import fails loudly.

    Raises `provider-unavailable` for a name nobody registered and
    `package-missing` when the platform's SDK is not installed.
    """
    platform = canonical(name)
    matches = [entry for entry in registered() if entry.name == platform]
    if not matches:
        known = ", ".join(available())
        cause = (
            f"this version has no provider for {platform}"
            if platform in PLATFORMS
            else f"no installed package provides {name!r}"
        )
        raise errors.CliError(
            errors.PROVIDER_UNAVAILABLE,
            f"--provider: {name!r} is not available",
            cause=cause,
            fix=f"use one of: {known} ({', '.join(VENDOR_NAMES)} are accepted as other names)",
        )
    with needing(f"The provider {platform}", _EXTRAS.get(platform, platform)):
        factory = matches[0].load()
    provider: Provider = factory(run)
    return provider


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Around imports: raises `package-missing` when those of an extra are not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("anyscale_k8s_cli"):
            raise
        raise errors.CliError(
            errors.PACKAGE_MISSING,
            f"{what} needs the package {missing.name!r}",
            cause="its extra is not installed",
            fix=f"pip install 'anyscale-k8s-cli[{extra}]'",
        ) from missing


_EXTRAS = {**{platform: vendor for vendor, platform in VENDOR_NAMES.items()}, "oke": "oci"}
