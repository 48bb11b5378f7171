"""What is there: the cluster, wherever in the project, and the way to it. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.errors import ExitCode
from anyscale_k8s_cli.provider import Cluster, ClusterState, NodePool
from anyscale_k8s_cli.providers.gcs import codes as gcs_codes
from anyscale_k8s_cli.providers.gke import codes, labels
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.sdk.container import (
    GKE_METADATA,
    ClusterDescription,
    Pool,
)
from anyscale_k8s_cli.spec import CloudSpec

_GKE = "GKE"
# A degraded one still serves its API; what it lacks, checks and waits come upon.
_ACTIVE = ("RUNNING", "RECONCILING", "DEGRADED")
_STOPPING = "STOPPING"
_AUTOPILOT_PAGE = "https://cloud.google.com/kubernetes-engine/docs/concepts/choose-cluster-mode"


@dataclass(frozen=True)
class GkeFacts:
    """What only this provider looks into.

    `metadata_modes` are the node pools' by name; only GKE_METADATA gives pods identities.
    `network` is the cluster's, `projects/…/global/networks/…`.
    """

    location: str
    workload_pool: str
    metadata_modes: dict[str, str]
    network: str = ""

    @property
    def pools_without_identity(self) -> tuple[str, ...]:
        return tuple(name for name, mode in self.metadata_modes.items() if mode != GKE_METADATA)


def discover(google: Google, spec: CloudSpec) -> Cluster:
    """The cluster as Google tells of it.

    Raises `cluster-not-found`, `gke-cluster-ambiguous`, `gke-autopilot`,
    `gke-cluster-not-running`, `cluster-unreachable`, and what `CloudFailure` maps.
    """
    described = find(google, spec.cluster.name or "", spec.region)
    if described.autopilot:
        raise errors.CliError(
            codes.AUTOPILOT,
            f"The GKE cluster {described.name} is an Autopilot cluster",
            cause="Autopilot does not admit the pods that Anyscale runs",
            evidence=(_AUTOPILOT_PAGE,),
            fix="use a Standard cluster; a cluster's mode cannot be changed",
        )
    if described.status not in _ACTIVE:
        raise errors.CliError(
            codes.CLUSTER_NOT_RUNNING,
            f"The GKE cluster {described.name} is {described.status}, not RUNNING",
            cause=described.status_message,
            fix="wait until it runs, then run the same command again",
        )
    access = _access(google, described, named=bool(spec.cluster.context or spec.cluster.kubeconfig))
    facts = GkeFacts(
        location=described.location,
        workload_pool=described.workload_pool,
        metadata_modes={pool.name: pool.metadata_mode for pool in described.pools},
        network=described.network,
    )
    return Cluster(
        name=described.name,
        id=described.id,
        account=google.project,
        region=described.region,
        version=described.version,
        access=access,
        zones=described.zones,
        node_pools=tuple(_pool(pool) for pool in described.pools),
        facts=facts,
    )


def find(google: Google, name: str, where: str | None) -> ClusterDescription:
    """The cluster of that name, in a region or zone if one is given, else in the whole project.

    Where a region has a cluster of its own and its zones have others of the name,
    the region means the first.
    """
    clusters, silent = google.container.clusters()
    named = [item for item in clusters if item.name == name]
    fitting = [item for item in named if where in (None, item.location, item.region)]
    exact = [item for item in fitting if item.location == where]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if fitting:
        raise errors.CliError(
            codes.CLUSTER_AMBIGUOUS,
            f"{len(fitting)} GKE clusters are named {name!r}",
            evidence=tuple(item.location for item in fitting),
            fix=f"say which with --region {fitting[0].location}",
        )
    if silent:
        raise errors.CliError(
            gcs_codes.GCP_FAILED,
            f"Whether there is a GKE cluster {name!r} is not known",
            cause=f"Google does not tell of its zones {', '.join(silent)} for now",
            fix="run the same command again a little later",
        )
    there = ", ".join(sorted(f"{item.name} ({item.location})" for item in clusters))
    raise errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no GKE cluster {name!r}" + (f" in {where}" if where else ""),
        cause=f"the project {google.project} has: {there or 'none that you can see'}",
        fix="check --cluster-name, --region and --project-id",
        details={"clusters": sorted(item.name for item in clusters)},
    )


def state_of(google: Google, path: str) -> ClusterState:
    """What Google says of the cluster of that path; `unknown` when it does not say."""
    try:
        described = google.container.cluster(path)
    except errors.CliError as problem:
        if problem.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            raise
        return ClusterState.UNKNOWN
    if described is None or described.status == _STOPPING:
        return ClusterState.DELETED
    return ClusterState.PRESENT


def _access(google: Google, described: ClusterDescription, *, named: bool) -> ClusterAccess:
    """By IP address with the cluster's own authority, else by name with a public one."""
    by_name = described.dns_endpoint and not described.open_to_all
    endpoint = f"https://{described.dns_endpoint if by_name else described.endpoint}"
    if not by_name and not described.open_to_all and not named:
        _check_reachable(described, endpoint, google.project)
    grant = (
        f"gcloud projects add-iam-policy-binding {google.project} "
        f"--member={google.session.member} --role=roles/container.admin"
    )
    return ClusterAccess(
        endpoint=endpoint,
        # The DNS endpoint has a certificate of Google's public authority.
        ca_pem="" if by_name else described.ca_pem,
        token=google.session.bearer,
        principal=google.session.principal,
        grant=grant,
        # Whoever has this role at Google is the cluster's administrator.
        grant_rights=grant,
    )


