"""Where containers listen, for `pods/proxy`. Only reading is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

# Gives status and JSON body for a path.
Answer = Callable[[str], Awaitable[tuple[int, Any]]]


class Ports:
    """What answers at a pod's ports, by the pod's uid."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], Answer] = {}

    def open(self, pod_uid: str, port: int, answer: Answer) -> None:
        self._answers[pod_uid, port] = answer

    def get(self, pod_uid: str, port: int) -> Answer | None:
        return self._answers.get((pod_uid, port))

    def close(self, pod_uid: str) -> None:
        for key in [key for key in self._answers if key[0] == pod_uid]:
            del self._answers[key]
