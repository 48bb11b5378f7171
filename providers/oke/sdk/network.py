"""The network: which load balancers are still there."""

from __future__ import annotations

from collections.abc import Iterator

from oci.limits import LimitsClient
from oci.network_load_balancer import NetworkLoadBalancerClient

from anyscale_k8s_cli.providers.oke.sdk.session import Session

# A service, and the name of a limit in it.
_BALANCER_LIMIT = ("network-load-balancer-api", "max-nlb-flexible-count")


class Network:
    """The network load balancers of a region."""

    def __init__(self, session: Session, region: str) -> None:
        self._session = session
        self._region = region

    def balancers(self, compartment: str) -> Iterator[tuple[str, frozenset[str]]]:
        """Ids, each with its addresses."""
        client = self._session.client(NetworkLoadBalancerClient, self._region)
        for item in self._session.items(
            "networkloadbalancer.ListNetworkLoadBalancers",
            lambda **page: client.list_network_load_balancers(compartment, **page),
        ):
            if item.lifecycle_state != "DELETED":
                yield item.id, frozenset(one.ip_address for one in item.ip_addresses or ())

    def balancer_room(self, compartment: str) -> tuple[int, int] | None:
        """How many there are and may be; None where Oracle does not tell.

        https://docs.oracle.com/iaas/api/#/en/limits/20181025/ResourceAvailability
        """
        client = self._session.client(LimitsClient, self._region)
        found = self._session.find(
            "limits.GetResourceAvailability",
            lambda: client.get_resource_availability(*_BALANCER_LIMIT, compartment),
        )
        if found is None or found.data.available is None or found.data.used is None:
            return None
        used = int(found.data.used)
        return used, used + int(found.data.available)
