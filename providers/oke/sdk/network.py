"""The network: which load balancers are still there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oci.core import VirtualNetworkClient
from oci.limits import LimitsClient
from oci.network_load_balancer import NetworkLoadBalancerClient

from anyscale_k8s_cli.providers.oke.sdk.session import Session

# A service, and the name of a limit in it.
_BALANCER_LIMIT = ("network-load-balancer-api", "max-nlb-flexible-count")


@dataclass(frozen=True)
class Subnet:
    """`network` is the VCN's id, `public` whether what is in it may have public addresses."""

    name: str
    network: str
    compartment: str
    state: str
    public: bool


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

    def subnet(self, subnet_id: str) -> Subnet | None:
        """None where there is none, or none that we may see: Oracle answers the same."""
        client = self._session.client(VirtualNetworkClient, self._region)
        found = self._session.find("core.GetSubnet", lambda: client.get_subnet(subnet_id))
        if found is None:
            return None
        item = found.data
        return Subnet(
            str(item.display_name),
            item.vcn_id,
            item.compartment_id,
            item.lifecycle_state,
            public=not item.prohibit_public_ip_on_vnic,
        )

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
