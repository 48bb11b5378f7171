"""EKS: clusters, node groups, add-ons."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.eks.sdk.session import Session

if TYPE_CHECKING:
    from mypy_boto3_eks.client import EKSClient
    from mypy_boto3_eks.type_defs import ClusterTypeDef, NodegroupTypeDef

_ABSENT = "ResourceNotFoundException"
# EKS spells a taint's effect its own way.
_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}


@dataclass(frozen=True)
class ClusterDescription:
    """What DescribeCluster says; `endpoint`, `ca_pem` and `issuer` are empty while it is made."""

    name: str
    arn: str
    status: str
    version: str
    endpoint: str
    ca_pem: str
    issuer: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    public_endpoint: bool
    private_endpoint: bool
    public_cidrs: tuple[str, ...]
    auto_mode: bool
    authentication_mode: str
    created_at: datetime | None


@dataclass(frozen=True)
class NodeGroup:
    name: str
    ami_type: str
    capacity_type: str
    instance_types: tuple[str, ...]
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    size: int


class Eks:
    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> EKSClient:
        client: EKSClient = self._session.client("eks")
        return client

    def describe(self, name: str) -> ClusterDescription | None:
        """The cluster; None when EKS says that there is none of that name."""
        answer = self._session.find(
            "eks", lambda: self._client.describe_cluster(name=name), _ABSENT
        )
        return None if answer is None else _described(answer["cluster"])

    def names(self) -> list[str]:
        """The clusters of the region."""
        pages = self._client.get_paginator("list_clusters").paginate()
        return self._session.ask("eks", lambda: [n for page in pages for n in page["clusters"]])

    def node_groups(self, cluster: str) -> list[NodeGroup]:
        pages = self._client.get_paginator("list_nodegroups").paginate(clusterName=cluster)
        names = self._session.ask("eks", lambda: [n for p in pages for n in p["nodegroups"]])
        if not names:
            return []

        def one(name: str) -> NodeGroup | None:
            answer = self._session.find(
                "eks",
                lambda: self._client.describe_nodegroup(clusterName=cluster, nodegroupName=name),
                _ABSENT,
            )
            return None if answer is None else _group(answer["nodegroup"])

        found: Sequence[NodeGroup | None] = side_by_side(*(partial(one, name) for name in names))
        return [group for group in found if group is not None]

    def addons(self, cluster: str) -> list[str]:
        """The names of the cluster's add-ons."""
        pages = self._client.get_paginator("list_addons").paginate(clusterName=cluster)
        return self._session.ask("eks", lambda: [n for page in pages for n in page["addons"]])


def _described(found: ClusterTypeDef) -> ClusterDescription:
    network = found.get("resourcesVpcConfig", {})
    authority = found.get("certificateAuthority", {}).get("data", "")
    return ClusterDescription(
        name=found["name"],
        arn=found["arn"],
        status=found["status"],
        version=found.get("version", ""),
        endpoint=found.get("endpoint", ""),
        ca_pem=base64.b64decode(authority).decode() if authority else "",
        issuer=found.get("identity", {}).get("oidc", {}).get("issuer", ""),
        vpc_id=network.get("vpcId", ""),
        subnet_ids=tuple(network.get("subnetIds", [])),
        public_endpoint=bool(network.get("endpointPublicAccess")),
        private_endpoint=bool(network.get("endpointPrivateAccess")),
        public_cidrs=tuple(network.get("publicAccessCidrs", [])),
        auto_mode=bool(found.get("computeConfig", {}).get("enabled")),
        authentication_mode=found.get("accessConfig", {}).get("authenticationMode", ""),
        created_at=found.get("createdAt"),
    )


def _group(found: NodegroupTypeDef) -> NodeGroup:
    return NodeGroup(
        name=found["nodegroupName"],
        ami_type=found.get("amiType", ""),
        capacity_type=found.get("capacityType", ""),
        instance_types=tuple(found.get("instanceTypes", [])),
        labels=dict(found.get("labels", {})),
        taints=tuple(
            {
                "key": taint.get("key", ""),
                "value": taint.get("value", ""),
                "effect": _EFFECTS.get(taint.get("effect", ""), taint.get("effect", "")),
            }
            for taint in found.get("taints", [])
        ),
        size=found.get("scalingConfig", {}).get("desiredSize", 0),
    )
