"""Independent blocking calls, made at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

MOST_AT_ONCE = 8


def side_by_side(*calls: Callable[[], Any]) -> list[Any]:
    """The answers of independent calls, in order; the first failure in order is raised."""
    if not calls:
        return []
    with ThreadPoolExecutor(max_workers=min(len(calls), MOST_AT_ONCE)) as pool:
        futures = [pool.submit(copy_context().run, call) for call in calls]
        return [future.result() for future in futures]
