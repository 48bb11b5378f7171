"""What serves Services of type LoadBalancer in an EKS cluster.

The AWS Load Balancer Controller, EKS Auto Mode or the controller in the cloud
provider: which of them takes a Service up decides whether it ever gets an
address, and nobody says so when none does.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from anyscale_k8s_cli.sandbox.aws.elastic import Elastic, LoadBalancer
from anyscale_k8s_cli.sandbox.aws.seed import (
    EksClusterSeed,
    LoadBalancerController,
    SubnetSeed,
    dns_suffix,
)

ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-"
CONTROLLER_CLASS = "service.k8s.aws/nlb"
AUTO_MODE_CLASS = "eks.amazonaws.com/nlb"


class NoSubnets(Exception):
    """There are none for the load balancer; `reason` is that of the controller's event."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a Service says about its load balancer."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str]
    load_balancer_class: str

    @classmethod
    def of(cls, service: Mapping[str, Any]) -> _Wish:
        metadata = service["metadata"]
        return cls(
            metadata["namespace"],
            metadata["name"],
            metadata.get("uid", ""),
            metadata.get("annotations") or {},
            service.get("spec", {}).get("loadBalancerClass") or "",
        )

    def annotation(self, name: str) -> str:
        return self.annotations.get(ANNOTATION + name, "")

    @property
    def tags(self) -> dict[str, str]:
        pairs = self.annotation("additional-resource-tags").split(",")
        return {
            key.strip(): value.strip() for key, _, value in (p.partition("=") for p in pairs) if key
        }


