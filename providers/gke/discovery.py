"""What is there: the cluster, wherever in the project, and the way to it. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.sdk.container import (
    GKE_METADATA,
    ClusterDescription,
    Pool,
    region_of,
)
from anyscale_k8s_cli.spec import CloudSpec

_GKE = "GKE"
_ACTIVE = ("RUNNING", "RECONCILING")
_AUTOPILOT_PAGE = "https://cloud.google.com/kubernetes-engine/docs/concepts/choose-cluster-mode"


@dataclass(frozen=True)
class GkeFacts:
    """What only this provider looks into.

    `metadata_modes` are the node pools' by name; only GKE_METADATA gives pods identities.
    """

    location: str
    workload_pool: str
    metadata_modes: dict[str, str]

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
    """The cluster of that name, in a region or zone if one is given, else in the whole project."""
    clusters = google.container.clusters()
    named = [item for item in clusters if item.name == name]
    fitting = [item for item in named if where in (None, item.location, item.region)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise errors.CliError(
            codes.CLUSTER_AMBIGUOUS,
            f"{len(fitting)} GKE clusters are named {name!r}",
            evidence=tuple(item.location for item in fitting),
            fix=f"say which with --region {fitting[0].location}",
        )
    there = ", ".join(sorted(f"{item.name} ({item.location})" for item in clusters))
    raise errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no GKE cluster {name!r}" + (f" in {where}" if where else ""),
        cause=f"the project {google.project} has: {there or 'none that you can see'}",
        fix="check --cluster-name, --region and --project-id",
        details={"clusters": sorted(item.name for item in clusters)},
    )


def _access(google: Google, described: ClusterDescription, *, named: bool) -> ClusterAccess:
    """By IP address with the cluster's own authority, else by name with a public one."""
    by_name = described.dns_endpoint and not described.public_endpoint
    endpoint = f"https://{described.dns_endpoint if by_name else described.endpoint}"
    if not by_name and not described.public_endpoint and not named:
        _check_private(described, endpoint, google.project)
    return ClusterAccess(
        endpoint=endpoint,
        # The DNS endpoint has a certificate of Google's public authority.
        ca_pem="" if by_name else described.ca_pem,
        token=google.session.bearer,
        principal=google.session.principal,
        grant=f"gcloud projects add-iam-policy-binding {google.project} "
        f"--member={google.session.member} --role=roles/container.admin",
    )


def _check_private(described: ClusterDescription, endpoint: str, project: str) -> None:
    seen = why_unreachable(endpoint) if described.endpoint else "it has no IP endpoint"
    if not seen:
        return
    raise errors.CliError(
        errors.CLUSTER_UNREACHABLE,
        f"The API of the GKE cluster {described.name} cannot be reached from here",
        cause="its endpoint is private, and this machine is outside its network",
        evidence=(seen,),
        fix="run this inside the network, or open the DNS endpoint: gcloud container clusters "
        f"update {described.name} --location {described.location} --project {project} "
        "--enable-dns-access",
        details={"endpoint": endpoint, "private": True},
    )


def _pool(pool: Pool) -> NodePool:
    gpu = bool(pool.accelerators)
    return NodePool(
        name=pool.name,
        instance_types=(pool.machine_type,),
        labels=pool.labels,
        taints=pool.taints,
        size=pool.size,
        gpu=gpu,
        # GKE runs its own plugin on every pool with GPUs, and installs the driver if told to.
        gpu_driver=_GKE if pool.gpu_driver else "",
        gpu_plugin_owner=_GKE if gpu else "",
    )


def normalised(where: str | None) -> str | None:
    """The region of what was given as a region or a zone."""
    return region_of(where) if where else None
