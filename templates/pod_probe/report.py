"""The form of the answer: one JSON object a line, and a last one that says that it is whole."""

from __future__ import annotations

import json
import threading
from typing import Any

_turn = threading.Lock()


def tell(part: str, step: str, **found: Any) -> None:
    """One answer. `part` is `work`, `gpu`, `store` or `reach`; `step` what was tried."""
    line = json.dumps({"part": part, "step": step, **found}, sort_keys=True)
    with _turn:
        print(line, flush=True)  # noqa: T201 - the log is where it is read


def end() -> None:
    """All was asked."""
    tell("end", "end", ok=True)
