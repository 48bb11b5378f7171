"""Load balancers and security groups: what is there, and the APIs that tell.

moto could hold load balancers, but only in a network of its EC2, which costs a
second to import; the few calls that look at a cluster's network are here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.eks import Clusters
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import like
from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed, SubnetSeed
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation

Seconds = Callable[[], float]


@dataclass
class SecurityGroup:
    id: str
    name: str
    description: str
    vpc_id: str
    region: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class LoadBalancer:
    """A load balancer. After its deletion it is seen until `gone_at`, as in life."""

    name: str
    arn: str
    dns_name: str
    scheme: str
    vpc_id: str
    region: str
    subnets: tuple[SubnetSeed, ...]
    security_groups: tuple[str, ...]
    classic: bool
    tags: dict[str, str]
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    gone_at: float | None = None


class Elastic:
    """The load balancers and security groups of the account."""

    def __init__(
        self, account: Account, clusters: Clusters, clock: Seconds, removal_seconds: float
    ) -> None:
        self.account = account
        self.clusters = clusters
        self._clock = clock
        self._removal_seconds = removal_seconds
        self._load_balancers: dict[str, LoadBalancer] = {}
        self._groups: dict[str, tuple[SecurityGroup, LoadBalancer | None]] = {}
        for cluster in clusters.all():
            seed = cluster.seed
            group = SecurityGroup(
                seed.security_group_id,
                f"eks-cluster-sg-{seed.name}-{int(seed.digest('group')[:8], 16)}",
                "EKS created security group applied to ENI that is attached to EKS Control "
                "Plane master nodes, as well as any managed workloads.",
                seed.vpc_id,
                seed.region,
                {f"kubernetes.io/cluster/{seed.name}": "owned"},
            )
            self._groups[group.id] = (group, None)

    def load_balancers(self, region: str | None = None) -> list[LoadBalancer]:
        """Those that can be seen."""
        return [
            balancer
            for balancer in self._load_balancers.values()
            if region in (None, balancer.region) and self._visible(balancer)
        ]

    def security_groups(self, region: str | None = None) -> list[SecurityGroup]:
        return [
            group
            for group, balancer in self._groups.values()
            if region in (None, group.region) and (balancer is None or self._visible(balancer))
        ]

    def create(
        self,
        seed: EksClusterSeed,
        name: str,
        dns_name: str,
        *,
        scheme: str,
        subnets: Iterable[SubnetSeed],
        own_security_group: bool,
        classic: bool,
        tags: Mapping[str, str],
    ) -> LoadBalancer:
        groups: list[str] = []
        if own_security_group:
            group = SecurityGroup(
                "sg-" + secrets.token_hex(9)[:17],
                name,
                "[k8s] Managed SecurityGroup for LoadBalancer",
                seed.vpc_id,
                seed.region,
                dict(tags),
            )
            groups.append(group.id)
        kind = "" if classic else "net/"
        suffix = "" if classic else "/" + dns_name.partition(".")[0].rpartition("-")[2]
        arn = self.account.arn(
            "elasticloadbalancing", f"loadbalancer/{kind}{name}{suffix}", seed.region
        )
        balancer = LoadBalancer(
            name,
            arn,
            dns_name,
            scheme,
            seed.vpc_id,
            seed.region,
            tuple(subnets),
            tuple(groups),
            classic,
            dict(tags),
        )
        self._load_balancers[arn] = balancer
        if own_security_group:
            self._groups[group.id] = (group, balancer)
        return balancer

    def delete(self, balancer: LoadBalancer) -> None:
        """Begin the removal; once begun it takes its time."""
        if balancer.gone_at is None:
            balancer.gone_at = self._clock() + self._removal_seconds

    def _visible(self, balancer: LoadBalancer) -> bool:
        return balancer.gone_at is None or self._clock() < balancer.gone_at


@dataclass(frozen=True)
class LoadBalancerApi:
    """Elastic Load Balancing, both versions."""

    elastic: Elastic

    def operations(self) -> Mapping[str, Operation]:
        return {
            "DescribeLoadBalancers": self.describe,
            "DescribeTags": self.describe_tags,
            "DeleteLoadBalancer": self.delete,
            "DescribeListeners": lambda _: {"Listeners": []},
            "DescribeTargetGroups": lambda _: {"TargetGroups": []},
        }

    def classic_operations(self) -> Mapping[str, Operation]:
        return {
            "DescribeLoadBalancers": self.describe_classic,
            "DescribeTags": self.describe_classic_tags,
        }

    def describe(self, inquiry: Inquiry) -> Answer:
        found = self._seen(inquiry.region, classic=False)
        arns, names = inquiry.get("LoadBalancerArns") or [], inquiry.get("Names") or []
        if missing := set(arns) - {b.arn for b in found} or set(names) - {b.name for b in found}:
            raise _no_load_balancer(sorted(missing)[0] if names else "One or more load balancers")
        if arns or names:
            found = [b for b in found if b.arn in arns or b.name in names]
        return {"LoadBalancers": [_described(balancer) for balancer in found]}

    def describe_tags(self, inquiry: Inquiry) -> Answer:
        balancers = {b.arn: b for b in self._seen(inquiry.region, classic=False)}
        for arn in inquiry["ResourceArns"]:
            if arn not in balancers:
                raise _no_load_balancer("One or more load balancers")
        return {
            "TagDescriptions": [
                {"ResourceArn": arn, "Tags": tag_list(balancers[arn].tags)}
                for arn in inquiry["ResourceArns"]
            ]
        }

    def delete(self, inquiry: Inquiry) -> Answer:
        for balancer in self._seen(inquiry.region, classic=False):
            if balancer.arn == inquiry["LoadBalancerArn"]:
                self.elastic.delete(balancer)
        return {}

    def describe_classic(self, inquiry: Inquiry) -> Answer:
        found = self._seen(inquiry.region, classic=True)
        names = inquiry.get("LoadBalancerNames") or []
        for name in names:
            if name not in {balancer.name for balancer in found}:
                message = f"There is no ACTIVE Load Balancer named '{name}'"
                raise AwsError(400, "LoadBalancerNotFound", message)
        return {
            "LoadBalancerDescriptions": [
                {
                    "LoadBalancerName": balancer.name,
                    "DNSName": balancer.dns_name,
                    "Scheme": balancer.scheme,
                    "VPCId": balancer.vpc_id,
                    "Subnets": [subnet.id for subnet in balancer.subnets],
                    "AvailabilityZones": [subnet.zone for subnet in balancer.subnets],
                    "SecurityGroups": list(balancer.security_groups),
                    "CreatedTime": balancer.created_at,
                }
                for balancer in found
                if not names or balancer.name in names
            ]
        }

    def describe_classic_tags(self, inquiry: Inquiry) -> Answer:
        return {
            "TagDescriptions": [
                {"LoadBalancerName": balancer.name, "Tags": tag_list(balancer.tags)}
                for balancer in self._seen(inquiry.region, classic=True)
                if balancer.name in inquiry["LoadBalancerNames"]
            ]
        }

    def _seen(self, region: str, *, classic: bool) -> list[LoadBalancer]:
        return [b for b in self.elastic.load_balancers(region) if b.classic is classic]


@dataclass(frozen=True)
class Ec2:
    """The network of the clusters, read only."""

    elastic: Elastic

    def operations(self) -> Mapping[str, Operation]:
        return {
            "DescribeAvailabilityZones": self.describe_zones,
            "DescribeVpcs": self.describe_vpcs,
            "DescribeSubnets": self.describe_subnets,
            "DescribeSecurityGroups": self.describe_security_groups,
            "DescribeNetworkInterfaces": self.describe_interfaces,
        }

    def describe_zones(self, inquiry: Inquiry) -> Answer:
        zones = [
            {
                "ZoneName": f"{inquiry.region}{letter}",
                "ZoneId": f"az{number}",
                "RegionName": inquiry.region,
                "State": "available",
                "ZoneType": "availability-zone",
                "OptInStatus": "opt-in-not-required",
            }
            for number, letter in enumerate("abc", 1)
        ]
        return {"AvailabilityZones": _filtered(inquiry, zones, "ZoneNames", "ZoneName", "")}

    def describe_vpcs(self, inquiry: Inquiry) -> Answer:
        vpcs = [
            {
                "VpcId": seed.vpc_id,
                "CidrBlock": "10.0.0.0/16",
                "State": "available",
                "IsDefault": False,
                "OwnerId": self.elastic.account.id,
                "Tags": tag_list({"Name": seed.name}),
            }
            for seed in self._seeds(inquiry.region)
        ]
        return {"Vpcs": _filtered(inquiry, vpcs, "VpcIds", "VpcId", "InvalidVpcID.NotFound")}

    def describe_subnets(self, inquiry: Inquiry) -> Answer:
        subnets = [
            {
                "SubnetId": subnet.id,
                "SubnetArn": self.elastic.account.arn("ec2", f"subnet/{subnet.id}", seed.region),
                "VpcId": seed.vpc_id,
                "State": "available",
                "CidrBlock": subnet.cidr,
                "AvailabilityZone": subnet.zone,
                "AvailabilityZoneId": f"az{seed.zones.index(subnet.zone) + 1}",
                "AvailableIpAddressCount": 4085,
                "MapPublicIpOnLaunch": subnet.public,
                "OwnerId": self.elastic.account.id,
                "Tags": tag_list(_subnet_tags(seed, subnet)),
            }
            for seed in self._seeds(inquiry.region)
            for subnet in seed.subnets()
        ]
        code = "InvalidSubnetID.NotFound"
        return {"Subnets": _filtered(inquiry, subnets, "SubnetIds", "SubnetId", code)}

    def describe_security_groups(self, inquiry: Inquiry) -> Answer:
        groups = [
            {
                "GroupId": group.id,
                "GroupName": group.name,
                "Description": group.description,
                "VpcId": group.vpc_id,
                "OwnerId": self.elastic.account.id,
                "IpPermissions": [],
                "IpPermissionsEgress": [],
                "Tags": tag_list(group.tags),
            }
            for group in self.elastic.security_groups(inquiry.region)
        ]
        code = "InvalidGroup.NotFound"
        return {"SecurityGroups": _filtered(inquiry, groups, "GroupIds", "GroupId", code)}

    def describe_interfaces(self, inquiry: Inquiry) -> Answer:
        """Those of load balancers: they hold on to subnets and security groups."""
        interfaces = [
            {
                "NetworkInterfaceId": f"eni-{balancer.arn[-16:]}{number}",
                "Description": f"ELB {balancer.arn.rpartition('loadbalancer/')[2]}",
                "InterfaceType": "network_load_balancer",
                "RequesterManaged": True,
                "Status": "in-use",
                "SubnetId": subnet.id,
                "VpcId": balancer.vpc_id,
                "AvailabilityZone": subnet.zone,
                "Groups": [{"GroupId": group} for group in balancer.security_groups],
                "TagSet": [],
            }
            for balancer in self.elastic.load_balancers(inquiry.region)
            for number, subnet in enumerate(balancer.subnets)
        ]
        code = "InvalidNetworkInterfaceID.NotFound"
        ids = ("NetworkInterfaceIds", "NetworkInterfaceId")
        return {"NetworkInterfaces": _filtered(inquiry, interfaces, *ids, code)}

    def _seeds(self, region: str) -> list[EksClusterSeed]:
        return [cluster.seed for cluster in self.elastic.clusters.all(region)]


# The fields that filters of EC2 ask about, by the filter's name.
_FILTERS = {
    "vpc-id": "VpcId",
    "subnet-id": "SubnetId",
    "availability-zone": "AvailabilityZone",
    "group-id": "GroupId",
    "group-name": "GroupName",
    "description": "Description",
    "zone-name": "ZoneName",
    "state": "State",
    "zone-type": "ZoneType",
    "requester-managed": "RequesterManaged",
}


def _filtered(
    inquiry: Inquiry, items: list[dict[str, Any]], ids: str, field_name: str, code: str
) -> list[dict[str, Any]]:
    """The items that ids and filters ask for; an unknown id is an error."""
    wanted = inquiry.get(ids) or []
    known = {item[field_name] for item in items}
    for identity in wanted:
        if identity not in known:
            message = f"The {field_name[0].lower()}{field_name[1:]} '{identity}' does not exist"
            raise AwsError(400, code or "InvalidParameterValue", message)
    chosen = [item for item in items if not wanted or item[field_name] in wanted]
    for condition in inquiry.get("Filters") or []:
        chosen = [item for item in chosen if _passes(item, condition)]
    return chosen


def _passes(item: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    name, patterns = condition["Name"], condition.get("Values", [])
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    if name.startswith("tag:"):
        values = [tags[name[4:]]] if name[4:] in tags else []
    elif name == "tag-key":
        values = list(tags)
    elif name in _FILTERS:
        value = item.get(_FILTERS[name])
        values = [str(value).lower() if isinstance(value, bool) else str(value)]
    else:
        raise AwsError(400, "InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(like(pattern, value) for pattern in patterns for value in values)


def _subnet_tags(seed: EksClusterSeed, subnet: SubnetSeed) -> dict[str, str]:
    kind = "public" if subnet.public else "private"
    tags = {"Name": f"{seed.name}-{kind}-{subnet.zone}"}
    if seed.subnets_tagged:
        role = "elb" if subnet.public else "internal-elb"
        tags[f"kubernetes.io/role/{role}"] = "1"
    return tags


def _described(balancer: LoadBalancer) -> dict[str, Any]:
    return {
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "CanonicalHostedZoneId": "Z18D5FSROUN65G",
        "CreatedTime": balancer.created_at,
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc_id,
        "State": {"Code": "active"},
        "Type": "network",
        "AvailabilityZones": [
            {"ZoneName": subnet.zone, "SubnetId": subnet.id} for subnet in balancer.subnets
        ],
        "SecurityGroups": list(balancer.security_groups),
        "IpAddressType": "ipv4",
    }


def _no_load_balancer(what: str) -> AwsError:
    message = (
        f"{what} not found" if what.startswith("One") else f"Load balancers '[{what}]' not found"
    )
    return AwsError(400, "LoadBalancerNotFound", message)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
