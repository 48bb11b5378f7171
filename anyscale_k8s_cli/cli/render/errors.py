"""An error as people read it: what failed, why, what was seen, what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.cli.program import as_typed

_INTERRUPTED = (130, 143)


def error_lines(error: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of style and line. Nothing is wrapped, so that a command can be copied."""
    lines = [("bold red", f"✗ {error['message']}")]
    lines += [("", line) for line in _labelled("cause", [error["cause"]])]
    lines += [("", line) for line in _labelled("seen", error["evidence"])]
    lines += [("", line) for line in _labelled("fix", [error["fix"]])]
    if error["exit_code"] not in _INTERRUPTED:
        lines.append(("dim", f"  code:  {error['code']} (exit code {error['exit_code']})"))
    return [(style, as_typed(line)) for style, line in lines]


def write_error(error: Mapping[str, Any], stream: IO[str]) -> None:
    from rich.text import Text

    target = console.rich_console(stream)
    for style, line in error_lines(error):
        target.print(Text(line, style=style), soft_wrap=True)


def _labelled(label: str, texts: list[str]) -> list[str]:
    rows = [row for text in texts if text for row in text.splitlines()]
    return [f"  {label + ':' if number == 0 else '':<7}{row}" for number, row in enumerate(rows)]
