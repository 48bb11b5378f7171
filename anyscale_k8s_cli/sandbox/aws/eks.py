"""EKS: clusters from their seeds, with what belongs to them.

moto's EKS is not used: its clusters are ACTIVE at birth, with an endpoint and
a certificate of its own making, and it has no add-ons, access entries or pod
identity associations.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.propagation import Propagation
from anyscale_k8s_cli.sandbox.aws.seed import (
    POD_IDENTITY_AGENT,
    AccessEntrySeed,
    EksClusterSeed,
    NodeGroupSeed,
)
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation
from anyscale_k8s_cli.sandbox.aws.trust import trusts_service

Tags = Mapping[str, str]

POD_IDENTITY_SERVICE = "pods.eks.amazonaws.com"
# What it asks for together, with tags for the session.
ASKED = ("sts:AssumeRole", "sts:TagSession")
CREATED_AT = datetime(2025, 6, 2, 9, 30, tzinfo=UTC)
_ADMIN_POLICY = "AmazonEKSClusterAdminPolicy"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass
class Cluster:
    """A cluster as it is now.

    `unseen`: how many pods do not meet an association yet, by its id.
    """

    seed: EksClusterSeed
    endpoint: str
    ca_pem: bytes
    described: int = 0
    deleted: bool = False
    associations: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[str, AccessEntrySeed] = field(default_factory=dict)
    unseen: dict[str, int] = field(default_factory=dict)

    @property
    def has_agent(self) -> bool:
        """Auto Mode has it built in."""
        return self.seed.auto_mode or POD_IDENTITY_AGENT.name in {
            addon.name for addon in self.seed.addons
        }

    def seen_association(self, namespace: str, service_account: str) -> dict[str, Any] | None:
        """The same as the webhook sees it: of a new one the first pods get nothing."""
        found = self.association(namespace, service_account)
        if found is not None and self.unseen.get(found["associationId"]):
            self.unseen[found["associationId"]] -= 1
            return None
        return found

    def association(self, namespace: str, service_account: str) -> dict[str, Any] | None:
        for association in self.associations.values():
            if (association["namespace"], association["serviceAccount"]) == (
                namespace,
                service_account,
            ):
                return association
        return None


class Clusters:
    """The clusters of all regions, by region and name."""

    def __init__(self, account: Account, seeds: Iterable[EksClusterSeed]) -> None:
        self._account = account
        self._clusters = {
            (seed.region, seed.name): Cluster(seed, seed.endpoint, seed.ca_pem) for seed in seeds
        }
        for cluster in self.all():
            seed = cluster.seed
            creator = AccessEntrySeed(
                account.arn("iam", f"user/{seed.creator}"), groups=("system:masters",)
            )
            for entry in (creator, *seed.access_entries):
                cluster.entries[entry.principal_arn] = entry

    def all(self, region: str | None = None) -> list[Cluster]:
        return [
            cluster
            for (where, _), cluster in self._clusters.items()
            if region in (None, where) and not cluster.deleted
        ]

    def seeds(self, region: str) -> list[EksClusterSeed]:
        """The seeds of a region, those of deleted clusters too."""
        return [c.seed for (where, _), c in self._clusters.items() if where == region]

    def named(self, name: str) -> Cluster:
        """The cluster of this name in whatever region. Raises LookupError."""
        for cluster in self.all():
            if cluster.seed.name == name:
                return cluster
        raise LookupError(f"no cluster {name}")

    def get(self, region: str, name: str) -> Cluster:
        """Raises EKS's ResourceNotFoundException."""
        cluster = self._clusters.get((region, name))
        if cluster is None or cluster.deleted:
            raise not_found(f"No cluster found for name: {name}.", clusterName=name)
        return cluster


def session_tags(account: Account, cluster: Cluster, association: Mapping[str, Any]) -> Tags:
    """What EKS tells of the pod for which it asks, but for the pod's own name and UID.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """
    if association["disableSessionTags"]:
        return {}
    seed = cluster.seed
    return {
        "eks-cluster-arn": account.arn("eks", f"cluster/{seed.name}", seed.region),
        "eks-cluster-name": seed.name,
        "kubernetes-namespace": association["namespace"],
        "kubernetes-service-account": association["serviceAccount"],
    }


