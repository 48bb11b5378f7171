"""What is there: the cluster, in whatever compartment, and the way to it. Reads only."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.errors import CloudFailure, ExitCode
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Cluster, ClusterState, NodePool
from anyscale_k8s_cli.providers.oke import codes, labels, tags
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.clusters import (
    ACTIVE,
    GONE,
    GPU_PLUGIN,
    UPDATING,
    ClusterDescription,
    Entrance,
    NodePoolDescription,
)
from anyscale_k8s_cli.spec import CloudSpec

_CLUSTER_ID = "ocid1.cluster."


@dataclass(frozen=True)
class OkeFacts:
    """What only this provider looks into: the cluster's id, its pools, the GPU add-on, its VCN."""

    id: str
    pools: tuple[NodePoolDescription, ...]
    gpu_plugin: bool
    network: str = ""


def discover(oracle: Oracle, spec: CloudSpec, compartment: str) -> Cluster:
    """The cluster as Oracle tells of it. An empty compartment is any.

    Raises `cluster-not-found`, `oke-cluster-ambiguous`, `oke-cluster-not-active`,
    `oke-virtual-nodes`, `cluster-unreachable`, and what `CloudFailure` maps.
    """
    described = find(oracle, spec.cluster.name or "", compartment)
    if described.state not in (ACTIVE, UPDATING):
        raise errors.CliError(
            codes.OKE_CLUSTER_NOT_ACTIVE,
            f"The OKE cluster {described.name} is {described.state}, not ACTIVE",
            fix="wait until it is, then run the same command again",
        )
    entrance, pools, virtual, plugin = side_by_side(
        lambda: oracle.clusters.entrance(described),
        lambda: oracle.clusters.node_pools(described),
        lambda: oracle.clusters.virtual_node_pools(described),
        lambda: oracle.clusters.has_gpu_plugin(described),
    )
    if virtual and not pools:
        raise errors.CliError(
            codes.OKE_VIRTUAL_NODES,
            f"The OKE cluster {described.name} has virtual nodes alone",
            cause="they run no DaemonSets and no privileged containers, which Ray's pods need",
            evidence=tuple(f"virtual node pool {name}" for name in virtual),
            fix="add a node pool of managed nodes to the cluster",
        )
    named = bool(spec.cluster.context or spec.cluster.kubeconfig)
    facts = OkeFacts(described.id, tuple(pools), plugin, described.network)
    return Cluster(
        name=described.name,
        id=tags.cluster_path(described.compartment, described.name),
        account=described.compartment,
        region=oracle.region,
        version=described.version,
        access=_access(oracle, described, entrance, named=named),
        node_pools=tuple(_pool(pool, facts) for pool in pools),
        facts=facts,
    )


def find(oracle: Oracle, wanted: str, compartment: str) -> ClusterDescription:
    """The cluster of that name or id, in one compartment or else in all that we may see."""
    if wanted.startswith(_CLUSTER_ID):
        found = oracle.clusters.get(wanted)
        if found is not None and found.state not in GONE:
            return found
        raise _nowhere(oracle, wanted, "there is no such cluster, or none that you may see", [])
    places = [(compartment, "")] if compartment else oracle.identity.compartments()
    matches = _in(oracle, places, wanted)
    if not matches:
        there = _in(oracle, places, None)
        names = sorted({item.name for item in there})
        where = "the compartment" if compartment else f"{len(places)} compartments"
        cause = f"{where} in {oracle.region} have: {', '.join(names) or 'none that you can see'}"
        raise _nowhere(oracle, wanted, cause, names)
    if len(matches) > 1:
        called = dict(places)
        raise errors.CliError(
            codes.OKE_CLUSTER_AMBIGUOUS,
            f"There are {len(matches)} OKE clusters {wanted!r} in {oracle.region}",
            cause="names of clusters need not be unique",
            evidence=tuple(
                f"{item.id} in compartment {called.get(item.compartment) or item.compartment}"
                for item in matches
            ),
            fix=f"give --compartment-id, such as {matches[0].compartment}; two in one compartment "
            "must be told apart by other names",
            details={"clusters": [item.id for item in matches]},
        )
    return matches[0]


