"""The log of one command: what was typed, all that happened, what was shown, how it ended."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TextIO

from anyscale_k8s_cli import DISTRIBUTION, events, tool_version
from anyscale_k8s_cli.cli import console, crash, output
from anyscale_k8s_cli.cli.program import name
from anyscale_k8s_cli.cli.render.errors import write_error
from anyscale_k8s_cli.cli.render.lines import PlainLines


class LogFile:
    """Listens to events; commands add what they show. Several commands may share one file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = PlainLines(stream, verbose=True)
        typed = crash.masked(shlex.join([name(), *sys.argv[1:]]))
        self._note(f"{DISTRIBUTION} {tool_version()}: {typed}")

    def __call__(self, event: events.Event) -> None:
        self._lines(event)

    def show(self, document: output.Document, render: output.Renderer) -> None:
        """What the person sees on the way or in the end."""
        render(document, console.rich_console(self._stream))

    def ended(self, code: int, error: output.Document | None = None) -> None:
        if error:
            write_error(error, self._stream)
        self._note(f"ended with exit code {code}")

    def _note(self, text: str) -> None:
        self._stream.write(f"# {time.strftime('%Y-%m-%d %H:%M:%S%z')} {text}\n")
        self._stream.flush()
