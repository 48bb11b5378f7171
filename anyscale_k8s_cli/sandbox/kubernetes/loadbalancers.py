"""Who gives Services of type LoadBalancer their address."""

from __future__ import annotations

import itertools
from typing import Any, Protocol


class LoadBalancerError(Exception):
    """The provider tried and failed; a warning event says so, and it is tried again.

    `reason` is the event's: each controller has its own.
    """

    def __init__(self, message: str, reason: str = "SyncLoadBalancerFailed") -> None:
        super().__init__(message)
        self.reason = reason


class LoadBalancerProvider(Protocol):
    """The platform's side of Services of type LoadBalancer."""

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Make or change the load balancer of a service; safe to repeat.

        Returns its `status.loadBalancer.ingress` entries, or None if nobody serves this
        service: it then stays pending, without any event. Raises LoadBalancerError.
        """
        ...

    async def remove(self, service: dict[str, Any]) -> None:
        """Remove it and return when it is gone; no error if there is none."""
        ...


class AddressPool:
    """A provider for clusters with a pool of addresses of their own: one IP for each service."""

    def __init__(self, prefix: str = "192.0.2.") -> None:
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._given: dict[str, str] = {}

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        uid = service["metadata"]["uid"]
        if uid not in self._given:
            self._given[uid] = f"{self._prefix}{next(self._numbers)}"
        return [{"ip": self._given[uid], "ipMode": "VIP"}]

    async def remove(self, service: dict[str, Any]) -> None:
        self._given.pop(service["metadata"]["uid"], None)
