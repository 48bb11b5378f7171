"""What containers have written, kept for `pods/log`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_KEPT_LINES = 2000


@dataclass
class ContainerLog:
    """One run of a container; `closed` once it has ended."""

    lines: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    closed: bool = False
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def append(self, line: str) -> None:
        self.lines.append((datetime.now(UTC), line))
        self._tell()

    def close(self) -> None:
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()

    async def wait(self, seen: int) -> None:
        """Return once there are more than `seen` lines or the container has ended."""
        changed = asyncio.Event()
        self._listeners.append(changed.set)
        try:
            while len(self.lines) <= seen and not self.closed:
                changed.clear()
                await changed.wait()
        finally:
            self._listeners.remove(changed.set)


class Logs:
    """Logs by pod uid and container: the running one last, the one before it kept."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], deque[ContainerLog]] = {}

    def start(self, pod_uid: str, container: str) -> ContainerLog:
        log = ContainerLog()
        self._runs.setdefault((pod_uid, container), deque(maxlen=2)).append(log)
        return log

    def get(self, pod_uid: str, container: str, *, previous: bool = False) -> ContainerLog | None:
        runs = self._runs.get((pod_uid, container), ())
        at = 2 if previous else 1
        return runs[-at] if len(runs) >= at else None

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._runs if key[0] == pod_uid]:
            del self._runs[key]
