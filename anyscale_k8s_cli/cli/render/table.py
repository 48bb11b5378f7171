"""Rows of objects and pairs of facts, on narrow and on wide screens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from anyscale_k8s_cli.cli.program import as_typed
from anyscale_k8s_cli.cli.render.style import STATUSES, UNKNOWN, Mark

# From here on an object fits on one line with its key and the reason.
WIDE = 120
_LEAST_ROOM = 20


def heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def facts(console: Console, pairs: Iterable[tuple[str, Text | str | None]]) -> None:
    """Labels and values in two columns; pairs without a value are left out."""
    shown = [
        (label, Text(value) if isinstance(value, str) else value) for label, value in pairs if value
    ]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        wrapped(console, value, first=Text(f"  {label:<{width}}  ", "dim"), indent=width + 4)


def wrapped(console: Console, content: Text, *, first: Text, indent: int) -> None:
    """Text after `first`, its further lines below its beginning, with nothing at the ends."""
    room = max(_LEAST_ROOM, console.width - indent)
    start = first
    for line in content.wrap(console, room):
        line.rstrip()
        console.print(Text.assemble(start, line), soft_wrap=True)
        start = Text(" " * indent)


def objects(
    console: Console, rows: Sequence[tuple[Mark, str, str, str, str]], *, word_width: int
) -> None:
    """Rows of mark, word, title, key or id, and reason.

    On a narrow screen the key goes below, and the reason too if it is long.
    """
    if console.width >= WIDE:
        _wide(console, rows)
        return
    for mark, word, title, key, reason in rows:
        line = Text.assemble("  ", (f"{mark.symbol} {word:<{word_width}} ", mark.style), title)
        indent = word_width + 5
        fits = len(line) + len(reason) + 2 <= console.width
        if reason and fits:
            line.append(f"  {reason}", "dim")
        console.print(line)
        if key and key != title:
            # Not wrapped: it is there to be copied.
            console.print(Text(" " * indent + key, style="dim"), soft_wrap=True)
        if reason and not fits:
            wrapped(console, Text(reason, style="dim"), first=Text(" " * indent), indent=indent)


def _wide(console: Console, rows: Sequence[tuple[Mark, str, str, str, str]]) -> None:
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    # rich takes the room of an empty column from the others.
    shown = [place for place in (3, 4) if any(row[place] for row in rows)]
    for _ in shown:
        table.add_column(style="dim", overflow="fold")
    for row in rows:
        mark, word, title = row[:3]
        first = Text(f"{mark.symbol} {word}", style=mark.style)
        table.add_row(first, title, *(str(row[place]) for place in shown))
    console.print(Padding(table, (0, 0, 0, 2), expand=False))


def findings(console: Console, checks: Iterable[Mapping[str, Any]]) -> None:
    """Checks with what they saw, and below each what mends it, to copy."""
    for item in checks:
        mark = STATUSES.get(str(item.get("status")), UNKNOWN)
        detail = f": {item['detail']}" if item.get("detail") else ""
        said = Text.assemble(item["title"], (detail, "dim"))
        wrapped(console, said, first=Text(f"  {mark.symbol} ", mark.style), indent=4)
        if item.get("fix"):
            command(console, str(item["fix"]), indent=4)


def plain(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with a heading, for lists."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def command(console: Console, text: str, *, indent: int = 2) -> None:
    """A command to copy, as the person would type it: never wrapped."""
    console.print(Text(" " * indent + as_typed(text), style="bold"), soft_wrap=True)


def text_of(value: Any) -> str:
    """A value as a person reads it; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    return str(value)
