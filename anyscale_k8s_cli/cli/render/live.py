"""Progress as a tree that is drawn again and again, for terminals.

Every object has a line: how long it took, how long it has been at it and what
it waits for, or what must come first. On a low screen what is finished is
counted instead, and the whole is drawn once at the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from anyscale_k8s_cli import events
from anyscale_k8s_cli.cli import console as consoles
from anyscale_k8s_cli.cli.program import as_typed
from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.progress import Phase, Progress, Step
from anyscale_k8s_cli.cli.render.style import RESULTS, Mark, counted, duration

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"
_FRAMES_A_SECOND = 8
# Lines of what is said of one step: a wait while it goes on, a failure for good.
_WAIT_LINES = 2
_FAILURE_LINES = 6
_INDENT, _BELOW = 2, 6
_GAP = 2
# Room for `3m 05s` and for some words after it.
_TIME_ROOM = 8


class Told(NamedTuple):
    """What a step's line says after its title; `lines` is how many `said` may take."""

    mark: Mark
    took: str
    said: str = ""
    lines: int = 1


class LiveTree:
    """Listens to events and keeps a tree up to date at the bottom of the terminal."""

    def __init__(
        self, console: Console, *, verbose: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._console = console
        self._verbose = verbose
        self._clock = clock
        self._progress = Progress()
        self._lock = threading.RLock()
        self._frames = _FRAMES if consoles.encodes(console.file, _FRAMES) else _PLAIN_FRAMES
        self._live: Live | None = None
        self._ready = False

    def start(self) -> None:
        """Draw from the first event on; what was drawn before stays above."""
        with self._lock:
            self._progress = Progress()
            self._ready = True

    def stop(self) -> None:
        """Draw all of it a last time and leave the terminal as it was."""
        with self._lock:
            self._ready = False
            self._progress.close(self._clock())
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def __call__(self, event: events.Event) -> None:
        self._say(event)
        with self._lock:
            self._progress.take(event)
            if self._ready and self._live is None and self._progress.phases:
                self._live = self._started()

    def _started(self) -> Live:
        live = Live(
            console=self._console,
            get_renderable=self.tree,
            refresh_per_second=_FRAMES_A_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    def tree(self) -> Group:
        """The tree as it is now: whole once it is over, before that as much as fits."""
        now = self._clock()
        with self._lock:
            lines = self._lines(now, brief=False)
            if self._progress.current is not None and len(lines) >= self._console.height:
                lines = self._lines(now, brief=True)
        return Group(*lines)

    def _lines(self, now: float, *, brief: bool) -> list[Text]:
        return [
            line for phase in self._progress.phases for line in self._phase(phase, now, brief=brief)
        ]

    def _say(self, event: events.Event) -> None:
        """Print above the tree what a person should read even when the tree is gone."""
        match event:
            case events.Notice():
                text, *commands = event.text.splitlines()
                first = Text("  " if event.level == "info" else "! ", "magenta")
                table.wrapped(self._console, Text(as_typed(text)), first=first, indent=2)
                for command in commands:
                    table.command(self._console, command, indent=4)
            case events.CallMade() if self._verbose:
                took = duration(event.seconds)
                line = Text(f"  {event.service}: {event.call} → {event.status} {took}", "dim")
                self._console.print(line, soft_wrap=True)
            case _:
                pass

    def _phase(self, phase: Phase, now: float, *, brief: bool) -> Iterator[Text]:
        if phase.seconds is None:
            head = Text.assemble((self._frame(now), "cyan"), " ", (phase.title, "bold"))
            head.append(f"  {duration(max(0.0, now - phase.since))}", "dim")
        else:
            mark = RESULTS["failed" if phase.broken or phase.in_state("failed") else "done"]
            head = Text.assemble((mark.symbol, mark.style), " ", phase.title)
            head.append(f"  {duration(phase.seconds)}", "dim")
        head.append(_counts(phase), "dim")
        yield from self._with(head, phase.waiting, _WAIT_LINES)
        shown = [
            step
            for step in phase.steps.values()
            if not brief or step.state in ("running", "failed")
        ]
        most = self._console.width - _INDENT - _GAP - _TIME_ROOM
        titles = max((len(step.title) for step in shown if len(step.title) <= most), default=0)
        for step in shown:
            yield from self._step(step, phase, now, titles)
        coming = phase.in_state("queued")
        if brief and coming:
            yield Text(f"  ○ {len(coming)} to come", "dim")

    def _step(self, step: Step, phase: Phase, now: float, titles: int) -> Iterator[Text]:
        told = self._told(step, phase, now)
        title = Text(f" {step.title:<{titles}}", "dim" if told.mark.style == "dim" else "")
        head = Text.assemble(" " * _INDENT, told.mark, title)
        head.append(f"  {told.took}" if told.took else "", "dim")
        yield from self._with(head, told.said, told.lines)

    def _told(self, step: Step, phase: Phase, now: float) -> Told:
        match step.state:
            case "running":
                mark = Mark(self._frame(now), "cyan")
                took = duration(max(0.0, now - step.since))
                return Told(mark, took, step.waiting, _WAIT_LINES)
            case "queued":
                needs = ", ".join(phase.waits_for(step))
                return Told(RESULTS["skipped"], "", f"after {needs}" if needs else "", 1)
            case "done":
                return Told(RESULTS["done"], duration(step.seconds))
            case "failed":
                took = duration(step.seconds)
                return Told(RESULTS["failed"], took, step.note, _FAILURE_LINES)
            case _:
                return Told(RESULTS["skipped"], "skipped", step.note, 1)

    def _with(self, head: Text, said: str, most: int) -> Iterator[Text]:
        """The line and what is said of it: behind it where that fits, else in lines below."""
        if not said or len(head) + _GAP + len(said) <= self._console.width:
            yield head.append(f"  {said}" if said else "", "dim")
            return
        yield head
        lines = Text(said, "dim").wrap(self._console, self._console.width - _BELOW)
        for number, line in enumerate(lines[:most]):
            line.rstrip()
            if number == most - 1 < len(lines) - 1:
                line.truncate(self._console.width - _BELOW - 1)
                line.append("…")
            yield Text.assemble(" " * _BELOW, line)

    def _frame(self, now: float) -> str:
        return self._frames[int(now * _FRAMES_A_SECOND) % len(self._frames)]


def _counts(phase: Phase) -> str:
    parts = []
    if phase.steps:
        parts.append(f"{len(phase.in_state('done'))} of {len(phase.steps)} done")
    skipped = len(phase.in_state("skipped"))
    if skipped:
        parts.append(f"{skipped} skipped")
    if phase.checks:
        passed, total = phase.checks["pass"], phase.checks.total()
        text = (
            f"{counted(total, 'check')} passed"
            if passed == total
            else f"{passed} of {total} checks passed"
        )
        parts.append(text)
    return "".join(f" · {part}" for part in parts)
