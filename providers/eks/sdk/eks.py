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
    from mypy_boto3_eks.type_defs import (
        ClusterTypeDef,
        NodegroupTypeDef,
        PodIdentityAssociationTypeDef,
    )

_ABSENT = "ResourceNotFoundException"
ALREADY_THERE = "ResourceInUseException"
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


@dataclass(frozen=True)
class Association:
    """A service account's role, by EKS Pod Identity."""

    id: str
    arn: str
    cluster: str
    namespace: str
    service_account: str
    role_arn: str
    session_tags: bool
    tags: Mapping[str, str]


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

    def addon_status(self, cluster: str, addon: str) -> str | None:
        """`ACTIVE`, `CREATING`, `DEGRADED` and so on; None when the cluster has no such add-on."""
        answer = self._session.find(
            "eks",
            lambda: self._client.describe_addon(clusterName=cluster, addonName=addon),
            _ABSENT,
        )
        return None if answer is None else answer["addon"].get("status", "")

    # -- pod identity associations ---------------------------------------------------

    def association(self, cluster: str, namespace: str, service_account: str) -> Association | None:
        """The one of a service account, which has one at most."""
        answer = self._session.find(
            "eks",
            lambda: self._client.list_pod_identity_associations(
                clusterName=cluster, namespace=namespace, serviceAccount=service_account
            ),
            _ABSENT,
        )
        found = answer["associations"] if answer else ()
        return self._association(cluster, found[0]["associationId"]) if found else None

    def _association(self, cluster: str, association: str) -> Association | None:
        answer = self._session.find(
            "eks",
            lambda: self._client.describe_pod_identity_association(
                clusterName=cluster, associationId=association
            ),
            _ABSENT,
        )
        return None if answer is None else _associated(answer["association"])

    def create_association(
        self,
        cluster: str,
        namespace: str,
        service_account: str,
        role_arn: str,
        tags: Mapping[str, str],
    ) -> None:
        """`ALREADY_THERE` is raised as a failure."""
        self._session.ask(
            "eks",
            lambda: self._client.create_pod_identity_association(
                clusterName=cluster,
                namespace=namespace,
                serviceAccount=service_account,
                roleArn=role_arn,
                tags=dict(tags),
            ),
        )

    def update_association(self, cluster: str, association: str, role_arn: str) -> None:
        """Another role; session tags are told again if they were not."""
        self._session.ask(
            "eks",
            lambda: self._client.update_pod_identity_association(
                clusterName=cluster,
                associationId=association,
                roleArn=role_arn,
                disableSessionTags=False,
            ),
        )

    def delete_association(self, cluster: str, association: str) -> None:
        """Gone already is done."""
        self._session.find(
            "eks",
            lambda: self._client.delete_pod_identity_association(
                clusterName=cluster, associationId=association
            ),
            _ABSENT,
        )

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        self._session.ask(
            "eks", lambda: self._client.tag_resource(resourceArn=arn, tags=dict(tags))
        )

    def untag(self, arn: str, keys: Sequence[str]) -> None:
        self._session.ask(
            "eks", lambda: self._client.untag_resource(resourceArn=arn, tagKeys=list(keys))
        )


def _associated(found: PodIdentityAssociationTypeDef) -> Association:
    return Association(
        id=found["associationId"],
        arn=found["associationArn"],
        cluster=found["clusterName"],
        namespace=found["namespace"],
        service_account=found["serviceAccount"],
        role_arn=found["roleArn"],
        session_tags=not found.get("disableSessionTags"),
        tags=dict(found.get("tags", {})),
    )


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
