"""What the two streams can show: colour, live display, and which characters.

Results go to standard output, all else to standard error.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_HANDLER = "anyscale-k8s"
_PLAIN = {
    "→": "->",
    "←": "<-",
    "✓": "ok",
    "✗": "x",
    "…": "...",
    "·": "-",
    "●": "*",
    "○": "o",
    "\N{EN DASH}": "-",
    "—": "-",
    "≥": ">=",
    "≤": "<=",
    "\N{MULTIPLICATION SIGN}": "x",
    "“": '"',
    "”": '"',
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
}
# Without a terminal nobody says how wide it is; logs are read on wide screens.
_PIPE_WIDTH = 100


def prepare_streams() -> None:
    """Let no character stop us: what a stream cannot encode is written in plain letters."""
    codecs.register_error(_HANDLER, _plainly)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_HANDLER)


def _plainly(problem: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    unfit = problem.object[problem.start : problem.end]
    return "".join(_PLAIN.get(letter, "?") for letter in unfit), problem.end


def read_hidden(question: str) -> str:
    """A line from the person at the terminal, not shown as it is typed."""
    from getpass import getpass

    return getpass(question, stream=sys.stderr)


def is_terminal(stream: IO[Any]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def colour_wanted(stream: IO[Any], environ: Mapping[str, str] = os.environ) -> bool:
    """A terminal that has not said no: `NO_COLOR` and `TERM=dumb` do."""
    refused = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return is_terminal(stream) and not refused


def live_wanted(stream: IO[Any], environ: Mapping[str, str] = os.environ) -> bool:
    """A terminal on which lines may be drawn again; the logs of CI are not."""
    return colour_wanted(stream, environ) and environ.get("CI", "").lower() in ("", "0", "false")


def can_ask() -> bool:
    """Whether somebody sees a question and can answer it."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def encodes(stream: IO[Any], text: str) -> bool:
    """Whether the stream can show these characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def rich_console(stream: IO[str], *, width: int | None = None) -> Console:
    """A console of rich on a stream, with nothing guessed that we have not decided."""
    from rich.console import Console

    coloured = colour_wanted(stream)
    if width is None and not is_terminal(stream) and "COLUMNS" not in os.environ:
        width = _PIPE_WIDTH
    return Console(
        file=stream,
        width=width,
        no_color=not coloured,
        force_terminal=None if coloured else False,
        highlight=False,
        markup=False,
        emoji=False,
    )
