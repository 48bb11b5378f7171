"""Two installs at one shared thing: marks, and who works on it."""

from __future__ import annotations

import threading
from typing import Any

from anyscale_k8s_cli.cluster.uses import Uses
from anyscale_k8s_cli.events import StepWaiting


def uses(world: Any, cloud: str, patience: float = 20) -> Uses:
    return Uses(world.surroundings(cloud), "default", "thing", patience=patience)


def test_marks_of_several_installs(world: Any) -> None:
    first, second = uses(world, "first"), uses(world, "second")
    assert first.look() is None
    for each in (first, second):
        with each.working():
            each.mark()
    used = first.look()
    assert used is not None
    assert len(used.marks) == 2
    assert used.working == ""
    first.unmark()
    left = second.look()
    assert left is not None
    assert left.marks == {world.surroundings("second").install.mark}
    second.forget()
    assert second.look() is None


def test_the_second_waits_until_the_first_is_done(world: Any) -> None:
    first, second = uses(world, "first"), uses(world, "second")
    order: list[str] = []
    started = threading.Event()

    def work() -> None:
        started.set()
        with second.working():
            order.append("second")

    other = threading.Thread(target=work)
    with first.working():
        other.start()
        started.wait()
        waiting = threading.Event()
        while not waiting.wait(0.02):
            if any(isinstance(event, StepWaiting) for event in world.events):
                break
        order.append("first")
    other.join(timeout=20)
    assert order == ["first", "second"]


def test_a_dead_worker_is_not_waited_for_beyond_its_time(world: Any) -> None:
    dead = uses(world, "first").working()
    dead.__enter__()
    with uses(world, "second", patience=1).working():
        used = uses(world, "second").look()
        assert used is not None
        assert used.working == world.surroundings("second").install.id


def test_our_own_dead_run_is_not_waited_for_at_all(world: Any) -> None:
    dead = uses(world, "first").working()
    dead.__enter__()
    with uses(world, "first").working():
        pass
    assert not [event for event in world.events if isinstance(event, StepWaiting)]