@dataclass(frozen=True)
class Eks:
    account: Account
    clusters: Clusters
    propagation: Propagation

    def operations(self) -> Mapping[str, Operation]:
        return {
            "ListClusters": self.list_clusters,
            "DescribeCluster": self.describe_cluster,
            "ListNodegroups": self.list_nodegroups,
            "DescribeNodegroup": self.describe_nodegroup,
            "ListAddons": self.list_addons,
            "DescribeAddon": self.describe_addon,
            "ListAccessEntries": self.list_access_entries,
            "DescribeAccessEntry": self.describe_access_entry,
            "CreateAccessEntry": self.create_access_entry,
            "AssociateAccessPolicy": self.associate_access_policy,
            "ListPodIdentityAssociations": self.list_associations,
            "CreatePodIdentityAssociation": self.create_association,
            "DescribePodIdentityAssociation": self.describe_association,
            "UpdatePodIdentityAssociation": self.update_association,
            "DeletePodIdentityAssociation": self.delete_association,
            "ListTagsForResource": self.list_tags,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    # -- clusters ------------------------------------------------------------

    def list_clusters(self, inquiry: Inquiry) -> Answer:
        return {"clusters": [cluster.seed.name for cluster in self.clusters.all(inquiry.region)]}

    def describe_cluster(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["name"])
        cluster.described += 1
        seed = cluster.seed
        described: dict[str, Any] = {
            "name": seed.name,
            "arn": self._arn(cluster),
            "createdAt": CREATED_AT,
            "version": seed.version,
            "platformVersion": "eks.9",
            "roleArn": self.account.arn("iam", f"role/{seed.name}-cluster"),
            "status": "CREATING",
            "tags": dict(seed.tags),
            "resourcesVpcConfig": {
                "subnetIds": [subnet.id for subnet in seed.subnets()],
                "securityGroupIds": [],
                "clusterSecurityGroupId": seed.security_group_id,
                "vpcId": seed.vpc_id,
                "endpointPublicAccess": seed.public_endpoint,
                "endpointPrivateAccess": True,
                "publicAccessCidrs": ["0.0.0.0/0"] if seed.public_endpoint else [],
            },
            "kubernetesNetworkConfig": {
                "serviceIpv4Cidr": "172.20.0.0/16",
                "ipFamily": "ipv4",
                "elasticLoadBalancing": {"enabled": seed.auto_mode},
            },
            "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
            "computeConfig": {"enabled": seed.auto_mode},
            "storageConfig": {"blockStorage": {"enabled": seed.auto_mode}},
        }
        if cluster.described > seed.describes_while_creating:
            described |= {
                "status": "ACTIVE",
                "endpoint": cluster.endpoint,
                "certificateAuthority": {"data": base64.b64encode(cluster.ca_pem).decode()},
                "identity": {"oidc": {"issuer": seed.issuer}},
            }
        return {"cluster": described}

    # -- node groups and add-ons -----------------------------------------------

    def list_nodegroups(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        return {"nodegroups": [group.name for group in cluster.seed.node_groups]}

    def describe_nodegroup(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        name = inquiry["nodegroupName"]
        for group in cluster.seed.node_groups:
            if group.name == name:
                return {"nodegroup": self._nodegroup(cluster, group)}
        raise not_found(f"No node group found for name: {name}.", nodegroupName=name)

    def _nodegroup(self, cluster: Cluster, group: NodeGroupSeed) -> dict[str, Any]:
        seed = cluster.seed
        path = f"nodegroup/{seed.name}/{group.name}/{seed.digest(group.name)[:8]}"
        effect = {"NoSchedule": "NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}
        return {
            "nodegroupName": group.name,
            "nodegroupArn": self.account.arn("eks", path, seed.region),
            "clusterName": seed.name,
            "version": seed.version,
            "createdAt": CREATED_AT,
            "status": "ACTIVE",
            "capacityType": group.capacity_type,
            "scalingConfig": {
                "minSize": 0,
                "maxSize": group.max_size,
                "desiredSize": group.size,
            },
            "instanceTypes": [group.instance_type],
            "subnets": [subnet.id for subnet in seed.subnets() if not subnet.public],
            "amiType": group.ami_type,
            "nodeRole": self.account.arn("iam", f"role/{seed.name}-node"),
            "labels": dict(group.labels),
            "taints": [
                {
                    "key": taint.key,
                    "value": taint.value,
                    "effect": effect.get(taint.effect, "PREFER_NO_SCHEDULE"),
                }
                for taint in group.taints
            ],
            "diskSize": 500,
            "health": {"issues": []},
            "tags": {},
        }

    def list_addons(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        return {"addons": [addon.name for addon in cluster.seed.addons]}

    def describe_addon(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        seed, name = cluster.seed, inquiry["addonName"]
        for addon in seed.addons:
            if addon.name == name:
                path = f"addon/{seed.name}/{name}/{seed.digest(name)[:8]}"
                return {
                    "addon": {
                        "addonName": name,
                        "clusterName": seed.name,
                        "status": "ACTIVE",
                        "addonVersion": addon.version,
                        "addonArn": self.account.arn("eks", path, seed.region),
                        "createdAt": CREATED_AT,
                        "health": {"issues": []},
                        "tags": {},
                    }
                }
        message = f"No addon: {name} found in cluster: {seed.name}"
        raise not_found(message, clusterName=seed.name, addonName=name)

    # -- access entries ----------------------------------------------------------

    def list_access_entries(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        return {"accessEntries": list(cluster.entries)}

    def describe_access_entry(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        return {"accessEntry": self._described(cluster, _entry(cluster, inquiry["principalArn"]))}

    def create_access_entry(self, inquiry: Inquiry) -> Answer:
        """Known to the cluster from now on, without any right."""
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        arn = inquiry["principalArn"]
        if arn in cluster.entries:
            message = "The specified access entry resource is already in use on this cluster."
            raise AwsError(409, "ResourceInUseException", message)
        groups = tuple(inquiry.get("kubernetesGroups") or ())
        if any(group.startswith("system:") for group in groups):
            raise _invalid("The kubernetes group name is invalid, it cannot start with system:")
        entry = AccessEntrySeed(arn, inquiry.get("username") or "", groups)
        cluster.entries[arn] = entry
        return {"accessEntry": self._described(cluster, entry)}

    def associate_access_policy(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        entry = _entry(cluster, inquiry["principalArn"])
        policy, scope = inquiry["policyArn"], inquiry["accessScope"]
        if policy.rpartition("/")[2] != _ADMIN_POLICY or scope["type"] != "cluster":
            raise _invalid(f"{policy} is not known here")
        groups = (*entry.groups, "system:masters")
        cluster.entries[entry.principal_arn] = replace(entry, groups=groups)
        return {
            "clusterName": cluster.seed.name,
            "principalArn": entry.principal_arn,
            "associatedAccessPolicy": {
                "policyArn": policy,
                "accessScope": scope,
                "associatedAt": CREATED_AT,
                "modifiedAt": CREATED_AT,
            },
        }

    def _described(self, cluster: Cluster, entry: AccessEntrySeed) -> dict[str, Any]:
        arn = entry.principal_arn
        path = f"access-entry/{cluster.seed.name}/{arn.split(':', 5)[5]}"
        return {
            "clusterName": cluster.seed.name,
            "principalArn": arn,
            # An administrator's rights come from an access policy, not from this group.
            "kubernetesGroups": [g for g in entry.groups if not g.startswith("system:")],
            "accessEntryArn": self.account.arn("eks", path, cluster.seed.region),
            "createdAt": CREATED_AT,
            "tags": {},
            "username": entry.username or arn,
            "type": "STANDARD",
        }

    # -- pod identity associations -------------------------------------------------

    def list_associations(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        wanted = {
            name: inquiry.get(name) for name in ("namespace", "serviceAccount") if inquiry.get(name)
        }
        summary = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
        return {
            "associations": [
                {name: association[name] for name in summary}
                for association in cluster.associations.values()
                if all(association[name] == value for name, value in wanted.items())
            ]
        }

    def create_association(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        namespace, service_account = inquiry["namespace"], inquiry["serviceAccount"]
        existing = cluster.association(namespace, service_account)
        if existing is not None:
            raise AwsError(
                409,
                "ResourceInUseException",
                f"Association already exists: {existing['associationId']}",
                {"clusterName": cluster.seed.name},
            )
        identity = "a-" + "".join(secrets.choice(_ALPHABET) for _ in range(17))
        path = f"podidentityassociation/{cluster.seed.name}/{identity}"
        now = datetime.now(UTC)
        association = {
            "clusterName": cluster.seed.name,
            "namespace": namespace,
            "serviceAccount": service_account,
            "roleArn": inquiry["roleArn"],
            "associationArn": self.account.arn("eks", path, cluster.seed.region),
            "associationId": identity,
            "tags": dict(inquiry.get("tags") or {}),
            "createdAt": now,
            "modifiedAt": now,
            "disableSessionTags": bool(inquiry.get("disableSessionTags", False)),
        }
        self._check_role(cluster, association)
        cluster.associations[identity] = association
        cluster.unseen[identity] = self.propagation.refused_attempts
        return {"association": association}

    def describe_association(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        return {"association": _association(cluster, inquiry["associationId"])}

    def update_association(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        association = _association(cluster, inquiry["associationId"])
        said = {name: inquiry.get(name) for name in ("roleArn", "disableSessionTags")}
        changed = association | {name: value for name, value in said.items() if value is not None}
        self._check_role(cluster, changed)
        association.update(changed, modifiedAt=datetime.now(UTC))
        return {"association": association}

    def delete_association(self, inquiry: Inquiry) -> Answer:
        cluster = self.clusters.get(inquiry.region, inquiry["clusterName"])
        association = _association(cluster, inquiry["associationId"])
        del cluster.associations[association["associationId"]]
        return {"association": association}

    def _check_role(self, cluster: Cluster, association: Mapping[str, Any]) -> None:
        arn = association["roleArn"]
        role = self.account.entity(arn) if ":role/" in arn else None
        trust = self.propagation.trust(role) if role is not None else None
        if trust is None:
            raise _invalid(f"Role provided in the request does not exist: {arn}")
        tags = session_tags(self.account, cluster, association)
        if not all(trusts_service(trust, POD_IDENTITY_SERVICE, action, tags) for action in ASKED):
            raise _invalid(
                "Trust policy of the role provided in the request is not valid: it must allow "
                f"{POD_IDENTITY_SERVICE} to perform sts:AssumeRole and sts:TagSession"
            )

    # -- tags ---------------------------------------------------------------------

    def list_tags(self, inquiry: Inquiry) -> Answer:
        return {"tags": dict(self._tags(inquiry["resourceArn"]))}

    def tag_resource(self, inquiry: Inquiry) -> Answer:
        tags = self._tags(inquiry["resourceArn"])
        if not isinstance(tags, dict):
            raise AwsError(
                501, "NotImplemented", "The sandbox keeps the tags of clusters as seeded"
            )
        tags.update(inquiry["tags"])
        return {}

    def untag_resource(self, inquiry: Inquiry) -> Answer:
        tags = self._tags(inquiry["resourceArn"])
        assert isinstance(tags, dict), "only associations are untagged"  # noqa: S101
        for key in inquiry["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _tags(self, arn: str) -> Mapping[str, str]:
        for cluster in self.clusters.all():
            if arn == self._arn(cluster):
                return cluster.seed.tags
            for association in cluster.associations.values():
                if arn == association["associationArn"]:
                    tags: dict[str, str] = association["tags"]
                    return tags
        raise AwsError(404, "NotFoundException", f"Resource not found for arn: {arn}")

    def _arn(self, cluster: Cluster) -> str:
        return self.account.arn("eks", f"cluster/{cluster.seed.name}", cluster.seed.region)


def _association(cluster: Cluster, identity: str) -> dict[str, Any]:
    association = cluster.associations.get(identity)
    if association is None:
        raise not_found(f"No association found for associationId: {identity}")
    return association


def not_found(message: str, **fields: str) -> AwsError:
    return AwsError(404, "ResourceNotFoundException", message, fields)


def _invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)


def _entry(cluster: Cluster, arn: str) -> AccessEntrySeed:
    """Raises EKS's ResourceNotFoundException."""
    if arn not in cluster.entries:
        raise not_found(
            "The specified principalArn could not be found. You can view your available "
            "access entries with 'list-access-entries'.",
        )
    return cluster.entries[arn]
