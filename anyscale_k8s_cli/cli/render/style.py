"""Symbols and colours, once. The colours read on light and on dark screens."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import NamedTuple

_DAY = 86400


class Mark(NamedTuple):
    symbol: str
    style: str


class Verb(NamedTuple):
    """What is said of an object while it is changed, and afterwards."""

    doing: str
    done: str


CHANGES = {
    "create": Mark("+", "green"),
    "update": Mark("~", "cyan"),
    "delete": Mark("-", "red"),
    "adopt": Mark(">", "magenta"),
    "keep": Mark("=", "dim"),
    "none": Mark("·", "dim"),
    "refuse": Mark("!", "bold red"),
}
VERBS = {
    "create": Verb("creating", "created"),
    "update": Verb("updating", "updated"),
    "delete": Verb("removing", "removed"),
}
RESULTS = {
    "done": Mark("✓", "green"),
    "failed": Mark("✗", "red"),
    "skipped": Mark("○", "dim"),
}
STATUSES = {
    "pass": Mark("✓", "green"),
    "warn": Mark("!", "magenta"),
    "fail": Mark("✗", "red"),
    "unknown": Mark("?", "magenta"),
    "waived": Mark("○", "dim"),
}
FEATURES = {
    "works": Mark("✓", "green"),
    "no": Mark("✗", "magenta"),
    "unknown": Mark("?", "magenta"),
}
HEALTH = {
    "HEALTHY": Mark("✓", "green"),
    "UNHEALTHY": Mark("✗", "red"),
    "DISCONNECTED": Mark("✗", "red"),
    "UNKNOWN": Mark("?", "magenta"),
}
UNKNOWN = Mark("?", "")


def duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3m 05s`, `2h 05m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 59.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def moment(stamp: str | None, now: datetime) -> str:
    """`8.0s ago (2026-01-02 03:05:05 UTC)`, from a time as documents have it."""
    if not stamp:
        return ""
    at = datetime.fromisoformat(stamp).astimezone(UTC)
    told = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    ago = (now - at).total_seconds()
    # The other side's clock need not agree with ours.
    return f"{duration(ago)} ago ({told})" if 0 <= ago < _DAY else told


def counted(number: int, one: str, many: str = "") -> str:
    """`1 object`, `3 objects`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


_LONGEST = 160


def in_short(text: str) -> str:
    """What a wait has seen last, in a line: an API's whole answer comes with the error, if any."""
    return textwrap.shorten(text, _LONGEST, placeholder=" …")
