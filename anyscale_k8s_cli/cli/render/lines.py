"""Progress as plain lines, for pipes, CI and log files; and as JSON lines."""

from __future__ import annotations

import json
import threading
from typing import TextIO

from anyscale_k8s_cli import events
from anyscale_k8s_cli.cli.render.style import duration

_QUIET_CHECKS = ("pass",)


# Seconds after which a wait is worth a line.
_PATIENCE = 2.0


class PlainLines:
    """One line for each thing that happens; `verbose` adds the calls and what passed.

    A wait is told when it has lasted for `patience` seconds, at once where verbose.
    """

    def __init__(
        self, stream: TextIO, *, verbose: bool = False, patience: float = _PATIENCE
    ) -> None:
        self._stream = stream
        self._verbose = verbose
        self._patience = 0.0 if verbose else patience
        self._waits: dict[str, threading.Timer] = {}
        self._began: float | None = None
        self._titles: dict[str, str] = {}
        self._lock = threading.RLock()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if self._began is None:
                self._began = event.at
            if isinstance(event, events.StepWaiting) and self._patience:
                self._tell_later(event)
            else:
                if isinstance(event, events.StepFinished):
                    self._forget_wait(event.key)
                self._tell(event)

    def start(self) -> None:
        """Nothing to prepare."""

    def stop(self) -> None:
        """Forget the waits that nobody needs to hear of any more."""
        with self._lock:
            for key in list(self._waits):
                self._forget_wait(key)

    def _tell(self, event: events.Event, waited: float = 0.0) -> None:
        line = self._line(event)
        if line:
            self._stream.write(f"[{event.at + waited - (self._began or 0):6.1f}s] {line}\n")
            self._stream.flush()

    def _tell_later(self, event: events.StepWaiting) -> None:
        self._forget_wait(event.key)

        def still_waiting() -> None:
            with self._lock:
                if self._waits.pop(event.key, None) is timer:
                    self._tell(event, self._patience)

        timer = threading.Timer(self._patience, still_waiting)
        timer.daemon = True
        self._waits[event.key] = timer
        timer.start()

    def _forget_wait(self, key: str) -> None:
        timer = self._waits.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _line(self, event: events.Event) -> str:  # noqa: PLR0911 - one answer for each kind
        match event:
            case events.PhaseStarted():
                return event.title
            case events.PhaseFinished():
                return f"  finished in {duration(event.seconds)}" if self._verbose else ""
            case events.StepQueued():
                self._titles[event.key] = event.title
                return ""
            case events.StepStarted():
                self._titles[event.key] = event.title
                return f"  {event.change} {event.title}"
            case events.StepWaiting():
                subject = self._titles.get(event.key)
                seen = f" ({event.detail})" if event.detail else ""
                return f"  {subject + ': ' if subject else ''}waiting for {event.what}{seen}"
            case events.StepFinished():
                return _finished(event)
            case events.CheckFinished():
                return self._check(event)
            case events.Notice():
                return f"{event.level}: {event.text}"
            case events.CallMade() if self._verbose:
                return (
                    f"    {event.service}: {event.call} -> {event.status} "
                    f"in {duration(event.seconds)}"
                )
            case _:
                return ""

    def _check(self, event: events.CheckFinished) -> str:
        if event.status in _QUIET_CHECKS and not self._verbose:
            return ""
        detail = f": {event.detail}" if event.detail else ""
        return f"  check {event.code}: {event.status}{detail}"


class JsonLines:
    """Each event as one JSON object on one line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()

    def __call__(self, event: events.Event) -> None:
        line = json.dumps(event.as_json(), default=str)
        with self._lock:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def start(self) -> None:
        """Nothing to prepare."""

    def stop(self) -> None:
        """Nothing to clear away."""


def _finished(event: events.StepFinished) -> str:
    line = f"  {event.change} {event.title}: {event.result} in {duration(event.seconds)}"
    return f"{line}: {event.note}" if event.result != "done" and event.note else line
