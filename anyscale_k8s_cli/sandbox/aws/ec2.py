"""EC2: the network of the clusters, read only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.aws.elastic import Elastic, tag_list
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import like
from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed, SubnetSeed
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation


@dataclass(frozen=True)
class Ec2:
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
        # A cluster's network outlives it.
        return self.elastic.clusters.seeds(region)


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