def _in(
    oracle: Oracle, places: list[tuple[str, str]], name: str | None
) -> list[ClusterDescription]:
    """Those that are there; in a compartment that we may not see is none, unless all are such."""
    hidden: list[CloudFailure] = []

    def within(place: str) -> list[ClusterDescription]:
        try:
            return [
                item
                for item in oracle.clusters.all(place, name)
                if item.state not in GONE and name in (None, item.name)
            ]
        except CloudFailure as failure:
            if not failure.denied:
                raise
            hidden.append(failure)
            return []

    looks: list[Callable[[], list[ClusterDescription]]] = [
        lambda place=place: within(place)  # type: ignore[misc]
        for place, _ in places
    ]
    there = [item for found in side_by_side(*looks) for item in found]
    if hidden and len(hidden) == len(places):
        raise hidden[0]
    return there


def _nowhere(oracle: Oracle, wanted: str, cause: str, names: list[str]) -> errors.CliError:
    return errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no OKE cluster {wanted!r} in {oracle.region}",
        cause=cause,
        fix="check --cluster-name, --region and --compartment-id",
        details={"clusters": names},
    )


def everything(oracle: Oracle, compartment: str) -> list[ClusterDescription]:
    """All clusters of one compartment, or else of all that we may see."""
    places = [(compartment, "")] if compartment else oracle.identity.compartments()
    return _in(oracle, places, None)


def state_of(oracle: Oracle, compartment: str, name: str) -> ClusterState:
    """What Oracle says of the cluster of that name; `unknown` when it does not say."""
    try:
        found = [item for item in oracle.clusters.all(compartment, name) if item.name == name]
    except errors.CliError as problem:
        if problem.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            raise
        return ClusterState.UNKNOWN
    if all(item.state in GONE for item in found):
        return ClusterState.DELETED
    return ClusterState.PRESENT


def _access(
    oracle: Oracle, described: ClusterDescription, entrance: Entrance, *, named: bool
) -> ClusterAccess:
    """By the public endpoint, else by the private one if this machine is near enough."""
    if not described.public and not named and (seen := why_unreachable(entrance.endpoint)):
        raise errors.CliError(
            errors.CLUSTER_UNREACHABLE,
            f"The API of the OKE cluster {described.name} cannot be reached from here",
            cause="it has a private endpoint alone, and this machine is outside its network",
            evidence=(seen,),
            fix="run this inside the network, or by a bastion of Oracle's with --context",
            details={"endpoint": entrance.endpoint, "private": True},
        )
    who = oracle.session.principal
    return ClusterAccess(
        endpoint=entrance.endpoint,
        ca_pem=entrance.ca_pem,
        token=lambda: oracle.session.token(described.id, oracle.region),
        principal=who,
        grant=_grant(described.compartment, oracle.session.where.who.user),
    )


def _grant(compartment: str, user: str) -> str:
    """The command that lets a user into the compartment's clusters, as their administrator.

    Machines and pods have no user; who they are is for their group's policy to say.
    """
    who = f"any-user where request.user.id = '{user}'" if user else "dynamic-group <yours>"
    name, _, condition = who.partition(" where ")
    statement = f"Allow {name} to manage clusters in compartment id {compartment}"
    statements = json.dumps([statement + (f" where {condition}" if condition else "")])
    return (
        f"oci iam policy create --compartment-id {compartment} --name anyscale-k8s-clusters "
        f"--description clusters --statements {shlex.quote(statements)}"
    )


def _pool(pool: NodePoolDescription, facts: OkeFacts) -> NodePool:
    return NodePool(
        name=pool.name,
        instance_types=(pool.shape,),
        labels={**pool.labels, labels.SHAPE: pool.shape},
        size=pool.size,
        gpu=pool.gpu,
        # Oracle's images for GPU shapes have the drivers.
        gpu_driver="Oracle's node image" if pool.gpu else "",
        gpu_plugin_owner=GPU_PLUGIN if pool.gpu and facts.gpu_plugin else "",
        spot=pool.preemptible,
    )