class AwsLoadBalancers:
    """Makes and removes the load balancers of one cluster's Services."""

    def __init__(self, elastic: Elastic, seed: EksClusterSeed, lock: threading.RLock) -> None:
        self._elastic = elastic
        self._seed = seed
        self._lock = lock
        self._made: dict[str, LoadBalancer] = {}

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The `status.loadBalancer.ingress` of the Service; None if nobody serves it.

        Repeated calls for one Service give the same address. Raises NoSubnets.
        """
        with self._lock:
            wish = _Wish.of(service)
            if self._seed.load_balancer_never_answers or not self._served(wish):
                return None
            key = wish.uid or f"{wish.namespace}/{wish.name}"
            balancer = self._made.get(key)
            if balancer is not None and self._of_other_scheme(balancer, wish):
                self._elastic.delete(balancer)
            if balancer is None or balancer.gone_at is not None:
                subnets = self._subnets(wish)
                if not subnets:
                    raise self._no_subnets(wish)
                balancer = self._made[key] = self._make(wish, subnets)
            balancer.tags.update(wish.tags)
            return [{"hostname": balancer.dns_name}]

    async def remove(self, service: dict[str, Any]) -> None:
        """Begin to remove the Service's load balancer; missing is no error."""
        with self._lock:
            wish = _Wish.of(service)
            balancer = self._made.pop(wish.uid or f"{wish.namespace}/{wish.name}", None)
            if balancer is not None:
                self._elastic.delete(balancer)

    @property
    def _controller(self) -> LoadBalancerController:
        return self._seed.load_balancer_controller

    def _served(self, wish: _Wish) -> bool:
        if self._controller is LoadBalancerController.AUTO_MODE:
            return wish.load_balancer_class == AUTO_MODE_CLASS
        if self._controller is LoadBalancerController.AWS_LOAD_BALANCER_CONTROLLER:
            # Its webhook gives its own class to every new Service without one.
            return wish.load_balancer_class in ("", CONTROLLER_CLASS)
        return not wish.load_balancer_class and wish.annotation("type") not in (
            "external",
            "nlb-ip",
        )

    def _of_other_scheme(self, balancer: LoadBalancer, wish: _Wish) -> bool:
        if self._controller is LoadBalancerController.IN_TREE:
            return False
        return (balancer.scheme == "internal") is not self._internal(wish)

    def _internal(self, wish: _Wish) -> bool:
        scheme = wish.annotation("scheme")
        if self._controller is LoadBalancerController.IN_TREE:
            # It knows the old annotation only, and is public without it.
            return wish.annotation("internal") == "true"
        if scheme:
            return scheme == "internal"
        return wish.annotation("internal") != "false"

    def _subnets(self, wish: _Wish) -> list[SubnetSeed]:
        subnets = self._seed.subnets()
        if named := wish.annotation("subnets"):
            wanted = {name.strip() for name in named.split(",")}
            chosen = [subnet for subnet in subnets if subnet.id in wanted]
            return chosen if len(chosen) == len(wanted) else []
        if not self._seed.subnets_tagged:
            return []
        return [subnet for subnet in subnets if subnet.public is not self._internal(wish)]

    def _no_subnets(self, wish: _Wish) -> NoSubnets:
        """In each controller's words."""
        if self._controller is LoadBalancerController.IN_TREE:
            return NoSubnets(
                "Error syncing load balancer: failed to ensure load balancer: could not find any "
                "suitable subnets for creating the ELB",
                "SyncLoadBalancerFailed",
            )
        role = "internal-elb" if self._internal(wish) else "elb"
        tags = f"(0 match VPC and tags: [kubernetes.io/role/{role}])"
        named = wish.annotation("subnets")
        why = f"couldn't find all subnets, want: [{named}]" if named else tags
        message = f"Failed build model due to unable to resolve at least one subnet {why}"
        return NoSubnets(message, "FailedBuildModel")

    def _make(self, wish: _Wish, subnets: list[SubnetSeed]) -> LoadBalancer:
        in_tree = self._controller is LoadBalancerController.IN_TREE
        classic = in_tree and wish.annotation("type") != "nlb"
        internal = self._internal(wish)
        scheme = "" if in_tree else f"/{internal}"
        digest = sha256(f"{wish.uid}/{wish.namespace}/{wish.name}{scheme}".encode()).hexdigest()
        name = f"a{digest[:31]}" if in_tree else _name(wish, digest)
        return self._elastic.create(
            self._seed,
            name,
            self._dns_name(name, digest, internal=internal, classic=classic),
            scheme="internal" if internal else "internet-facing",
            subnets=subnets,
            own_security_group=classic or (not in_tree and not wish.annotation("security-groups")),
            classic=classic,
            tags=self._tags(wish),
        )

    def _dns_name(self, name: str, digest: str, *, internal: bool, classic: bool) -> str:
        region = self._seed.region
        suffix = dns_suffix(region)
        if classic:
            label = f"{name}-{int(digest[32:40], 16)}"
            return f"{'internal-' if internal else ''}{label}.{region}.elb.{suffix}"
        return f"{name}-{digest[40:56]}.elb.{region}.{suffix}"

    def _tags(self, wish: _Wish) -> dict[str, str]:
        """The marks by which each controller knows its own."""
        owner = f"{wish.namespace}/{wish.name}"
        cluster = self._seed.name
        if self._controller is LoadBalancerController.IN_TREE:
            return {
                f"kubernetes.io/cluster/{cluster}": "owned",
                "kubernetes.io/service-name": owner,
            }
        if self._controller is LoadBalancerController.AUTO_MODE:
            cluster_key, prefix = "eks:eks-cluster-name", "service.eks.amazonaws.com"
        else:
            cluster_key, prefix = "elbv2.k8s.aws/cluster", "service.k8s.aws"
        return {
            cluster_key: cluster,
            f"{prefix}/stack": owner,
            f"{prefix}/resource": "LoadBalancer",
        }


def _name(wish: _Wish, digest: str) -> str:
    """`k8s-<namespace>-<name>-<hash>`, each part cut to eight characters."""

    def part(text: str) -> str:
        return text.replace("-", "").replace(".", "")[:8]

    return f"k8s-{part(wish.namespace)}-{part(wish.name)}-{digest[:10]}"
