"""Progress as plain lines, for pipes, CI and log files; and as JSON lines."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from anyscale_k8s_cli import events
from anyscale_k8s_cli.checks import judgement
from anyscale_k8s_cli.cli.output import typed
from anyscale_k8s_cli.cli.program import as_typed
from anyscale_k8s_cli.cli.render.style import (
    RESULTS,
    STATUSES,
    UNKNOWN,
    VERBS,
    Verb,
    duration,
    in_short,
)

# Seconds after which something that is still going on is worth a line. The next
# line comes after twice as long, and so on up to the longest silence.
# Of what is not changed and not of use yet.
_AWAITED = Verb("waiting for", "waited for")
_PATIENCE = 2.0
_LONGEST_SILENCE = 60.0
_TICK = 0.5


@dataclass
class Ongoing:
    """Something that has begun and not ended: what it is, and what it waits for if it said so."""

    title: str
    since: float
    due: float
    silence: float
    waiting: str = ""

    def line(self, now: float) -> str:
        lasted = f"{duration(now - self.since)} so far"
        if not self.title:
            return f"  … {self.waiting}, {lasted}"
        return f"  … {self.title}, {lasted}" + (f": {self.waiting}" if self.waiting else "")


class PlainLines:
    """One line for each thing that is finished; `verbose` adds beginnings, waits and calls.

    Without `checks` those that did not pass are left to the result, which has them all.
    From `start` to `stop`, what goes on for long is told too, with what it waits for.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        verbose: bool = False,
        checks: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._verbose = verbose
        self._checks = checks
        self._clock = clock
        self._began: float | None = None
        self._ongoing: dict[str, Ongoing] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if self._began is None:
                self._began = event.at
            line = self._line(event)
            if line:
                self._tell(line, event.at)
            self._follow(event)

    def start(self) -> None:
        """Look now and then whether something lasts."""
        self._over = threading.Event()
        threading.Thread(target=self._watch, args=(self._over,), daemon=True).start()

    def stop(self) -> None:
        """Nobody needs to hear any more of what goes on."""
        self._over.set()
        with self._lock:
            self._ongoing.clear()

    def tick(self) -> None:
        """Tell what has lasted long enough since it was last told of."""
        now = self._clock()
        with self._lock:
            for item in self._ongoing.values():
                if now >= item.due:
                    self._tell(item.line(now), now)
                    item.silence = min(2 * item.silence, _LONGEST_SILENCE)
                    item.due = now + item.silence

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(_TICK):
            self.tick()

    def _tell(self, line: str, at: float) -> None:
        self._stream.write(f"[{at - (self._began or 0):6.1f}s] {as_typed(line)}\n")
        self._stream.flush()

    def _follow(self, event: events.Event) -> None:
        match event:
            case events.StepStarted():
                self._begin(event.key, _doing(event.change, event.title), event.at)
            case events.StepWaiting():
                if event.key not in self._ongoing:
                    self._begin(event.key, "", event.at)
                self._ongoing[event.key].waiting = _waiting(event)
            case events.StepWaited():
                self._ends_waiting(event.key)
            case events.StepFinished():
                self._ongoing.pop(event.key, None)
            case events.CheckFinished():
                self._ongoing.pop(event.code, None)
            case events.PhaseFinished():
                # What waits without being a step belongs to its phase, whatever its key: of
                # an object that is only looked at no step begins or ends.
                self._ongoing = {key: item for key, item in self._ongoing.items() if item.title}
            case _:
                pass

    def _ends_waiting(self, key: str) -> None:
        """What is no step goes on no longer than what it waits for."""
        item = self._ongoing.get(key)
        if item and item.title:
            item.waiting = ""
        elif item:
            del self._ongoing[key]

    def _begin(self, key: str, title: str, at: float) -> None:
        self._ongoing[key] = Ongoing(title, at, due=at + _PATIENCE, silence=_PATIENCE)

    def _line(self, event: events.Event) -> str:  # noqa: PLR0911 - one answer for each kind
        match event:
            case events.PhaseStarted():
                return event.title
            case events.PhaseFinished() if self._verbose:
                return f"  finished in {duration(event.seconds)}"
            case events.StepStarted() if self._verbose:
                return f"  … {_doing(event.change, event.title)}"
            case events.StepWaiting() if self._verbose:
                begun = self._ongoing.get(event.key)
                return f"  … {begun.title + ': ' if begun and begun.title else ''}{_waiting(event)}"
            case events.StepFinished():
                return _finished(event)
            case events.CheckFinished() if self._verbose or (
                self._checks and event.status != "pass"
            ):
                mark = STATUSES.get(event.status, UNKNOWN)
                detail = f": {event.detail}" if event.detail else ""
                title = judgement(event.title, event.status)
                return f"  {mark.symbol} {title}{detail} (check {event.code})"
            case events.Notice():
                text = event.text.replace("\n", " ")
                return f"  {text}" if event.level == "info" else f"{event.level}: {text}"
            case events.CallMade() if self._verbose:
                took = duration(event.seconds)
                return f"    {event.service}: {event.call} → {event.status} in {took}"
            case _:
                return ""


class JsonLines:
    """Each event as one JSON object on one line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()

    def __call__(self, event: events.Event) -> None:
        line = json.dumps(typed(event.as_json()), default=str)
        with self._lock:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def start(self) -> None:
        """Nothing to prepare."""

    def stop(self) -> None:
        """Nothing to clear away."""


def _doing(change: str, title: str) -> str:
    return f"{VERBS.get(change, _AWAITED).doing} {title}"


def _waiting(event: events.StepWaiting) -> str:
    return f"waiting for {event.what}" + (f" ({in_short(event.detail)})" if event.detail else "")


def _finished(event: events.StepFinished) -> str:
    symbol = RESULTS.get(event.result, UNKNOWN).symbol
    took = duration(event.seconds)
    if event.result == "done":
        return f"  {symbol} {VERBS.get(event.change, _AWAITED).done} {event.title} ({took})"
    if event.result == "skipped":
        said = f"  {symbol} skipped {event.title}"
    else:
        said = f"  {symbol} {_doing(event.change, event.title)} failed after {took}"
    return f"{said}: {event.note}" if event.note else said
