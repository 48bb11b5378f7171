"""Runs controllers after changes, never inside the request that made them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write

MANAGER = "kube-controller-manager"
BY_CONTROLLER = Write(manager=MANAGER)

_LONGEST_RETRY = 5.0
_log = logging.getLogger(__name__)


class Controller(Protocol):
    """One control loop."""

    def wants(self, event: Event) -> bool:
        """Whether a change calls for another look."""
        ...

    def objects(self) -> Iterable[Object]:
        """What to look at."""
        ...

    def reconcile(self, obj: Object) -> float | None:
        """Move one object on. Returns the seconds after which to look again, if ever.

        An ApiError is retried later; it does not keep the controller from other objects.
        """
        ...


class Manager:
    """Calls the controllers that a change concerns, `delay` seconds after it."""

    def __init__(self, store: Store, controllers: Sequence[Controller], delay: float) -> None:
        self._store = store
        self._controllers = controllers
        self._delay = delay
        self._due: dict[int, asyncio.TimerHandle] = {}
        self._failures: dict[int, int] = {}
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        self._unsubscribe = self._store.subscribe(self._notice)
        for index in range(len(self._controllers)):
            self._schedule(index, 0)

    def stop(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()
        for timer in self._due.values():
            timer.cancel()
        self._due.clear()

    def _notice(self, event: Event) -> None:
        for index, controller in enumerate(self._controllers):
            if controller.wants(event):
                self._schedule(index, self._delay)

    def _schedule(self, index: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        timer = self._due.get(index)
        if timer is not None and timer.when() <= loop.time() + seconds:
            return
        if timer is not None:
            timer.cancel()
        self._due[index] = loop.call_later(seconds, self._run, index)

    def _run(self, index: int) -> None:
        self._due.pop(index, None)
        controller = self._controllers[index]
        failed = False
        for obj in controller.objects():
            try:
                again = controller.reconcile(obj)
            except ApiError as error:
                _log.debug("%s: %s", type(controller).__name__, error)
                failed = True
                continue
            if again is not None:
                self._schedule(index, again)
        self._failures[index] = self._failures.get(index, 0) + 1 if failed else 0
        if failed:
            backoff = self._delay * 2 ** min(self._failures[index], 10)
            self._schedule(index, min(backoff, _LONGEST_RETRY))
