"""Network load balancers: what the cluster's controller makes of Services, and their API.

https://docs.oracle.com/iaas/Content/ContEng/Tasks/contengcreatingnetworkloadbalancers.htm
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.oci.api import Answer, Call, Route
from anyscale_k8s_cli.sandbox.oci.policies import Need
from anyscale_k8s_cli.sandbox.oci.refusals import Refused
from anyscale_k8s_cli.sandbox.oci.seed import ClusterSeed, ocid
from anyscale_k8s_cli.sandbox.oci.tenancy import Tenancy

TYPE = "oci.oraclecloud.com/load-balancer-type"
INTERNAL = "oci-network-load-balancer.oraclecloud.com/internal"
SUBNET = "oci-network-load-balancer.oraclecloud.com/subnet"

LIMIT = ("network-load-balancer-api", "max-nlb-flexible-count")


@dataclass
class Balancer:
    """`gone_at` is when a deleted one is no longer seen."""

    id: str
    compartment: str
    address: str
    private: bool
    subnet: str
    service: str
    gone_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "compartmentId": self.compartment,
            "displayName": self.service,
            "lifecycleState": "DELETING" if self.gone_at else "ACTIVE",
            "ipAddresses": [{"ipAddress": self.address, "isPublic": not self.private}],
            "isPrivate": self.private,
            "subnetId": self.subnet,
        }


@dataclass
class Balancers:
    """All of them, and the subnets that they can be in, which `clusters` have.

    `removal_seconds`: how long it takes until one is gone.
    """

    tenancy: Tenancy
    monotonic: Callable[[], float]
    removal_seconds: float = 0.3
    answers: bool = True
    most: int = 50
    clusters: tuple[ClusterSeed, ...] = ()
    _items: dict[str, Balancer] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def routes(self) -> list[Route]:
        path = "/20200501/networkLoadBalancers"
        limit = "/20190729/services/{service}/limits/{limit}/resourceAvailability"
        return [
            Route("ListNetworkLoadBalancers", "GET", path, self._list),
            Route("GetResourceAvailability", "GET", limit, self._available),
            Route("GetSubnet", "GET", "/20160918/subnets/{id}", self._subnet),
        ]

    def live(self) -> list[Balancer]:
        now = self.monotonic()
        gone = [uid for uid, item in self._items.items() if item.gone_at and item.gone_at <= now]
        for uid in gone:
            del self._items[uid]
        return list(self._items.values())

    def ensure(self, service: Mapping[str, Any], seed: ClusterSeed) -> Balancer | None:
        """That of a Service; None for one that is not to have any of this kind."""
        metadata = service["metadata"]
        said = metadata.get("annotations") or {}
        if said.get(TYPE) != "nlb" or not self.answers:
            return None
        private, subnet = said.get(INTERNAL) == "true", said.get(SUBNET, "")
        found = self._items.get(metadata["uid"])
        if found is None or found.gone_at is not None or found.private != private:
            number = next(self._numbers)
            found = Balancer(
                ocid("networkloadbalancer", metadata["uid"], "iad"),
                seed.compartment,
                f"10.0.20.{number}" if private else f"203.0.113.{number}",
                private,
                subnet,
                f"{metadata['namespace']}/{metadata['name']}/{metadata['uid']}",
            )
            self._items[metadata["uid"]] = found
        return found

    def remove(self, uid: str) -> None:
        found = self._items.get(uid)
        if found is not None and found.gone_at is None:
            found.gone_at = self.monotonic() + self.removal_seconds

    def remove_all(self) -> list[str]:
        """At once; and no Service gets one from now on."""
        gone = [item.id for item in self.live()]
        self._items.clear()
        self.answers = False
        return gone

    def _subnet(self, call: Call) -> Answer:
        for seed in self.clusters:
            for name in ("public", "private"):
                if call.path["id"] == seed.subnet(name):
                    self.tenancy.check(call.caller, Need("read", "subnets", seed.compartment))
                    return Answer(
                        {
                            "id": call.path["id"],
                            "displayName": name,
                            "compartmentId": seed.compartment,
                            "vcnId": seed.network,
                            "lifecycleState": "AVAILABLE",
                            "prohibitPublicIpOnVnic": name == "private",
                        }
                    )
        raise Refused(404, "NotAuthorizedOrNotFound", "subnet not found")

    def _available(self, call: Call) -> Answer:
        place = call.asked("compartmentId")
        self.tenancy.check(call.caller, Need("read", "resource-availability", place))
        if (call.path["service"], call.path["limit"]) != LIMIT:
            raise Refused(404, "NotAuthorizedOrNotFound", "No such limit")
        used = len(self.live())
        return Answer({"used": used, "available": max(0, self.most - used)})

    def _list(self, call: Call) -> Answer:
        place = call.asked("compartmentId")
        self.tenancy.check(call.caller, Need("inspect", "network-load-balancers", place))
        found = [item.as_json() for item in self.live() if item.compartment == place]
        return Answer({"items": found})


@dataclass(frozen=True)
class OciLoadBalancers:
    """What serves Services of type LoadBalancer in one cluster."""

    balancers: Balancers
    seed: ClusterSeed

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        if service["spec"].get("loadBalancerClass"):
            return None
        found = self.balancers.ensure(service, self.seed)
        return [{"ip": found.address, "ipMode": "VIP"}] if found is not None else None

    async def remove(self, service: dict[str, Any]) -> None:
        self.balancers.remove(service["metadata"]["uid"])
