"""Load balancers and security groups as they are now.

moto could hold load balancers, but only in a network of its EC2, which costs a
second to import. What looks at them is in `elbv2.py` and `ec2.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.eks import Clusters
from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed, SubnetSeed

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
        self._groups: list[tuple[SecurityGroup, LoadBalancer]] = []

    def load_balancers(self, region: str | None = None) -> list[LoadBalancer]:
        """Those that can be seen."""
        return [
            balancer
            for balancer in self._load_balancers.values()
            if region in (None, balancer.region) and self._visible(balancer)
        ]

    def security_groups(self, region: str | None = None) -> list[SecurityGroup]:
        """Those of the clusters and of the load balancers that can be seen."""
        return [
            *(_cluster_group(cluster.seed) for cluster in self.clusters.all(region)),
            *(
                group
                for group, balancer in self._groups
                if region in (None, group.region) and self._visible(balancer)
            ),
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
            self._groups.append((group, balancer))
        return balancer

    def delete(self, balancer: LoadBalancer) -> None:
        """Begin the removal; once begun it takes its time."""
        if balancer.gone_at is None:
            balancer.gone_at = self._clock() + self._removal_seconds

    def _visible(self, balancer: LoadBalancer) -> bool:
        return balancer.gone_at is None or self._clock() < balancer.gone_at


def _cluster_group(seed: EksClusterSeed) -> SecurityGroup:
    return SecurityGroup(
        seed.security_group_id,
        f"eks-cluster-sg-{seed.name}-{int(seed.digest('group')[:8], 16)}",
        "EKS created security group applied to ENI that is attached to EKS Control Plane "
        "master nodes, as well as any managed workloads.",
        seed.vpc_id,
        seed.region,
        {f"kubernetes.io/cluster/{seed.name}": "owned"},
    )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
