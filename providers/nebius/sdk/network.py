"""The network: which addresses are still there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nebius.api.nebius.vpc.v1 import AllocationServiceClient, ListAllocationsRequest

from anyscale_k8s_cli.providers.nebius.sdk.session import LIMITS, PAGE, Session


@dataclass(frozen=True)
class Address:
    """An address of the project, and the load balancer that has it (empty if none)."""

    id: str
    address: str
    load_balancer: str


class Network:
    def __init__(self, session: Session) -> None:
        self._session = session

    def addresses(self) -> Iterator[Address]:
        service = AllocationServiceClient(self._session.sdk)
        for page in self._session.pages(
            "vpc.allocation.list",
            lambda token: service.list(
                ListAllocationsRequest(
                    parent_id=self._session.project, page_size=PAGE, page_token=token
                ),
                **LIMITS,
            ),
        ):
            for item in page.items:
                details = item.status.details if item.status else None
                assigned = item.status.assignment if item.status else None
                balancer = assigned.load_balancer if assigned else None
                yield Address(
                    item.metadata.id,
                    (details.allocated_cidr if details else "").partition("/")[0],
                    balancer.id if balancer else "",
                )
