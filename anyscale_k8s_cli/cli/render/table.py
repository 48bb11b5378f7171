"""Rows of objects and pairs of facts, on narrow and on wide screens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from anyscale_k8s_cli.cli.render.style import Mark

# From here on an object fits on one line with its key and the reason.
WIDE = 120


def heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def facts(console: Console, pairs: Iterable[tuple[str, Text | str | None]]) -> None:
    """Labels and values in two columns; pairs without a value are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in pairs:
        if value:
            table.add_row(label, value)
    if table.row_count:
        console.print(Padding(table, (0, 0, 0, 2)))


def objects(
    console: Console, rows: Sequence[tuple[Mark, str, str, str, str]], *, word_width: int
) -> None:
    """Rows of mark, word, title, key or id, and reason.

    On a narrow screen the key and the reason go on lines of their own.
    """
    if console.width >= WIDE:
        _wide(console, rows)
        return
    indent = 2 + 2 + word_width + 1
    for mark, word, title, key, reason in rows:
        line = Text.assemble("  ", (mark.symbol, mark.style), " ")
        line.append(f"{word:<{word_width}} ", style=mark.style)
        line.append(title)
        console.print(line)
        if key and key != title:
            console.print(Padding(Text(key, style="dim", overflow="fold"), (0, 0, 0, indent)))
        if reason:
            console.print(Padding(Text(reason, style="dim"), (0, 0, 0, indent)))


def _wide(console: Console, rows: Sequence[tuple[Mark, str, str, str, str]]) -> None:
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for mark, word, title, key, reason in rows:
        table.add_row(Text(f"{mark.symbol} {word}", style=mark.style), title, key, reason)
    console.print(Padding(table, (0, 0, 0, 2)))


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
