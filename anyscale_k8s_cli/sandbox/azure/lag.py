"""What is new and not yet known everywhere: Azure's eventual consistency, by attempts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass
class Lag:
    """Counts attempts on something new until it is there for everybody.

    By attempts and not by time, so that a test decides when it is over.
    """

    attempts: int
    _left: dict[Hashable, int] = field(default_factory=dict)

    def begin(self, key: Hashable) -> None:
        """It is new: the next attempts come too early."""
        self._left[key] = self.attempts

    def passed(self, key: Hashable) -> bool:
        """One attempt: whether it is known by now. What never began is known."""
        left = self._left.get(key, 0)
        if left:
            self._left[key] = left - 1
        return not left
