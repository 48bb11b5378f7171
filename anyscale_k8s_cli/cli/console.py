"""What the two streams can show: colour, live display, and which characters.

Results go to standard output, all else to standard error.
"""

from __future__ import annotations

import codecs
import io
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
    """Let no character stop us: what a stream cannot encode is written in plain letters.

    Who has closed a stream (`>&-`) wants nothing of it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    codecs.register_error(_HANDLER, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = Progress(sys.stderr)


class Progress(io.TextIOWrapper):
    """Standard error in the place of Python's own: a reader that has gone ends no work half-way."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        encoding, handler = stream.encoding, stream.errors
        super().__init__(stream.detach(), encoding, handler, line_buffering=True)

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._let_go()

    def _let_go(self) -> None:
        """What is still to come, and what is held back, goes nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _plainly(problem: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    unfit = problem.object[problem.start : problem.end]
    return "".join(_PLAIN.get(letter, "?") for letter in unfit), problem.end


def read_hidden(question: str) -> str:
    """A line from the person at the terminal, not shown as it is typed."""
    from getpass import getpass

    return getpass(question, stream=sys.stderr)


def forget_typed() -> None:
    """What was typed before a question stands there is no answer to it."""
    if not is_terminal(sys.stdin):
        return
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


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
