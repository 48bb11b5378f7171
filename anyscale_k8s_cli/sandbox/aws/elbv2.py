"""Elastic Load Balancing, version 2 and the classic one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.aws.elastic import Elastic, LoadBalancer, tag_list
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation


@dataclass(frozen=True)
class LoadBalancerApi:
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
