"""An error as people read it: what failed, why, what was seen, what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.cli.program import as_typed
from anyscale_k8s_cli.errors import stands_for


class Line(NamedTuple):
    """A label and what stands behind it; `whole` is not to be wrapped."""

    label: str
    text: str
    style: str = ""
    whole: bool = False

    def __str__(self) -> str:
        return self.label + self.text


def error_lines(error: Mapping[str, Any]) -> Iterator[Line]:
    """What is known of the error, line by line. What mends it is whole: it can be pasted."""
    yield Line("✗ ", as_typed(error["message"]), "bold red")
    yield from _labelled("cause", [error["cause"]])
    yield from _labelled("seen", [seen for seen in error["evidence"] if seen != error["cause"]])
    yield from _labelled("fix", [error["fix"]], style="bold", whole=True)
    for line in stands_for(error["fix"], error["evidence"]):
        yield Line(" " * 9, line, "dim")
    yield Line("  code:  ", f"{error['code']} (exit code {error['exit_code']})", "dim")


def write_error(error: Mapping[str, Any], stream: IO[str]) -> None:
    """On a terminal, lines end between words; elsewhere they are left whole, for `grep`."""
    from rich.text import Text

    from anyscale_k8s_cli.cli.render import table

    target, narrow = console.rich_console(stream), console.is_terminal(stream)
    for line in error_lines(error):
        if line.whole or not narrow:
            target.print(Text.assemble(line.label, (line.text, line.style)), soft_wrap=True)
        else:
            first, text = Text(line.label, line.style), Text(line.text, line.style)
            table.wrapped(target, text, first=first, indent=len(line.label))


def _labelled(
    label: str, texts: list[str], *, style: str = "", whole: bool = False
) -> Iterator[Line]:
    rows = [row for text in texts if text for row in text.splitlines()]
    for number, row in enumerate(rows):
        yield Line(f"  {label + ':' if number == 0 else '':<7}", as_typed(row), style, whole)
