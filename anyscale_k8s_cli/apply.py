"""Runs a plan over the graph, forwards and backwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Protocol

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import StepFinished, StepQueued, StepStarted
from anyscale_k8s_cli.graph import walk
from anyscale_k8s_cli.plan import Plan, PlannedChange, edges, raising_first
from anyscale_k8s_cli.resource import (
    WRITES,
    Change,
    DataResource,
    Observed,
    Resource,
    SharedResource,
)
from anyscale_k8s_cli.run import Run, current_step


class Journal(Protocol):
    """Where results are written before anyone is told."""

    def guard(self) -> None:
        """Raise when nothing new may be started (the lock is lost)."""
        ...

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None: ...

    def removed(self, resource: Resource[Any]) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What became of one planned change: `result` is done, failed or skipped."""

    change: PlannedChange
    result: str
    seconds: float
    error: errors.CliError | None = None

    def as_json(self) -> dict[str, Any]:
        resource = self.change.resource
        return {
            **self.change.as_json(),
            "id": resource.observed.id if resource.observed else None,
            "result": self.result,
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True)
class Applied:
    """All outcomes, in the plan's order, and the first failure if there was one.

    `stopped` is why the rest of the plan was not begun.
    """

    outcomes: tuple[Outcome, ...]
    stopped: errors.CliError | None = None

    @property
    def error(self) -> errors.CliError | None:
        return self.stopped or next((item.error for item in self.outcomes if item.error), None)


Work = Callable[[PlannedChange], None]


async def forwards(plan: Plan, run: Run, journal: Journal) -> Applied:
    """Make what the plan says; a failure stops what depends on it and nothing else."""
    by_resource = {item.resource: item for item in plan.changes}
    graph = edges(list(by_resource))
    concerned = _needed_by_writes(plan) | _touched(plan, graph)

    def work(item: PlannedChange) -> None:
        resource, observed = item.resource, item.observed
        if item.change is Change.DELETE:
            _drop(resource, journal)
            return
        if item.change is Change.CREATE:
            observed = resource.create()
        elif item.change is Change.UPDATE:
            observed = resource.read()
            if observed is None:
                observed = resource.create()
            else:
                fields = resource.diff(observed)
                if fields:
                    observed = resource.update(observed, fields)
        assert observed is not None, "only a refused resource has nothing"  # noqa: S101
        resource.observed = observed
        if item.change in WRITES:
            journal.done(resource, observed)
        if resource in concerned or not observed.settled:
            resource.observed = resource.ready(observed)

    return await _walk_plan(plan.changes, graph, work, run, journal)


def _drop(resource: Resource[Any], journal: Journal) -> None:
    """Remove what is used no more; everything that used it is up without it by now."""
    observed = resource.read()
    if observed is not None:
        resource.delete(observed)
    resource.observed = None
    journal.removed(resource)


async def backwards(changes: Sequence[PlannedChange], run: Run, journal: Journal) -> Applied:
    """Delete what is planned so, dependents first, but for what `goes_first`.

    What is kept is left without marks of ours.
    """
    graph = removal_edges([item.resource for item in changes])

    def work(item: PlannedChange) -> None:
        if item.change is Change.DELETE and item.observed is not None:
            item.resource.delete(item.observed)
            item.resource.observed = None
            journal.removed(item.resource)
        elif kept_with_marks(item):
            journal.guard()
            _leave_in_peace(item)

    return await _walk_plan(changes, graph, work, run, journal)


def removal_edges(resources: Sequence[Resource[Any]]) -> dict[Resource[Any], set[Resource[Any]]]:
    """What must be gone before each resource is removed."""
    graph: dict[Resource[Any], set[Resource[Any]]] = {resource: set() for resource in resources}
    for resource in resources:
        for need in resource.needs:
            if need not in graph:
                continue
            if need.goes_first and not resource.goes_first:
                graph[resource].add(need)
            else:
                graph[need].add(resource)
    return graph


def kept_with_marks(item: PlannedChange) -> bool:
    """Whether a kept object bears marks of ours that a teardown takes off."""
    resource, observed = item.resource, item.observed
    if item.change is not Change.KEEP or observed is None:
        return False
    if isinstance(resource, SharedResource):
        return resource.install.mark in observed.marks
    return isinstance(resource, DataResource) and bool(
        observed.owner and observed.owner.cluster_uid
    )


def _leave_in_peace(item: PlannedChange) -> None:
    resource, observed = item.resource, item.observed
    assert observed is not None, "what is kept was seen"  # noqa: S101
    if isinstance(resource, SharedResource):
        resource.unmark(observed)
    elif isinstance(resource, DataResource):
        resource.forget_cluster(observed)


def _needed_by_writes(plan: Plan) -> set[Resource[Any]]:
    return {need for item in plan.writes for need in item.resource.needs}


def _touched(plan: Plan, graph: dict[Resource[Any], set[Resource[Any]]]) -> set[Resource[Any]]:
    """What is written, and all that stands on it: that may not be of use any more."""
    touched = {item.resource for item in plan.writes}
    for resource in TopologicalSorter(graph).static_order():
        if graph[resource] & touched:
            touched.add(resource)
    return touched


async def _walk_plan(
    changes: Sequence[PlannedChange],
    graph: dict[Resource[Any], set[Resource[Any]]],
    work: Work,
    run: Run,
    journal: Journal,
) -> Applied:
    by_resource = {item.resource: item for item in changes}
    outcomes: dict[Resource[Any], Outcome] = {}
    for item in changes:
        if item.change in WRITES:
            run.emit(
                StepQueued(
                    key=item.resource.key,
                    title=item.resource.title,
                    change=item.change.value,
                    needs=tuple(need.key for need in graph[item.resource]),
                )
            )

    async def visit(resource: Resource[Any]) -> bool:
        outcome = await asyncio.to_thread(_step, by_resource[resource], work, run, journal)
        outcomes[resource] = outcome
        return outcome.result == "done"

    await raising_first(walk(graph, visit))
    skipped = (
        outcomes.get(item.resource) or _skipped(item, run, "what it needs has failed")
        for item in changes
    )
    return Applied(tuple(skipped))


def _skipped(item: PlannedChange, run: Run, why: str) -> Outcome:
    if item.change in WRITES:
        run.emit(
            StepFinished(
                key=item.resource.key,
                title=item.resource.title,
                change=item.change.value,
                result="skipped",
                seconds=0.0,
                note=why,
            )
        )
    return Outcome(item, "skipped", 0.0)


def _step(item: PlannedChange, work: Work, run: Run, journal: Journal) -> Outcome:
    resource = item.resource
    visible = item.change in WRITES
    if run.stopped:
        return _skipped(item, run, "interrupted")
    current_step.set(resource.key)
    started = time.monotonic()
    if visible:
        run.emit(StepStarted(key=resource.key, title=resource.title, change=item.change.value))
    error: errors.CliError | None = None
    try:
        run.check()
        if visible:
            journal.guard()
        work(item)
    except errors.CliError as problem:
        error = problem
    seconds = time.monotonic() - started
    if visible or error:
        run.emit(
            StepFinished(
                key=resource.key,
                title=resource.title,
                change=item.change.value,
                result="failed" if error else "done",
                seconds=seconds,
                note=str(error) if error else item.decision.reason,
            )
        )
    return Outcome(item, "failed" if error else "done", seconds, error)
