"""What is going on, put together from events: the state behind the live tree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from anyscale_k8s_cli import events
from anyscale_k8s_cli.cli.render.style import in_short

FINISHED = ("done", "failed", "skipped")


@dataclass
class Step:
    """One object being changed; `state` is queued, running, done, failed or skipped."""

    key: str
    title: str
    change: str
    needs: tuple[str, ...] = ()
    state: str = "queued"
    since: float = 0.0
    seconds: float = 0.0
    waiting: str = ""
    note: str = ""


@dataclass
class Phase:
    """A part of the command; `seconds` is None while it goes on, `broken` if it never ended."""

    name: str
    title: str
    since: float
    seconds: float | None = None
    broken: bool = False
    waits: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)

    @property
    def waiting(self) -> str:
        """What it waits for that is no step of it: the last that is not over."""
        return next(reversed(self.waits.values()), "")

    def in_state(self, *states: str) -> list[Step]:
        return [step for step in self.steps.values() if step.state in states]

    def waits_for(self, step: Step) -> list[str]:
        """The titles of what a queued step still needs, without what those need themselves."""
        found = [self.steps[key] for key in step.needs if key in self.steps]
        open_ = [item for item in found if item.state not in FINISHED]
        implied = {key for item in open_ for key in item.needs}
        return [item.title for item in open_ if item.key not in implied]


class Progress:
    """Takes events and holds the phases in their order. Not safe for threads by itself."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []

    @property
    def current(self) -> Phase | None:
        return next((phase for phase in reversed(self.phases) if phase.seconds is None), None)

    def take(self, event: events.Event) -> None:
        match event:
            case events.PhaseStarted():
                self.phases.append(Phase(event.phase, event.title, event.at))
            case events.PhaseFinished():
                self._finish_phase(event)
            case events.StepQueued():
                step = Step(event.key, event.title, event.change, event.needs, since=event.at)
                self._phase(event.at).steps[event.key] = step
            case events.StepStarted():
                step = self._step(event.key, event.title, event.change, event.at)
                step.state, step.since = "running", event.at
            case events.StepWaiting():
                self._wait(event)
            case events.StepWaited():
                self._end_wait(event.key)
            case events.StepFinished():
                step = self._step(event.key, event.title, event.change, event.at)
                step.state, step.seconds = event.result, event.seconds
                step.waiting, step.note = "", event.note
            case events.CheckFinished():
                phase = self._phase(event.at)
                phase.checks[event.status] += 1
                phase.waits.pop(event.code, None)
            case _:
                pass

    def close(self, at: float) -> None:
        """No more events will come: what has not finished never will.

        A phase that nobody announced is not broken by that: its end is not announced either.
        """
        for phase in self.phases:
            if phase.seconds is None:
                phase.seconds = max(0.0, at - phase.since)
                phase.waits.clear()
                phase.broken = bool(phase.name) or bool(phase.checks["fail"])
            for step in phase.in_state("running"):
                step.state, step.note = "failed", "not finished"
                step.seconds = max(0.0, at - step.since)
            for step in phase.in_state("queued"):
                step.state = "skipped"

    def _finish_phase(self, event: events.PhaseFinished) -> None:
        for phase in reversed(self.phases):
            if phase.name == event.phase and phase.seconds is None:
                phase.seconds = event.seconds
                phase.waits.clear()
                return

    def _wait(self, event: events.StepWaiting) -> None:
        seen = in_short(event.detail)
        waiting = f"waiting for {event.what}" + (f": {seen}" if seen else "")
        step = self._find(event.key)
        if step is not None:
            step.waiting = waiting
        elif self.current is not None:
            self.current.waits.pop(event.key, None)
            self.current.waits[event.key] = waiting

    def _end_wait(self, key: str) -> None:
        step = self._find(key)
        if step is not None:
            step.waiting = ""
        elif self.current is not None:
            self.current.waits.pop(key, None)

    def _phase(self, at: float) -> Phase:
        if self.current is None:
            self.phases.append(Phase("", "Working", at))
        return self.phases[-1] if self.current is None else self.current

    def _find(self, key: str) -> Step | None:
        for phase in reversed(self.phases):
            if key in phase.steps:
                return phase.steps[key]
        return None

    def _step(self, key: str, title: str, change: str, at: float) -> Step:
        step = self._find(key)
        if step is None:
            step = self._phase(at).steps[key] = Step(key, title, change, since=at)
        return step
