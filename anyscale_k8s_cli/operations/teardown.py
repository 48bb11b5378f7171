"""Teardown: find what is ours, show it, remove it in order, prove that it is gone.

The order has five parts. The registration goes first, because the control plane
may refuse and nothing must have changed by then; then all that is in the cluster;
then what its operator signed in with; then the ledger, the lock and the namespace.
Last goes what carries the locator outside the cluster, because it finds the rest again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.ledger import Ledger
from anyscale_k8s_cli.lock import InstallLock, lease_seconds
from anyscale_k8s_cli.operations.journal import LockedLedger, Unjournaled
from anyscale_k8s_cli.operations.survey import Teardown, deletion_of, removal_item
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.registration import RegisteredCloud
from anyscale_k8s_cli.resource import Change
from anyscale_k8s_cli.run import Run


@dataclass(frozen=True)
class DeleteReport:
    """What is gone, what stays on purpose, and what should be gone and is not."""

    teardown: Teardown
    outcomes: tuple[engine.Outcome, ...]
    left: tuple[PlannedChange, ...]
    error: errors.CliError | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        gone = {
            item.change.resource.key
            for item in self.outcomes
            if item.result == "done" and item.change.change is Change.DELETE
        } - {item.resource.key for item in self.left}
        planned = self.teardown.parts.removals
        document = self.teardown.as_json()
        document.pop("error", None)
        document.update(
            removed=[removal_item(item) for item in planned if item.resource.key in gone],
            left=[
                {**removal_item(item), "reason": "it should be gone and is not"}
                for item in self.left
            ],
            seconds=round(self.seconds, 1),
        )
        del document["remove"]
        if self.error:
            document["error"] = self.error.as_json()
        return document


async def apply(teardown: Teardown, run: Run) -> DeleteReport:
    """Remove what was found, and prove it by a fresh look."""
    outcomes: list[engine.Outcome] = []
    left: tuple[PlannedChange, ...] = ()
    error = teardown.problem
    if error is None and teardown.parts.anything:
        run.emit(Notice(level="info", text=f"to go on if this is cut off:\n{_again(teardown)}"))
        try:
            with run.phase("delete", "Removing"):
                await _remove(teardown, run, outcomes)
            with run.phase("proof", "Looking again whether all of it is gone"):
                left = await still_there(teardown)
            error = _leftovers(left)
        except errors.CliError as problem:
            error = problem
            # Not after an interruption: the person wants the prompt back. And what
            # failed may make looking fail too: then it is that which is told.
            if not run.stopped:
                with contextlib.suppress(errors.CliError):
                    left = await still_there(teardown)
    seconds = time.monotonic() - teardown.started
    return DeleteReport(teardown, tuple(outcomes), left, error, seconds)


def _again(teardown: Teardown) -> str:
    """The command that goes on by scope, without the registration."""
    target = teardown.target
    assert target is not None  # noqa: S101
    words = [deletion_of(teardown.request, target, target.install)]
    if teardown.request.skip_cluster:
        words.append("--skip-cluster")
    if teardown.request.delete_bucket:
        words.append(f"--delete-bucket {teardown.request.delete_bucket}")
    return " ".join(words)


async def _remove(teardown: Teardown, run: Run, outcomes: list[engine.Outcome]) -> None:
    parts, opened, target = teardown.parts, teardown.opened, teardown.target
    assert target is not None  # noqa: S101
    unlocked = Unjournaled()
    alone = not parts.in_cluster and not teardown.has_ledger
    if opened is None or parts.namespace is None or alone or not _is_active(parts.namespace):
        # Of the cluster or the namespace nothing is left that could hold lock and ledger; or
        # all that is there was made by somebody else, and nothing is written there.
        await _part(parts.registration, run, unlocked, outcomes)
        await _part(parts.inside, run, unlocked, outcomes)
        await _part(parts.sign_in, run, unlocked, outcomes)
    else:
        ledger = Ledger(opened.kubernetes, target.install)
        seconds = lease_seconds(teardown.request.environment)
        with InstallLock(opened.kubernetes, target.install, run, seconds) as lock:
            await asyncio.to_thread(ledger.open, ())
            journal = LockedLedger(ledger, lock)
            await _part(parts.registration, run, journal, outcomes)
            await _part(parts.inside, run, journal, outcomes)
            await _part(parts.sign_in, run, journal, outcomes)
            await asyncio.to_thread(ledger.delete)
            await asyncio.to_thread(lock.delete)
    if parts.namespace is not None:
        await _part((parts.namespace,), run, unlocked, outcomes)
    await _part(parts.outside, run, unlocked, outcomes)


def _is_active(namespace: PlannedChange) -> bool:
    """Whether it can hold new objects: one that is being deleted cannot."""
    return namespace.observed is not None and namespace.observed.settled


async def _part(
    changes: Sequence[PlannedChange],
    run: Run,
    journal: engine.Journal,
    outcomes: list[engine.Outcome],
) -> None:
    applied = await engine.backwards(changes, run, journal)
    outcomes += applied.outcomes
    if applied.error:
        raise applied.error


async def still_there(teardown: Teardown) -> tuple[PlannedChange, ...]:
    """Read everything that was to be removed once more."""

    removals = teardown.parts.removals
    # What is inside a record is read from the record, which others may go on using.
    records = [item for item in teardown.parts.all if isinstance(item.resource, RegisteredCloud)]
    left: list[PlannedChange] = []
    for item in (*records, *(other for other in removals if other not in records)):
        item.resource.observed = await asyncio.to_thread(item.resource.read)
        if item.resource.observed is not None and item in removals:
            left.append(item)
    return tuple(left)


def _leftovers(left: Sequence[PlannedChange]) -> errors.CliError | None:
    if not left:
        return None
    return errors.CliError(
        errors.LEFTOVERS,
        f"{len(left)} objects should be gone and are not",
        cause=left[0].resource.title,
        evidence=tuple(item.resource.key for item in left),
        fix="run the same command again; it goes on with what is left",
    )
