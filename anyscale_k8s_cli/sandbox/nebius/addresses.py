"""Load balancers: what Nebius' controller makes of Services, and the addresses that the VPC shows.

A load balancer has no API of its own; its address is an allocation in the project, which
says what it is assigned to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.nebius import api
from anyscale_k8s_cli.sandbox.nebius.api import Call, Method, Methods
from anyscale_k8s_cli.sandbox.nebius.collection import page
from anyscale_k8s_cli.sandbox.nebius.seed import PROJECT_ID, id_of

TYPE = "nebius.com/load-balancer-type"
_INTERNAL = "internal"


@dataclass
class Allocation:
    """An address that leads to a Service. `gone_at` is when a deleted one is no longer seen."""

    id: str
    address: str
    internal: bool
    service: str
    cluster: str
    gone_at: float | None = None


@dataclass
class Addresses:
    """All addresses of load balancers. `removal_seconds`: how long it takes to give one back."""

    monotonic: Callable[[], float]
    removal_seconds: float = 0.3
    most_public: int = 3
    _items: dict[str, Allocation] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def methods(self) -> Methods:
        return {
            "nebius.vpc.v1.AllocationService/List": Method(
                self._list, "vpc.allocation.list", api.parent
            )
        }

    def live(self) -> list[Allocation]:
        now = self.monotonic()
        gone = [uid for uid, item in self._items.items() if item.gone_at and item.gone_at <= now]
        for uid in gone:
            del self._items[uid]
        return list(self._items.values())

    def ensure(self, service: Mapping[str, Any], cluster: str) -> Allocation | None:
        """The address of a Service; None where the project may have no more public ones."""
        metadata = service["metadata"]
        internal = (metadata.get("annotations") or {}).get(TYPE) == _INTERNAL
        found = self._items.get(metadata["uid"])
        if found is None or found.gone_at is not None or found.internal != internal:
            public = sum(not item.internal for item in self.live())
            if not internal and public >= self.most_public:
                return None
            number = next(self._numbers)
            found = Allocation(
                id_of("vpcallocation", metadata["uid"]),
                f"10.0.2.{number}" if internal else f"203.0.113.{number}",
                internal,
                f"{metadata['namespace']}/{metadata['name']}",
                cluster,
            )
            self._items[metadata["uid"]] = found
        return found

    def remove(self, uid: str) -> None:
        found = self._items.get(uid)
        if found is not None and found.gone_at is None:
            found.gone_at = self.monotonic() + self.removal_seconds

    def remove_all(self) -> list[str]:
        """At once; and the project may have no public ones any more."""
        gone = [item.id for item in self.live()]
        self._items.clear()
        self.most_public = 0
        return gone

    def _list(self, call: Call) -> Any:
        from nebius.api.nebius.vpc.v1 import ListAllocationsResponse

        here = self.live() if call.request.parent_id == PROJECT_ID else []
        shown, token = page([_shown(item) for item in here], call.request)
        return ListAllocationsResponse(items=shown, next_page_token=token)


@dataclass(frozen=True)
class NebiusLoadBalancers:
    """What serves Services of type LoadBalancer in one cluster."""

    addresses: Addresses
    cluster: str

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        if service["spec"].get("loadBalancerClass"):
            return None
        found = self.addresses.ensure(service, self.cluster)
        return [{"ip": found.address, "ipMode": "VIP"}] if found is not None else None

    async def remove(self, service: dict[str, Any]) -> None:
        self.addresses.remove(service["metadata"]["uid"])


def _shown(item: Allocation) -> Any:
    from nebius.api.nebius.common.v1 import ResourceMetadata
    from nebius.api.nebius.vpc.v1 import (
        Allocation as Message,
    )
    from nebius.api.nebius.vpc.v1 import (
        AllocationDetails,
        AllocationSpec,
        AllocationStatus,
        Assignment,
        IPv4PrivateAllocationSpec,
        IPv4PublicAllocationSpec,
        LoadBalancerAssignment,
    )

    spec = AllocationSpec()
    if item.internal:
        spec.ipv4_private = IPv4PrivateAllocationSpec()
    else:
        spec.ipv4_public = IPv4PublicAllocationSpec()
    return Message(
        metadata=ResourceMetadata(id=item.id, parent_id=PROJECT_ID, name=item.id),
        spec=spec,
        status=AllocationStatus(
            state=AllocationStatus.State.DELETING
            if item.gone_at
            else AllocationStatus.State.ASSIGNED,
            details=AllocationDetails(allocated_cidr=f"{item.address}/32"),
            assignment=Assignment(
                load_balancer=LoadBalancerAssignment(id=id_of("loadbalancer", item.id))
            ),
        ),
    )
