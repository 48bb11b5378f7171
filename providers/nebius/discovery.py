"""What is there: the cluster, wherever in the project, and the way to it. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.errors import ExitCode
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Cluster, ClusterState, NodePool
from anyscale_k8s_cli.providers.nebius import codes, labels, tags
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.clusters import (
    DELETING,
    RUNNING,
    ClusterDescription,
    NodeGroup,
)
from anyscale_k8s_cli.spec import CloudSpec

_NEBIUS = "Nebius"


@dataclass(frozen=True)
class NebiusFacts:
    """What only this provider looks into: the cluster's id, and its node groups."""

    id: str
    groups: tuple[NodeGroup, ...]


def discover(nebius: Nebius, spec: CloudSpec) -> Cluster:
    """The cluster as Nebius tells of it.

    Raises `cluster-not-found`, `nebius-cluster-not-running`, `cluster-unreachable`, and
    what `CloudFailure` maps.
    """
    region, described = side_by_side(
        lambda: region_of(nebius), lambda: find(nebius, spec.cluster.name or "")
    )
    if spec.region and spec.region != region:
        raise errors.CliError(
            errors.CLUSTER_NOT_FOUND,
            f"There is no cluster {described.name!r} in {spec.region}",
            cause=f"the project {nebius.project} with all that is in it is in {region}",
            fix=f"give --region {region}, or --project-id the project in {spec.region}",
        )
    if described.state != RUNNING:
        raise errors.CliError(
            codes.NEBIUS_CLUSTER_NOT_RUNNING,
            f"The Nebius cluster {described.name} is {described.state}, not RUNNING",
            fix="wait until it runs, then run the same command again",
        )
    groups = tuple(nebius.clusters.node_groups(described.id))
    named = bool(spec.cluster.context or spec.cluster.kubeconfig)
    return Cluster(
        name=described.name,
        id=tags.cluster_path(nebius.project, described.name),
        account=nebius.project,
        region=region,
        version=described.version,
        access=_access(nebius, described, named=named),
        node_pools=tuple(map(_pool, groups)),
        facts=NebiusFacts(described.id, groups),
    )


def region_of(nebius: Nebius) -> str:
    """Where the project is. Raises `account-mismatch` where there is none."""
    if nebius.region:
        return nebius.region
    raise errors.CliError(
        errors.ACCOUNT_MISMATCH,
        f"There is no Nebius project {nebius.project}",
        fix="check --project-id; the console shows it beside the project's name",
    )


def find(nebius: Nebius, wanted: str) -> ClusterDescription:
    """The cluster of that name or id in the project."""
    there = list(nebius.clusters.all())
    for item in there:
        if wanted in (item.name, item.id):
            return item
    names = sorted(item.name for item in there)
    raise errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no Nebius cluster {wanted!r}",
        cause=f"the project {nebius.project} has: {', '.join(names) or 'none that you can see'}",
        fix="check --cluster-name and --project-id",
        details={"clusters": names},
    )


def state_of(nebius: Nebius, name: str) -> ClusterState:
    """What Nebius says of the cluster of that name; `unknown` when it does not say."""
    try:
        found = [item for item in nebius.clusters.all() if item.name == name]
    except errors.CliError as problem:
        if problem.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            raise
        return ClusterState.UNKNOWN
    if not found or found[0].state == DELETING:
        return ClusterState.DELETED
    return ClusterState.PRESENT


def _access(nebius: Nebius, described: ClusterDescription, *, named: bool) -> ClusterAccess:
    """By the public endpoint, else by the private one if this machine is near enough."""
    public = described.public_endpoint
    if not named and (not public or described.admitted):
        _check_reachable(described)
    session = nebius.session
    return ClusterAccess(
        endpoint=public or described.private_endpoint,
        ca_pem=described.ca_pem,
        token=session.bearer,
        principal=session.principal,
        grant=f"add {session.principal or 'yourself'} to a group with the role editor on the "
        f"project: nebius iam group-membership create --parent-id <group> "
        f"--member-id {session.own_id or '<your id>'}",
    )


def _check_reachable(described: ClusterDescription) -> None:
    endpoint = described.public_endpoint or described.private_endpoint
    seen = why_unreachable(endpoint) if endpoint else "it has no endpoint"
    if not seen:
        return
    if described.public_endpoint:
        cause = f"its endpoint admits {', '.join(described.admitted)} alone"
        fix = "run this from an admitted address"
    else:
        cause = "it has a private endpoint alone, and this machine is outside its network"
        fix = (
            "run this inside the network, or open a public endpoint:\nnebius mk8s cluster "
            f"update --id {described.id} --control-plane-endpoints-public-endpoint=true"
        )
    raise errors.CliError(
        errors.CLUSTER_UNREACHABLE,
        f"The API of the Nebius cluster {described.name} cannot be reached from here",
        cause=cause,
        evidence=(seen,),
        fix=fix,
        details={"endpoint": endpoint, "private": not described.public_endpoint},
    )


def _pool(group: NodeGroup) -> NodePool:
    driven = group.gpu and bool(group.drivers)
    own = {
        labels.NODE_GROUP: group.id,
        labels.PLATFORM: group.platform,
        labels.PRESET: group.preset,
    }
    return NodePool(
        name=group.name,
        instance_types=(f"{group.platform}-{group.preset}",),
        labels={**group.labels, **own},
        taints=group.taints,
        size=group.size,
        gpu=group.gpu,
        gpu_driver=_NEBIUS if driven else "",
        # With its drivers Nebius runs a plugin. Where devices are to be claimed otherwise it
        # runs none, and none is wanted beside that.
        gpu_plugin_owner=_NEBIUS if driven else "",
        spot=group.preemptible,
    )
