"""EC2 and Elastic Load Balancing: subnets, load balancers and what they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyscale_k8s_cli.providers.eks.sdk.session import Session
from anyscale_k8s_cli.providers.eks.sdk.tags import tags_of

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ec2.type_defs import SubnetTypeDef
    from mypy_boto3_elb.client import ElasticLoadBalancingClient
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client

_GROUP_ABSENT = "InvalidGroup.NotFound"
GROUP_IN_USE = "DependencyViolation"


@dataclass(frozen=True)
class Subnet:
    id: str
    zone: str
    public_addresses: bool
    tags: Mapping[str, str]


@dataclass(frozen=True)
class LoadBalancerDescription:
    """`arn` is empty for a Classic Load Balancer, which has none."""

    name: str
    dns_name: str
    arn: str = ""
    kind: str = "classic"
    scheme: str = ""


class Network:
    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _ec2(self) -> EC2Client:
        client: EC2Client = self._session.client("ec2")
        return client

    @property
    def _elbv2(self) -> ElasticLoadBalancingv2Client:
        client: ElasticLoadBalancingv2Client = self._session.client("elbv2")
        return client

    @property
    def _elb(self) -> ElasticLoadBalancingClient:
        client: ElasticLoadBalancingClient = self._session.client("elb")
        return client

    def subnets(self, ids: Sequence[str]) -> list[Subnet]:
        if not ids:
            return []
        answer = self._session.ask("ec2", lambda: self._ec2.describe_subnets(SubnetIds=list(ids)))
        return [_subnet(item) for item in answer["Subnets"]]

    def subnets_of(self, vpc_id: str) -> list[Subnet]:
        pages = self._ec2.get_paginator("describe_subnets").paginate(
            Filters=[{"Name": "vpc-id", "Values": [vpc_id]}]
        )
        return self._session.ask(
            "ec2", lambda: [_subnet(item) for page in pages for item in page["Subnets"]]
        )

    # -- load balancers ------------------------------------------------------------

    def load_balancers(self) -> list[LoadBalancerDescription]:
        """Those of the region but the classic ones."""
        pages = self._elbv2.get_paginator("describe_load_balancers").paginate()
        return self._session.ask(
            "elbv2",
            lambda: [
                LoadBalancerDescription(
                    name=item.get("LoadBalancerName", ""),
                    dns_name=item.get("DNSName", ""),
                    arn=item.get("LoadBalancerArn", ""),
                    kind=item.get("Type", ""),
                    scheme=item.get("Scheme", ""),
                )
                for page in pages
                for item in page["LoadBalancers"]
            ],
        )

    def classic_load_balancers(self) -> list[LoadBalancerDescription]:
        pages = self._elb.get_paginator("describe_load_balancers").paginate()
        return self._session.ask(
            "elb",
            lambda: [
                LoadBalancerDescription(
                    name=item.get("LoadBalancerName", ""),
                    dns_name=item.get("DNSName", ""),
                    scheme=item.get("Scheme", ""),
                )
                for page in pages
                for item in page["LoadBalancerDescriptions"]
            ],
        )

    def load_balancer(self, arn: str) -> LoadBalancerDescription | None:
        answer = self._session.find(
            "elbv2",
            lambda: self._elbv2.describe_load_balancers(LoadBalancerArns=[arn]),
            "LoadBalancerNotFound",
        )
        if answer is None or not answer["LoadBalancers"]:
            return None
        item = answer["LoadBalancers"][0]
        return LoadBalancerDescription(
            item.get("LoadBalancerName", ""), item.get("DNSName", ""), arn, item.get("Type", "")
        )

    def delete_load_balancer(self, arn: str) -> None:
        """Begin the removal; already gone is success."""
        self._session.find(
            "elbv2",
            lambda: self._elbv2.delete_load_balancer(LoadBalancerArn=arn),
            "LoadBalancerNotFound",
        )

    def delete_target_group(self, arn: str) -> None:
        """Already gone is success."""
        self._session.find(
            "elbv2",
            lambda: self._elbv2.delete_target_group(TargetGroupArn=arn),
            "TargetGroupNotFound",
        )

    def has_security_group(self, group: str) -> bool:
        answer = self._session.find(
            "ec2",
            lambda: self._ec2.describe_security_groups(GroupIds=[group]),
            _GROUP_ABSENT,
        )
        return answer is not None and bool(answer["SecurityGroups"])

    def delete_security_group(self, group: str) -> None:
        """Already gone is success; `DependencyViolation` while something uses it."""
        self._session.find(
            "ec2", lambda: self._ec2.delete_security_group(GroupId=group), _GROUP_ABSENT
        )


def _subnet(item: SubnetTypeDef) -> Subnet:
    return Subnet(
        id=item["SubnetId"],
        zone=item["AvailabilityZone"],
        public_addresses=bool(item.get("MapPublicIpOnLaunch")),
        tags=tags_of(item.get("Tags", [])),
    )
