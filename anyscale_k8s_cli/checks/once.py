"""One question behind several checks: asked at the first of them, and told to all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from anyscale_k8s_cli.errors import CliError


class Once:
    """Asks at the first question, and tells everybody the same."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answered = False
        self._problem: CliError | None = None

    def problem(self) -> CliError | None:
        """What was raised, None if nothing was. Raises what tells of an interruption."""
        with self._lock:
            if not self._answered:
                try:
                    self._ask()
                except CliError as problem:
                    if problem.exit_code >= 100:  # interrupted: nobody knows
                        raise
                    self._problem = problem
                self._answered = True
            return self._problem
