"""Blocking calls: independent ones at the same time, and one that several ask for, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MOST_AT_ONCE = 8


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """The answers of independent calls, in order; the first failure in order is raised."""
    if len(calls) < 2:
        return [copy_context().run(call) for call in calls]
    with ThreadPoolExecutor(max_workers=min(len(calls), MOST_AT_ONCE)) as pool:
        futures = [pool.submit(copy_context().run, call) for call in calls]
        return [future.result() for future in futures]


class Once(Generic[T]):
    """A call that is made when it is first asked for, and never again: its failure stays too."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._answer: Future[T] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._answer is None:
                with ThreadPoolExecutor(max_workers=1) as pool:
                    self._answer = pool.submit(copy_context().run, self._call)
        return self._answer.result()
