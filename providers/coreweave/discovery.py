"""What is there: the cluster, by its name or by a context, and the way to it. Reads only."""

from __future__ import annotations

from urllib.parse import urlsplit

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.context import ContextCluster, open_context
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.errors import ExitCode
from anyscale_k8s_cli.provider import Cluster, ClusterState, NodePool
from anyscale_k8s_cli.providers.coreweave import codes, labels, tags
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.sdk import whereabouts
from anyscale_k8s_cli.providers.coreweave.sdk.clusters import (
    DELETING,
    RUNNING,
    ClusterDescription,
)
from anyscale_k8s_cli.spec import CloudSpec

_COREWEAVE = "CoreWeave"
_PLATFORM = "coreweave"


def discover(coreweave: CoreWeave, spec: CloudSpec) -> Cluster:
    """The cluster as CoreWeave tells of it.

    Raises `missing-input`, `cluster-not-found`, `coreweave-cluster-not-running`,
    `cluster-unreachable`, and what `CloudFailure` maps.
    """
    described = _wanted(coreweave, spec)
    if described.state != RUNNING:
        raise errors.CliError(
            codes.COREWEAVE_CLUSTER_NOT_RUNNING,
            f"The CKS cluster {described.name} is {described.state}, not RUNNING",
            fix="wait until it runs, then run the same command again",
        )
    if not described.public and not (spec.cluster.context or spec.cluster.kubeconfig):
        _check_reachable(described)
    caller = coreweave.caller
    return Cluster(
        name=described.name,
        id=tags.cluster_path(caller.organisation, described.zone, described.name),
        account=caller.organisation,
        region=described.zone.lower(),
        version=described.version,
        access=ClusterAccess(
            endpoint=described.endpoint,
            # The certificates of CKS are of public authorities.
            ca_pem="",
            token=lambda: BearerToken(whereabouts.token()),
            principal=coreweave.principal,
            grant="have the role CKS Admin given to you in CoreWeave's console",
        ),
        node_pools=(_gpu_nodes(),),
        facts=described.issuer,
    )


def state_of(coreweave: CoreWeave, zone: str, name: str) -> ClusterState:
    """What CoreWeave says of the cluster of that name; `unknown` when it does not say."""
    try:
        found = [
            item
            for item in coreweave.clusters.all()
            if item.name == name and item.zone.lower() == zone
        ]
    except errors.CliError as problem:
        if problem.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            raise
        return ClusterState.UNKNOWN
    if not found or found[0].state == DELETING:
        return ClusterState.DELETED
    return ClusterState.PRESENT


def _wanted(coreweave: CoreWeave, spec: CloudSpec) -> ClusterDescription:
    there = coreweave.clusters.all()
    here = [item for item in there if spec.region in (None, item.zone, item.zone.lower())]
    wanted = spec.cluster.name
    if wanted:
        found = [item for item in here if wanted in (item.name, item.id)]
        if len(found) == 1:
            return found[0]
        if found:
            zones = sorted(item.zone.lower() for item in found)
            raise _not_found(f"CKS clusters named {wanted!r} are in {', '.join(zones)}", there)
        where = f" in {spec.region}" if spec.region else ""
        raise _not_found(f"There is no CKS cluster {wanted!r}{where}", there)
    if spec.cluster.context:
        named = spec.cluster
        opened = open_context(named.context, named.kubeconfig, coreweave.run, _PLATFORM)
        return _of_context(spec.cluster.context, opened, here)
    raise errors.CliError(
        errors.MISSING_INPUT,
        "It is not said which cluster",
        cause=f"your CoreWeave organisation has: {_names(there)}",
        fix="give --cluster-name, or --context",
    )


def _of_context(
    context: str, opened: ContextCluster, there: list[ClusterDescription]
) -> ClusterDescription:
    """The cluster whose API server the context leads to."""
    server = _host(opened.access.endpoint)
    for item in there:
        if item.endpoint and _host(item.endpoint) == server:
            return item
    if not is_cks(opened):
        raise errors.CliError(
            errors.CLUSTER_NOT_FOUND,
            f"The context {context} does not lead to a CKS cluster",
            cause="none of its nodes has labels of CoreWeave's",
            fix="name another context, or the platform that it is with --provider",
        )
    raise _not_found(f"The cluster of the context {context} is not your organisation's", there)


def is_cks(opened: ContextCluster) -> bool:
    """By the labels that CoreWeave puts on all nodes."""
    return any(
        key.startswith(labels.PREFIXES)
        for node in opened.list("v1", "Node")
        for key in node["metadata"].get("labels") or {}
    )


def _gpu_nodes() -> NodePool:
    """All nodes with GPUs, now and later: CoreWeave runs drivers and the GPU operator there."""
    return NodePool(
        name="CoreWeave's GPU nodes",
        labels={labels.CLASS: labels.GPU_CLASS},
        gpu=True,
        gpu_driver=_COREWEAVE,
        gpu_plugin_owner=_COREWEAVE,
    )


def _check_reachable(described: ClusterDescription) -> None:
    seen = why_unreachable(described.endpoint) if described.endpoint else "it has no endpoint"
    if not seen:
        return
    raise errors.CliError(
        errors.CLUSTER_UNREACHABLE,
        f"The API of the CKS cluster {described.name} cannot be reached from here",
        cause="its API server is not public, and this machine is outside its network",
        evidence=(seen,),
        fix="run this inside the network, or make the API server public in CoreWeave's console",
        details={"endpoint": described.endpoint, "private": True},
    )


def _not_found(message: str, there: list[ClusterDescription]) -> errors.CliError:
    return errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        message,
        cause=f"your CoreWeave organisation has: {_names(there)}",
        fix="check --cluster-name and --region",
        details={"clusters": sorted(item.name for item in there)},
    )


def _names(there: list[ClusterDescription]) -> str:
    names = sorted(f"{item.name} in {item.zone.lower()}" for item in there)
    return ", ".join(names) or "none that you can see"


def _host(endpoint: str) -> tuple[str, int]:
    url = urlsplit(endpoint)
    return (url.hostname or "").lower(), url.port or 443
