"""Walking a graph: each node as soon as its needs are done, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Set
from graphlib import TopologicalSorter
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


async def walk(
    needs: Mapping[Node, Set[Node]],
    visit: Callable[[Node], Awaitable[bool]],
    *,
    limit: int = 16,
) -> set[Node]:
    """Visit every node once its needs are done; at most `limit` at a time.

    `visit` answers whether the node succeeded. What depends on a failed node,
    directly or not, is not visited; it is returned. An exception out of
    `visit` cancels the visits in flight and comes out here.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    spoilt: set[Node] = set()
    places = asyncio.Semaphore(limit)
    finished: asyncio.Queue[tuple[Node, bool]] = asyncio.Queue()

    async def run_one(node: Node) -> None:
        async with places:
            finished.put_nowait((node, await visit(node)))

    skipped: set[Node] = set()
    async with asyncio.TaskGroup() as group:
        while sorter.is_active():
            ready = sorter.get_ready()
            for node in ready:
                if spoilt & set(needs.get(node, frozenset())):
                    skipped.add(node)
                    finished.put_nowait((node, False))
                else:
                    group.create_task(run_one(node))
            # A task that fails cancels this wait: it runs inside the group.
            node, succeeded = await finished.get()
            if not succeeded:
                spoilt.add(node)
            sorter.done(node)
    return skipped
