"""Facts, findings, lists and commands, on narrow and on wide screens."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.checks import judgement
from anyscale_k8s_cli.cli.program import as_typed
from anyscale_k8s_cli.cli.render.style import STATUSES, UNKNOWN
from anyscale_k8s_cli.errors import stands_for

_LEAST_ROOM = 20
_WORD = re.compile(r"\S+")


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
    """Text after `first`, its further lines below its beginning, with nothing at the ends.

    Lines end between words: an id that is longer than the line is not cut.
    """
    room = max(_LEAST_ROOM, console.width - indent)
    start = first
    for line in lines(content, room):
        console.print(Text.assemble(start, line), soft_wrap=True)
        start = Text(" " * indent)


def lines(content: Text, room: int) -> list[Text]:
    """The text in lines that end between words. rich's own way cuts long words."""
    found: list[Text] = []
    for paragraph in content.split("\n"):
        breaks, begin = [], 0
        for start, end in _pieces(paragraph.plain, room):
            if end - begin > room and start > begin:
                breaks.append(start)
                begin = start
        found += paragraph.divide(breaks)
    for line in found:
        line.rstrip()
    return found


def _pieces(text: str, room: int) -> Iterator[tuple[int, int]]:
    """Where words begin and end. A path that fits on no line may go on before its last key."""
    for word in _WORD.finditer(text):
        start, end = word.span()
        key = text.find('["', start + 1, end) if end - start > room else -1
        if key > 0:
            yield start, key
            start = key
        yield start, end


def findings(
    console: Console, checks: Iterable[Mapping[str, Any]], told: Collection[str | None] = ()
) -> None:
    """Checks with what they saw, and below each what mends it, to copy.

    What is among `told` stands elsewhere on the same screen, and is not said twice.
    """
    files: list[str] = []
    for item in checks:
        mark = STATUSES.get(str(item.get("status")), UNKNOWN)
        shown = item.get("detail") and item["detail"] not in told
        detail = f": {item['detail']}" if shown else ""
        # What the operator itself tells of has a name, and no sentence that could be untrue.
        own = "severity" in item
        title = judgement(item["title"], item["status"]) if own else item["title"]
        said = Text.assemble(title, (detail, "dim"))
        wrapped(console, said, first=Text(f"  {mark.symbol} ", mark.style), indent=4)
        if item.get("fix") and item["fix"] not in told:
            files += command(console, str(item["fix"]), indent=4, told=files)


def warnings(console: Console, texts: Sequence[str]) -> None:
    """What a person should know, each in a paragraph of its own."""
    if texts:
        console.print()
    for text in texts:
        wrapped(console, Text(text), first=Text("! ", "magenta"), indent=2)


def plain(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a heading, for lists. Nothing is cut: a long line goes over the edge."""
    for number, text in enumerate(aligned([columns, *rows])):
        console.print(Text(text, style="" if number else "dim"), soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines of text, their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def command(console: Console, text: str, *, indent: int = 2, told: Iterable[str] = ()) -> list[str]:
    """A command to copy, as the person would type it: never wrapped.

    What is to be done then may stand in the lines below it. Given back is what was said of
    the files that a person has to name in it, but for what was `told` of them before.
    """
    for line in text.splitlines():
        console.print(Text(" " * indent + as_typed(line), style="bold"), soft_wrap=True)
    files = stands_for(text, told)
    for line in files:
        wrapped(console, Text(line, "dim"), first=Text(" " * indent), indent=indent)
    return files


def text_of(value: Any) -> str:
    """A value as a person reads it; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    return str(value)
