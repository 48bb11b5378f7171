"""What is there: who we are, the cluster, its node groups and its network. Reads only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.provider import unplaced as no_cluster
from anyscale_k8s_cli.providers.eks import codes, labels
from anyscale_k8s_cli.providers.eks.arns import Arn, Caller
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.reach import check_reachable
from anyscale_k8s_cli.providers.eks.sdk.eks import Association, ClusterDescription, NodeGroup
from anyscale_k8s_cli.providers.eks.sdk.network import Subnet
from anyscale_k8s_cli.spec import CloudSpec

# Families with NVIDIA GPUs: https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html
_GPU_FAMILY = re.compile(r"(g|gr|p)\d")
_NODE_IMAGE = "node image"
_AUTO_MODE = "EKS Auto Mode"


@dataclass(frozen=True)
class EksFacts:
    """What only this provider looks into. `principal` is the ARN that IAM knows the caller by.

    `issuer` is empty where nobody has said which cluster is meant. `pod_identity` is whether
    the operator gets its role by EKS Pod Identity, not by IRSA.
    """

    caller: Caller
    principal: str
    issuer: str
    audience: str
    auto_mode: bool
    vpc_id: str
    subnets: tuple[Subnet, ...]
    addons: tuple[str, ...]
    pod_identity: bool = False
    association: Association | None = None
    created_at: datetime | None = None

    @property
    def has_agent(self) -> bool:
        """Whether pods can get roles by EKS Pod Identity; Auto Mode has its agent built in."""
        return self.auto_mode or labels.POD_IDENTITY_AGENT in self.addons


def discover(aws: Aws, spec: CloudSpec) -> Cluster:
    """The cluster as AWS tells of it.

    Raises `account-mismatch` before anything but the caller is asked for,
    `cluster-not-found`, `eks-cluster-not-active`, `cluster-unreachable` for a
    private endpoint, and what `CloudFailure` maps.
    """
    name, region = spec.cluster.name or "", spec.region or ""
    caller = aws.caller
    check_account(caller, spec.account.id)
    described, principal, groups, addons = side_by_side(
        lambda: aws.eks.describe(name),
        lambda: principal_of(aws),
        lambda: _of_cluster(partial(aws.eks.node_groups, name)),
        lambda: _of_cluster(partial(aws.eks.addons, name)),
    )
    if described is None:
        raise _no_cluster(aws, name, region)
    _check_active(described, region)
    if spec.cluster.context is None and spec.cluster.kubeconfig is None:
        # A context of the user's may lead by a way of its own.
        check_reachable(described, region)
    subnets = aws.network.subnets(described.subnet_ids)
    facts = EksFacts(
        caller=caller,
        principal=principal,
        issuer=described.issuer,
        audience=aws.audience,
        auto_mode=described.auto_mode,
        vpc_id=described.vpc_id,
        subnets=tuple(subnets),
        addons=tuple(addons),
        created_at=described.created_at,
    )
    return Cluster(
        name=name,
        id=described.arn,
        account=caller.account,
        region=region,
        version=described.version,
        access=ClusterAccess(
            endpoint=described.endpoint,
            ca_pem=described.ca_pem,
            token=partial(aws.sts.cluster_token, name),
            principal=caller.arn,
            grant=grant(described, principal, region),
        ),
        zones=tuple(sorted({subnet.zone for subnet in subnets})),
        node_pools=tuple(_pool(group) for group in groups),
        facts=facts,
    )


def unplaced(aws: Aws, spec: CloudSpec) -> Cluster:
    """Where things are before anybody says which cluster they are for."""
    caller = aws.caller
    check_account(caller, spec.account.id)
    facts = EksFacts(
        caller=caller,
        principal=caller.arn,
        issuer="",
        audience=aws.audience,
        auto_mode=False,
        vpc_id="",
        subnets=(),
        addons=(),
    )
    return no_cluster(caller.account, spec.region or "", facts)


def check_account(caller: Caller, wanted: str | None) -> None:
    """Raise `account-mismatch` when the credentials are of another account than was said."""
    if wanted and caller.account != wanted:
        raise errors.CliError(
            errors.ACCOUNT_MISMATCH,
            f"The AWS credentials are of account {caller.account}, not {wanted}",
            cause=f"they belong to {caller.arn}",
            fix=f"give the credentials of {wanted} with --aws-profile",
        )


def principal_of(aws: Aws) -> str:
    """The ARN by which IAM and EKS know the caller: for a session that of its role.

    A session's ARN lacks the role's path (roles of IAM Identity Center have one).
    Who may not look the role up gets the ARN without it.
    """
    caller = aws.caller
    if caller.role_name is None:
        return caller.arn
    try:
        role = aws.iam.role(caller.role_name)
    except CloudFailure as failure:
        if failure.denied:
            return caller.pathless_principal
        raise
    return role.arn if role else caller.pathless_principal


def grant(described: ClusterDescription, principal: str, region: str) -> str:
    """The commands that let the principal into the cluster as its administrator."""
    where = f"--cluster-name {described.name} --region {region}"
    partition = Arn.parse(described.arn).partition
    policy = Arn(partition, "eks", "", "aws", "cluster-access-policy/AmazonEKSClusterAdminPolicy")
    commands = [
        f"aws eks create-access-entry {where} --principal-arn {principal}",
        f"aws eks associate-access-policy {where} --principal-arn {principal} "
        f"--policy-arn {policy} --access-scope type=cluster",
    ]
    if described.authentication_mode == "CONFIG_MAP":
        commands.insert(
            0,
            f"aws eks update-cluster-config --name {described.name} --region {region} "
            "--access-config authenticationMode=API_AND_CONFIG_MAP",
        )
    return " && ".join(commands)


def _of_cluster(ask: partial[list[NodeGroup]] | partial[list[str]]) -> Sequence[object]:
    """Nothing when there is no such cluster: that is told once, by DescribeCluster."""
    try:
        return ask()
    except CloudFailure as failure:
        if failure.api_code == "ResourceNotFoundException":
            return []
        raise


def _no_cluster(aws: Aws, name: str, region: str) -> errors.CliError:
    try:
        names = aws.eks.names()
    except CloudFailure:
        names = []
    there = ", ".join(sorted(names)) or "none that you can see"
    return errors.CliError(
        errors.CLUSTER_NOT_FOUND,
        f"There is no EKS cluster {name!r} in {region}",
        cause=f"account {aws.caller.account} has in that region: {there}",
        fix="check --cluster-name, --region and --aws-profile",
        details={"clusters": sorted(names)},
    )


def _check_active(described: ClusterDescription, region: str) -> None:
    if described.status not in ("ACTIVE", "UPDATING"):
        raise errors.CliError(
            codes.CLUSTER_NOT_ACTIVE,
            f"The EKS cluster {described.name} is {described.status}, not ACTIVE",
            fix=f"aws eks wait cluster-active --name {described.name} --region {region}\n"
            "then run the same command again",
        )
    if not described.issuer:
        raise errors.CliError(
            codes.NO_OIDC_ISSUER,
            f"The EKS cluster {described.name} has no OIDC issuer",
            cause="its service accounts cannot assume roles",
            fix="update the cluster to a supported version of Kubernetes",
        )


def _pool(group: NodeGroup) -> NodePool:
    image = group.ami_type
    nvidia_image = "NVIDIA" in image or image.endswith("_GPU")
    by_family = any(_GPU_FAMILY.match(kind) for kind in group.instance_types)
    # The NVIDIA variants of Bottlerocket run the device plugin themselves:
    # https://bottlerocket.dev/en/os/latest/concepts/gpu/
    brings_plugin = nvidia_image and image.startswith("BOTTLEROCKET")
    return NodePool(
        name=group.name,
        instance_types=group.instance_types,
        labels={**group.labels, labels.NODE_GROUP: group.name},
        taints=group.taints,
        size=group.size,
        gpu=nvidia_image or by_family,
        gpu_driver=_NODE_IMAGE if nvidia_image else "",
        gpu_plugin_owner=_NODE_IMAGE if brings_plugin else "",
        spot=group.capacity_type == labels.SPOT,
    )