def _check_reachable(described: ClusterDescription, endpoint: str, project: str) -> None:
    seen = why_unreachable(endpoint) if described.endpoint else "it has no IP endpoint"
    if not seen:
        return
    where = f"{described.name} --location {described.location} --project {project}"
    if described.public_endpoint:
        cause = f"its endpoint admits {', '.join(described.admitted)} alone"
        way_in = "run this from an admitted address"
    else:
        cause = "its endpoint is private, and this machine is outside its network"
        way_in = "run this inside the network"
    raise errors.CliError(
        errors.CLUSTER_UNREACHABLE,
        f"The API of the GKE cluster {described.name} cannot be reached from here",
        cause=cause,
        evidence=(seen,),
        fix=f"{way_in}, or open the DNS endpoint:\n"
        f"gcloud container clusters update {where} --enable-dns-access",
        details={"endpoint": endpoint, "private": not described.public_endpoint},
    )


def _pool(pool: Pool) -> NodePool:
    gpu = bool(pool.accelerators)
    return NodePool(
        name=pool.name,
        instance_types=(pool.machine_type,),
        labels={**pool.labels, **_own_labels(pool)},
        taints=pool.taints,
        size=pool.size,
        gpu=gpu,
        # GKE runs its own plugin on every pool with GPUs, and installs the driver if told to.
        gpu_driver=_GKE if pool.gpu_driver else "",
        gpu_plugin_owner=_GKE if gpu else "",
        spot=pool.spot,
    )


def _own_labels(pool: Pool) -> dict[str, str]:
    """Those that GKE puts on a pool's nodes besides the user's."""
    found = {labels.NODE_POOL: pool.name}
    if pool.accelerators:
        found[labels.ACCELERATOR] = pool.accelerators[0]
    return found


def switch_on_pool(cluster: Cluster) -> str:
    """The command that lets service accounts of a cluster be known to Google."""
    return (
        f"gcloud container clusters update {cluster.name} {_where(cluster)} "
        f"--workload-pool={cluster.account}.svc.id.goog"
    )


def switch_on_metadata(cluster: Cluster, pools: Iterable[str]) -> str:
    """The command that gives the pods of node pools their own identity."""
    return " && ".join(
        f"gcloud container node-pools update {pool} --cluster {cluster.name} {_where(cluster)} "
        "--workload-metadata=GKE_METADATA"
        for pool in pools
    )


def _where(cluster: Cluster) -> str:
    facts: GkeFacts = cluster.facts
    return f"--location {facts.location} --project {cluster.account}"
