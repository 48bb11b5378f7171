"""The load balancer behind a Service of ours: whether it is the one that is wanted, and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.addresses import service_addresses
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.run import StillWaiting

LoadBalancerLeft = Callable[[Sequence[str]], Sequence[str]]


def service_settings(
    context: InstallContext, load_balancer: LoadBalancer | None, marks: Mapping[str, str]
) -> Document:
    """What the Service asks for: what the platform needs, under what the user said."""
    wanted = load_balancer or LoadBalancer(served_by="")
    settings: Document = {
        "type": "LoadBalancer",
        "annotations": {
            **wanted.annotations,
            **context.spec.network.annotations,
            **marks,
        },
    }
    if wanted.load_balancer_class:
        settings["loadBalancerClass"] = wanted.load_balancer_class
    if wanted.source_ranges:
        settings["loadBalancerSourceRanges"] = list(wanted.source_ranges)
    return settings


class OwnLoadBalancer:
    """`server` says how it is asked for; None where nobody asks any more, in a teardown."""

    def __init__(
        self, context: ClusterContext, server: LoadBalancer | None, left: LoadBalancerLeft
    ) -> None:
        self.server = server
        self._context = context
        self._left = left
        # Addresses that were seen while their Service asked for another load balancer.
        self._outdated: set[str] = set()

    def look(self, services: Documents) -> None:
        """Remember whose addresses are going to be others."""
        asking = [one for one in services if self._asks_otherwise(one)]
        self._outdated.update(item for one in asking for item in service_addresses(one))

    def check(self, address: str, services: Documents) -> None:
        """Raise `StillWaiting` unless the address is that of the load balancer that is wanted.

        No platform turns a public one into an internal: the address of the one stands there
        until the other has its own.
        """
        if address in self._outdated:
            raise StillWaiting(f"{address} is that of a load balancer of another kind")
        if address not in {item for one in services for item in service_addresses(one)}:
            raise StillWaiting(f"no load balancer of its own has {address}")
        unlike = self.server.unlike if self.server else None
        if unlike is not None and (difference := unlike(address)):
            raise StillWaiting(f"its load balancer {difference}")

    def wait_gone(self, addresses: Sequence[str]) -> None:
        """Return once the platform lists none that had one of the addresses."""

        def gone() -> None:
            left = self._left(addresses)
            if left:
                raise StillWaiting(f"still listed: {', '.join(left)}")

        self._context.run.wait_for(
            gone,
            what="the platform to remove the load balancer",
            timeout=self._context.spec.timeouts.deletion,
            every=5.0,
            expired=lambda seen: errors.CliError(
                errors.LEFTOVERS,
                "The platform has not removed the load balancer",
                cause=seen,
                fix="remove it with the platform's own tools and run the same command again",
            ),
        )

    def _asks_otherwise(self, service: Document) -> bool:
        """Whether it asks for another load balancer than the one that is wanted."""
        if self.server is None:
            return False
        there, wanted = service["metadata"].get("annotations") or {}, self.server.annotations
        return any(there.get(key) != wanted.get(key) for key in self.server.decisive)
