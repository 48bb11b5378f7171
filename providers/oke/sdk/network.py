"""The network: which load balancers are still there."""

from __future__ import annotations

from collections.abc import Iterator

from oci.network_load_balancer import NetworkLoadBalancerClient

from anyscale_k8s_cli.providers.oke.sdk.session import Session


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
