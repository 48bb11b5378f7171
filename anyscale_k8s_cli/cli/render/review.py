"""The page of a review, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import page, table

_GAP = 2


def show_review(document: Mapping[str, Any], console: Console) -> None:
    """What whoever sets up must be granted is named, and printed by the command that is told."""
    table.heading(console, page.title(document))
    for part in page.parts(document):
        table.heading(console, part.title)
        _show_rows(part, console)
        if part.title == page.OF_SETUP:
            table.command(console, document["setup"]["command"])
        else:
            _show_documents(part, console)


def _show_rows(part: page.Part, console: Console) -> None:
    """As facts, as a table where it has room, else each over several lines."""
    if not any(part.columns):
        table.facts(console, [(row[0], row[1]) for row in part.rows])
    elif len(part.columns) > 1 and _width(part) <= console.width:
        table.plain(console, *_indented(part))
    else:
        for row in part.rows:
            first, *others = row
            table.wrapped(console, Text(first), first=Text("  "), indent=2)
            for cell in filter(None, others):
                table.wrapped(console, Text(cell, "dim"), first=Text("    "), indent=4)


def _width(part: page.Part) -> int:
    lines = [part.columns, *part.rows]
    widths = (max(len(line[place]) for line in lines) for place in range(len(part.columns)))
    return sum(widths) + _GAP * len(part.columns)


def _indented(part: page.Part) -> tuple[Sequence[str], list[Sequence[str]]]:
    heads = [name.upper() for name in part.columns]
    first, *lines = [[f"  {line[0]}", *line[1:]] for line in (heads, *part.rows)]
    return first, list(lines)


def _show_documents(part: page.Part, console: Console) -> None:
    for told in part.documents:
        console.print()
        console.print(Text(f"  {told.title} ({told.form})", style="dim"), soft_wrap=True)
        for line in told.text.splitlines():
            console.print(Text(f"    {line}"), soft_wrap=True)
