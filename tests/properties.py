"""What must hold for every value of a kind, tried by hypothesis.

Imported inside the tests that use it: every worker collects every test, and what hypothesis
does for that (itself, and all constants of our modules) takes as long as many tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy, from_regex, text

__all__ = ["from_regex", "holds_for", "text"]


def holds_for(check: Callable[..., None], **values: SearchStrategy[Any]) -> None:
    """Raise what `check` raises, with the simplest of the values for which it does."""
    # How long an example takes says something of the machine, and nothing of the code.
    untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    untimed(given(**values)(check))()
