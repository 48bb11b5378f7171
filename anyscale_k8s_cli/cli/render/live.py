"""Progress as a tree that is drawn again and again, for terminals.

What runs shows its seconds and what it waits for; what is finished is counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from anyscale_k8s_cli import events
from anyscale_k8s_cli.cli import console as consoles
from anyscale_k8s_cli.cli.render.progress import Phase, Progress, Step
from anyscale_k8s_cli.cli.render.style import RESULTS, STATUSES, counted, duration

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"
_FRAMES_A_SECOND = 8
# So many steps that are still to come are named one by one.
_NAMED = 4


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
        """Draw a last time and leave the terminal as it was."""
        with self._lock:
            self._ready = False
            self._progress.close(self._clock())
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def __call__(self, event: events.Event) -> None:
        line = self._said(event)
        if line is not None:
            self._console.print(line, soft_wrap=True)
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
        """The tree as it is now."""
        now = self._clock()
        with self._lock:
            lines = [line for phase in self._progress.phases for line in self._phase(phase, now)]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _said(self, event: events.Event) -> Text | None:
        match event:
            case events.Notice():
                warning = event.level != "info"
                return Text.assemble(("! " if warning else "  ", "magenta"), event.text)
            case events.CheckFinished() if event.status in ("warn", "fail", "unknown"):
                mark = STATUSES[event.status]
                detail = f": {event.detail}" if event.detail else ""
                return Text.assemble((f"{mark.symbol} ", mark.style), f"{event.title}{detail}")
            case events.CallMade() if self._verbose:
                took = duration(event.seconds)
                return Text(f"  {event.service}: {event.call} → {event.status} {took}", "dim")
            case _:
                return None

    def _phase(self, phase: Phase, now: float) -> list[Text]:
        if phase.seconds is None:
            head = Text.assemble((self._frame(now), "cyan"), " ", (phase.title, "bold"))
            head.append(f"  {duration(max(0.0, now - phase.since))}", "dim")
        else:
            mark = RESULTS["failed" if phase.broken or phase.in_state("failed") else "done"]
            head = Text.assemble((mark.symbol, mark.style), " ", phase.title)
            head.append(f"  {duration(phase.seconds)}", "dim")
        head.append(_counts(phase), "dim")
        if phase.waiting:
            head.append(f"  {phase.waiting}", "dim")
        lines = [head]
        for step in phase.in_state("failed"):
            mark = RESULTS["failed"]
            line = Text.assemble("  ", (mark.symbol, mark.style), f" {step.title}")
            lines.append(line.append(f"  {step.note}", "dim"))
        if phase.seconds is None:
            for step in phase.in_state("running"):
                lines += self._running(step, now)
            lines += _coming(phase)
        return lines

    def _running(self, step: Step, now: float) -> list[Text]:
        line = Text.assemble("  ", (self._frame(now), "cyan"), f" {step.title}")
        line.append(f"  {duration(max(0.0, now - step.since))}", "dim")
        if not step.waiting:
            return [line]
        wide = len(line) + len(step.waiting) + 2 <= self._console.width
        if wide:
            return [line.append(f"  {step.waiting}", "dim")]
        return [line, Text(f"      {step.waiting}", "dim")]

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


def _coming(phase: Phase) -> list[Text]:
    queued = phase.in_state("queued")
    if len(queued) > _NAMED:
        names = ", ".join(step.title for step in queued)
        return [Text(f"  ○ {len(queued)} to come: {names}", "dim")]
    lines = []
    for step in queued:
        needs = phase.waits_for(step)
        after = f"  after {', '.join(needs)}" if needs else ""
        lines.append(Text(f"  ○ {step.title}{after}", "dim"))
    return lines
