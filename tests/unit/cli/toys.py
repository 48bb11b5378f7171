"""Operations that do nothing real, with the same two steps as the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import operations
from anyscale_k8s_cli.events import Notice, PhaseFinished, PhaseStarted
from anyscale_k8s_cli.operations.requests import Request
from anyscale_k8s_cli.run import Run

from . import samples

Act = Callable[[Run], None]


def nothing(_: Run) -> None:
    """The quiet act."""


@dataclass
class Made:
    document: dict[str, Any]
    header: dict[str, Any] = field(default_factory=lambda: dict(samples.HEADER))
    saved: list[Path] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return self.document

    def write_values(self) -> bool:
        return True

    def save(self, path: Path) -> None:
        self.saved.append(path)


@dataclass
class Operation:
    """Stands where a module of `operations/` would; `calls` tells what was asked of it.

    `looking` and `doing` are what happens inside the two steps.
    """

    found: Made
    done: Made
    looking: Act = nothing
    doing: Act = nothing
    calls: list[str] = field(default_factory=list)
    request: Request | None = None

    async def plan(self, request: Request, run: Run) -> Made:
        return self._look("plan", request, run)

    async def find(self, request: Request, run: Run) -> Made:
        return self._look("find", request, run)

    async def status(self, request: Request, run: Run) -> Made:
        return self._look("status", request, run)

    async def apply(self, made: Made, run: Run) -> Made:
        assert made is self.found
        self.calls.append("apply")
        self.doing(run)
        return self.done

    def _look(self, call: str, request: Request, run: Run) -> Made:
        self.calls.append(call)
        self.request = request
        run.emit(PhaseStarted(phase="discover", title="Looking"))
        run.emit(Notice(level="info", text="a notice"))
        self.looking(run)
        run.emit(PhaseFinished(phase="discover", seconds=0.5))
        return self.found


def of_setup(**more: Any) -> Operation:
    return Operation(Made(samples.plan()), Made(samples.setup()), **more)


def of_delete(**more: Any) -> Operation:
    return Operation(Made(samples.teardown()), Made(samples.deleted()), **more)


def instead_of_setup(patch: pytest.MonkeyPatch, operation: object) -> None:
    """What plan and setup call, from now on."""
    patch.setattr(operations, "planning", operation, raising=False)
    patch.setattr(operations, "setup", operation, raising=False)


def instead_of_delete(patch: pytest.MonkeyPatch, operation: object) -> None:
    """What delete calls, from now on."""
    patch.setattr(operations, "survey", operation, raising=False)
    patch.setattr(operations, "teardown", operation, raising=False)
