"""What the engine does with resources, shown with toys: no cloud is needed for that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from anyscale_k8s_cli import apply, plan
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import (
    Change,
    Decision,
    FieldChange,
    Observed,
    Ownership,
    Resource,
    Rights,
    SharedResource,
    Users,
)
from anyscale_k8s_cli.run import Run

INSTALL = Install("toy", "account", "region", "cluster", "namespace", "prod")


class Toy(Resource[str]):
    """Lives in a dictionary; every verb that was called on it is in `calls`."""

    kind: ClassVar[str] = "toy"

    def __init__(self, world: dict[str, str], name: str, *needs: Resource[Any]) -> None:
        super().__init__(key=name, title=name, install=INSTALL, needs=needs)
        self.world = world
        self.calls: list[str] = []

    def read(self) -> Observed[str] | None:
        found = self.world.get(self.key)
        return None if found is None else Observed(self.key, found, owner=INSTALL)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        found = observed.output
        return [] if found == "good" else [FieldChange("state", found, "good")]

    def create(self) -> Observed[str]:
        return self._write("create")

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        return self._write("update")

    def delete(self, observed: Observed[str]) -> None:
        self.calls.append("delete")
        del self.world[self.key]

    def ready(self, observed: Observed[str]) -> Observed[str]:
        self.calls.append("ready")
        return observed

    def _write(self, verb: str) -> Observed[str]:
        self.calls.append(verb)
        self.world[self.key] = "good"
        return Observed(self.key, "good", owner=INSTALL)


class Journal:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def guard(self) -> None: ...

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        self.lines.append(f"done {resource.key}")

    def removed(self, resource: Resource[Any]) -> None:
        self.lines.append(f"removed {resource.key}")


def applied(*toys: Toy) -> list[str]:
    """Plan and apply; returns what the journal was told."""
    journal, run = Journal(), Run()
    computed = asyncio.run(plan.compute(toys, Rights(), run))
    outcome = asyncio.run(apply.forwards(computed, run, journal))
    assert outcome.error is None
    return journal.lines


def chain(world: dict[str, str]) -> tuple[Toy, Toy, Toy, Toy]:
    """`door` stands on `wall`, `wall` on `ground`; `tree` on nothing."""
    ground = Toy(world, "ground")
    wall = Toy(world, "wall", ground)
    return ground, wall, Toy(world, "door", wall), Toy(world, "tree")


def test_what_is_as_it_should_be_is_left_alone() -> None:
    toys = chain(dict.fromkeys(("ground", "wall", "door", "tree"), "good"))

    assert applied(*toys) == []
    assert [toy.calls for toy in toys] == [[], [], [], []]


def test_what_stands_on_something_written_is_looked_at_again() -> None:
    """It may not be of use any more: a proxy gets another address, a role is another one."""
    ground, wall, door, tree = toys = chain({"wall": "good", "door": "good", "tree": "good"})

    assert applied(*toys) == ["done ground"]
    assert ground.calls == ["create", "ready"]
    assert wall.calls == door.calls == ["ready"]
    assert tree.calls == []


def test_what_a_write_needs_is_of_use_first() -> None:
    ground, wall, door, _ = toys = chain(dict.fromkeys(("ground", "wall", "tree"), "good"))

    assert applied(*toys) == ["done door"]
    assert door.calls == ["create", "ready"]
    assert wall.calls == ["ready"]
    assert ground.calls == []


class SharedToy(Toy, SharedResource[str]):
    """Kept while somebody else uses it."""

    goes_first: ClassVar[bool] = True

    def others(self, observed: Observed[str]) -> Users:
        return Users(("somebody",))

    def unmark(self, observed: Observed[str]) -> None:
        self.calls.append("unmark")


def test_what_goes_first_is_left_without_our_mark_before_the_rest_is_removed() -> None:
    """Its mark alone leads nowhere: a run that dies in between must find it by the rest."""
    key = SharedToy({}, "key")
    house = Toy({"house": "good"}, "house", key)
    house.calls = key.calls
    marked = Observed("key", "good", marks=frozenset({INSTALL.mark}))
    changes = [
        plan.PlannedChange(house, decided(Change.DELETE), Observed("house", "good", owner=INSTALL)),
        plan.PlannedChange(key, decided(Change.KEEP), marked),
    ]

    assert asyncio.run(apply.backwards(changes, Run(), Journal())).error is None
    assert key.calls == ["unmark", "delete"]


def decided(change: Change) -> Decision:
    return Decision(change, Ownership.OURS, "for a test")
