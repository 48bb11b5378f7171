"""Plan: read the world, compute the difference, show it.

Making a plan performs reads only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.graph import walk
from anyscale_k8s_cli.parts import Composed, PartChange
from anyscale_k8s_cli.resource import (
    WRITES,
    Change,
    Decision,
    NotYetKnown,
    Observed,
    Ownership,
    Resource,
    Rights,
    awaiting,
    decide,
)
from anyscale_k8s_cli.run import Run


@dataclass(frozen=True)
class PlannedChange:
    """What is to be done with one resource, and what was seen of it.

    `parts` is what becomes of the objects that it consists of, where that was asked.
    """

    resource: Resource[Any]
    decision: Decision
    observed: Observed[Any] | None
    parts: tuple[PartChange, ...] = ()

    @property
    def change(self) -> Change:
        return self.decision.change

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.resource.key,
            "kind": self.resource.kind,
            "title": self.resource.title,
            "change": self.decision.change.value,
            "reason": self.decision.reason,
            "ownership": self.decision.ownership.value,
            "id": self.observed.id if self.observed else None,
            **({"parts": [part.as_json() for part in self.parts]} if self.parts else {}),
        }


@dataclass(frozen=True)
class Plan:
    """The changes in an order in which they could be made."""

    changes: tuple[PlannedChange, ...]

    @property
    def unsettled(self) -> bool:
        """Whether something that is there is not of use yet."""
        return any(item.observed is not None and not item.observed.settled for item in self.changes)

    @property
    def writes(self) -> tuple[PlannedChange, ...]:
        return tuple(item for item in self.changes if item.change in WRITES)

    @property
    def refusals(self) -> tuple[PlannedChange, ...]:
        return tuple(item for item in self.changes if item.change is Change.REFUSE)

    def summary(self) -> dict[str, int]:
        """How many of each change; every change is named, also with zero."""
        counts = Counter(item.change for item in self.changes)
        return {change.value: counts.get(change, 0) for change in Change}

    def raise_for_refusals(self) -> None:
        """Raise when something may not be touched or used."""
        if not self.refusals:
            return
        first = self.refusals[0]
        code, what = errors.FOREIGN_OBJECT, "used"
        if first.decision.ownership is Ownership.ADOPTED:
            code = errors.ADOPTED_MISSING if first.observed is None else errors.ADOPTED_UNFIT
        elif first.decision.ownership is Ownership.OURS:
            code, what = errors.INVALID_SPEC, "changed so"
        raise errors.CliError(
            code,
            f"{first.resource.title} cannot be {what}",
            cause=first.decision.reason,
            evidence=tuple(
                f"{item.resource.key}: {item.decision.reason}" for item in self.refusals[1:]
            ),
            # Each once: what lets the first be used may be needed by the next.
            fix="\n".join(
                dict.fromkeys(filter(None, (item.decision.fix for item in self.refusals)))
            ),
        )

    def raise_for_changes(self) -> None:
        """Raise when something that exists would be changed, a mark on it included."""
        changed = [item for item in self.writes if item.observed is not None]
        if changed:
            raise errors.CliError(
                errors.CHANGES_EXISTING,
                f"{changed[0].resource.title} exists, and would be changed",
                cause=f"--only-create allows none of the {len(changed)} changes to what exists",
                evidence=tuple(f"{item.resource.key}: {item.decision.reason}" for item in changed),
                fix="leave --only-create out to make them",
            )


async def compute(resources: Sequence[Resource[Any]], rights: Rights, run: Run) -> Plan:
    """Read every resource, side by side as far as `needs` allows, and decide."""
    planned: dict[Resource[Any], PlannedChange] = {}

    def look(resource: Resource[Any]) -> PlannedChange:
        run.check()
        try:
            observed = resource.read()
        except NotYetKnown as unknown:
            decision = awaiting(unknown, Change.CREATE, Ownership.OURS)
            return PlannedChange(resource, decision, None)
        resource.observed = observed
        return PlannedChange(resource, decide(resource, observed, rights), observed)

    async def visit(resource: Resource[Any]) -> bool:
        planned[resource] = await asyncio.to_thread(look, resource)
        return True

    await raising_first(walk(edges(resources), visit))
    return Plan(tuple(planned[resource] for resource in resources))


async def with_parts(plan: Plan, of: Callable[[PlannedChange], bool] = lambda _: True) -> Plan:
    """The plan with what these updates make of the parts of what is there. Reads only."""

    def look(item: PlannedChange) -> PlannedChange:
        resource = item.resource
        if item.change is not Change.UPDATE or not isinstance(resource, Composed) or not of(item):
            return item
        try:
            return replace(item, parts=tuple(resource.parts(item.observed)))
        except NotYetKnown:
            return item

    looks = (asyncio.to_thread(look, item) for item in plan.changes)
    return Plan(tuple(await asyncio.gather(*looks)))


def edges(resources: Sequence[Resource[Any]]) -> dict[Resource[Any], set[Resource[Any]]]:
    """The needs of each resource, among the resources given."""
    known = set(resources)
    return {resource: set(resource.needs) & known for resource in resources}


async def raising_first(work: Any) -> Any:
    """Await the work; of a group of failures raise the one to tell a person."""
    try:
        return await work
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    flat: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        item = pending.pop(0)
        if isinstance(item, BaseExceptionGroup):
            pending.extend(item.exceptions)
        else:
            flat.append(item)
    # A defect in the code matters more than a foreseeable failure beside it.
    return next((item for item in flat if not isinstance(item, errors.CliError)), flat[0])
