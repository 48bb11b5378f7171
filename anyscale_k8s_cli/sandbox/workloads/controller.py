"""A controller in a pod: informers, and rounds that follow whatever they see."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, Informer, PodApi

# Seconds after which a reconciliation that failed is tried again without an event.
_RETRY = 0.5


class Controller(ABC):
    """Level-triggered: each round compares everything that is with what should be."""

    def __init__(self, pod: Pod, api: PodApi) -> None:
        self._pod = pod
        self._api = api
        self._dirty = asyncio.Event()
        self._informers: list[Informer] = []

    @abstractmethod
    async def round(self) -> None:
        """Make things as they should be. What the API refuses is logged and tried again."""

    async def run(self) -> None:
        """Ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run())
            for informer in self._informers:
                await informer.synced.wait()
                if informer.failure:
                    self._pod.log(f"cannot watch {informer.path}: {informer.failure}")
            await self._pod.set_ready(True)
            while True:
                await self._dirty.wait()
                self._dirty.clear()
                try:
                    await self.round()
                except (ApiFailure, aiohttp.ClientError) as failure:
                    # A conflict is settled by the event that made it; for the rest there
                    # is the clock.
                    self._pod.log(f"reconcile failed: {failure}")
                    asyncio.get_running_loop().call_later(_RETRY, self._dirty.set)

    def _informer(self, path: str) -> Informer:
        informer = Informer(self._api, path, self._dirty.set)
        self._informers.append(informer)
        return informer
