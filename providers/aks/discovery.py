"""What is there: the cluster, and the way into it. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.providers.aks import codes, gpu, labels, tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.sdk.clusters import ClusterDescription, LocalAccess, Pool
from anyscale_k8s_cli.spec import CloudSpec

_AKS = "AKS"
# While it is updated its API answers, and nothing of what is asked here changes.
_USABLE = ("Succeeded", "Updating", "Upgrading")
_CLUSTER_ADMIN = "Azure Kubernetes Service RBAC Cluster Admin"


@dataclass(frozen=True)
class AksFacts:
    """What only this provider looks into.

    `issuer` has a slash at its end and is used as it is; empty while it is off. `principal` is
    the cluster's own identity; `subnet` its nodes', empty where AKS made it in `node_group`.
    """

    group: str
    tenant: str
    issuer: str
    workload_identity: bool
    principal: str = ""
    subnet: str = ""
    node_group: str = ""


def discover(azure: Azure, spec: CloudSpec) -> Cluster:
    """The cluster as Azure tells of it.

    Raises `cluster-not-found`, `aks-cluster-not-running`, `cluster-unreachable`,
    `account-mismatch`, and what `CloudFailure` maps.
    """
    group, name = spec.account.resource_group or "", spec.cluster.name or ""
    # The subscription first: that it is not seen is the better message.
    tenant = azure.tenant
    described, config = side_by_side(
        lambda: find(azure, group, name), lambda: _config(azure, group, name)
    )
    _check_region(described, spec.region)
    if described.state not in _USABLE or described.power == "Stopped":
        raise _not_running(described, group)
    assert config is not None  # noqa: S101 - it is there when the cluster is
    if described.private and not (spec.cluster.context or spec.cluster.kubeconfig):
        _check_private(described, config.endpoint)
    return Cluster(
        name=described.name,
        id=tags.cluster_id(azure.subscription_id, group, described.name),
        account=azure.subscription_id,
        region=described.location,
        version=described.version,
        access=_access(azure, described, config),
        zones=_zones(described),
        node_pools=tuple(_pool(pool) for pool in described.pools),
        facts=AksFacts(
            group,
            tenant,
            described.issuer,
            described.workload_identity,
            described.principal,
            described.subnet,
            described.node_resource_group,
        ),
    )


def find(azure: Azure, group: str, name: str) -> ClusterDescription:
    """The cluster of that name in a resource group. Raises `cluster-not-found`."""
    found = azure.clusters.get(group, name)
    if found is not None:
        return found
    seen = azure.clusters.list()
    there = ", ".join(sorted(f"{item.name} ({_group(item)})" for item in seen))
    raise errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no AKS cluster {name!r} in the resource group {group}",
        cause=f"the subscription {azure.subscription_id} has: {there or 'none that you can see'}",
        fix="check --cluster-name, --resource-group and --subscription-id",
        details={"clusters": sorted(item.name for item in seen)},
    )


def _config(azure: Azure, group: str, name: str) -> LocalAccess | None:
    """What Azure says of the way in; None where there is no such cluster."""
    try:
        return azure.clusters.kubeconfig(group, name)
    except errors.CloudFailure as failure:
        if failure.status == 404:
            return None
        raise


def _group(described: ClusterDescription) -> str:
    return described.id.split("/")[4]


def _check_region(described: ClusterDescription, wanted: str | None) -> None:
    if wanted in (None, described.location):
        return
    raise errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no AKS cluster {described.name!r} in {wanted}",
        cause=f"it is in {described.location}",
        fix=f"leave --region out, or say --region {described.location}",
    )


def _not_running(described: ClusterDescription, group: str) -> errors.CliError:
    stopped = described.power == "Stopped"
    state = described.power if stopped else described.state
    return errors.CliError(
        codes.AKS_NOT_RUNNING,
        f"The AKS cluster {described.name} is {state}",
        fix=f"az aks start --resource-group {group} --name {described.name}"
        if stopped
        else "wait until it is made, then run the same command again",
    )


def _check_private(described: ClusterDescription, endpoint: str) -> None:
    seen = why_unreachable(endpoint)
    if not seen:
        return
    raise errors.CliError(
        errors.CLUSTER_UNREACHABLE,
        f"The API of the AKS cluster {described.name} cannot be reached from here",
        cause="it is a private cluster, and this machine is outside its network",
        evidence=(seen,),
        fix="run this inside the virtual network, or over a VPN or peering that leads into it "
        "and resolves its private DNS zone",
        details={"endpoint": endpoint, "private": True},
    )


# -- the way in ------------------------------------------------------------------------


def _access(azure: Azure, described: ClusterDescription, config: LocalAccess) -> ClusterAccess:
    """With Entra's token where the cluster knows Entra, else as its local account."""
    session = azure.session
    if described.entra:
        return ClusterAccess(
            endpoint=config.endpoint,
            ca_pem=config.ca_pem,
            token=azure.clusters.token,
            principal=session.principal,
            # Whoever is of the cluster's tenant is known to it.
            grant=f"az login --tenant {azure.tenant}",
            grant_rights=_grant(described, session.object_id),
        )
    return ClusterAccess(
        endpoint=config.endpoint,
        ca_pem=config.ca_pem,
        token=(lambda: BearerToken(config.token)) if config.token else None,
        principal="the cluster's local account",
        client_certificate_pem=config.certificate_pem,
        client_key_pem=config.key_pem,
    )


def _grant(described: ClusterDescription, object_id: str) -> str:
    """The command that lets the caller do everything there; empty where Azure has none."""
    if described.azure_rbac:
        return (
            f'az role assignment create --role "{_CLUSTER_ADMIN}" '
            f"--assignee {object_id} --scope {described.id}"
        )
    if described.admin_groups:
        group = described.admin_groups[0]
        return f"az ad group member add --group {group} --member-id {object_id}"
    return ""


# -- nodes -------------------------------------------------------------------------------


def _zones(described: ClusterDescription) -> tuple[str, ...]:
    """As nodes are labelled, and not the bare numbers that Azure's API gives."""
    numbers = {zone for pool in described.pools for zone in pool.zones}
    return tuple(f"{described.location}-{number}" for number in sorted(numbers))


def _pool(pool: Pool) -> NodePool:
    with_gpu = gpu.has_gpu(pool.vm_size)
    return NodePool(
        name=pool.name,
        instance_types=(pool.vm_size,),
        labels={labels.AGENT_POOL: pool.name, **pool.labels},
        taints=pool.taints,
        size=pool.size,
        gpu=with_gpu,
        gpu_driver=_AKS if with_gpu and pool.gpu_driver == "Install" else "",
        gpu_plugin_owner=_AKS if with_gpu and pool.gpu_managed else "",
        spot=pool.spot,
    )
