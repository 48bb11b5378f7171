"""What happens, as typed events: the only thing renderers see.

Everything long-running reports through :class:`~anyscale_k8s_cli.run.Run`.
Events hold no secrets: they are shown, piped and written to files as they are.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """The base: `name` is the event's type on the wire, `at` seconds since the epoch."""

    name: ClassVar[str] = "event"
    at: float = field(default_factory=time.time)

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class PhaseStarted(Event):
    """A part of the command begins: `discover`, `preflight`, `plan`, `apply`, `verify`, …"""

    name: ClassVar[str] = "phase-started"
    phase: str
    title: str


@dataclass(frozen=True, kw_only=True)
class PhaseFinished(Event):
    """A part of the command is over. One that failed has no end."""

    name: ClassVar[str] = "phase-finished"
    phase: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StepQueued(Event):
    """A step that will come once `needs` (keys) are done."""

    name: ClassVar[str] = "step-queued"
    key: str
    title: str
    change: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """The work on an object begins; `key` is its own in plans and reports."""

    name: ClassVar[str] = "step-started"
    key: str
    title: str
    change: str


@dataclass(frozen=True, kw_only=True)
class StepWaiting(Event):
    """The step waits for something; `what` for a person, `detail` what was seen last."""

    name: ClassVar[str] = "step-waiting"
    key: str
    what: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class StepWaited(Event):
    """What was waited for is there. A wait that fails has no end of its own."""

    name: ClassVar[str] = "step-waited"
    key: str
    what: str


@dataclass(frozen=True, kw_only=True)
class StepFinished(Event):
    """`result` is done, failed or skipped; `note` the reason or what came of it."""

    name: ClassVar[str] = "step-finished"
    key: str
    title: str
    change: str
    result: str
    seconds: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckFinished(Event):
    """A check has its answer; `status` is pass, warn, fail, unknown or waived."""

    name: ClassVar[str] = "check-finished"
    code: str
    title: str
    status: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice(Event):
    """Something a person should know; `level` is info or warning.

    Lines of `text` after the first are commands to copy.
    """

    name: ClassVar[str] = "notice"
    level: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CallMade(Event):
    """One request to an API or one child process, for `-v`; secrets are masked before."""

    name: ClassVar[str] = "call-made"
    service: str
    call: str
    status: str
    seconds: float
