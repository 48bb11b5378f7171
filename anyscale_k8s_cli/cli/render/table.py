"""Rows of objects and pairs of facts, on narrow and on wide screens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

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
    room = max(_LEAST_ROOM, console.width - width - 4)
    for label, value in shown:
        for number, line in enumerate(value.wrap(console, room)):
            line.rstrip()
            start = label if number == 0 else ""
            console.print(Text.assemble((f"  {start:<{width}}  ", "dim"), line), soft_wrap=True)


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
        below = [key] if key and key != title else []
        if reason and len(line) + len(reason) + 2 <= console.width:
            line.append(f"  {reason}", "dim")
        elif reason:
            below.append(reason)
        console.print(line)
        for text in below:
            _indented(console, Text(text, style="dim", overflow="fold"), by=word_width + 5)


def _indented(console: Console, content: RenderableType, *, by: int) -> None:
    console.print(Padding(content, (0, 0, 0, by), expand=False))


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
    _indented(console, table, by=2)


def findings(console: Console, checks: Iterable[Mapping[str, Any]]) -> None:
    """Checks with what they saw, and below each what mends it, to copy."""
    for item in checks:
        mark = STATUSES.get(str(item.get("status")), UNKNOWN)
        detail = f": {item['detail']}" if item.get("detail") else ""
        console.print(
            Padding(
                Text.assemble((f"{mark.symbol} ", mark.style), item["title"], (detail, "dim")),
                (0, 0, 0, 2),
                expand=False,
            )
        )
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
    """A command to copy: never wrapped."""
    console.print(Text(" " * indent + text, style="bold"), soft_wrap=True)


def text_of(value: Any) -> str:
    """A value as a person reads it; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    return str(value)
