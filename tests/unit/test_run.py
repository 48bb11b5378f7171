"""One run of a command: how long it waits, and what it tells of a wait in vain."""

from __future__ import annotations

import time

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import Event
from anyscale_k8s_cli.run import Run, StillWaiting

NOBODY = errors.CliError(errors.NO_ADDRESS, "The Gateway has no address", cause="nobody answers")


def never() -> None:
    raise StillWaiting("no address")


def test_where_the_commands_limit_comes_first_the_cause_is_told_all_the_same() -> None:
    run = Run(deadline=time.monotonic() + 2.0)

    with pytest.raises(errors.CliError) as raised:
        run.wait_for(never, what="the address", timeout=600, expired=lambda _: NOBODY)

    assert raised.value is NOBODY
    run.check()  # there was time left to look for it


@pytest.mark.parametrize(("left", "waits"), [(None, 600.0), (10_000.0, 600.0), (1.0, 0.0)])
def test_a_wait_leaves_time_to_tell(left: float | None, waits: float) -> None:
    run = Run(deadline=None if left is None else time.monotonic() + left)

    assert run.patience(600.0) == waits


def test_a_wait_that_is_over_is_told() -> None:
    told: list[Event] = []
    run = Run(listeners=(told.append,))
    run.wait_for(lambda: 1, what="an address", timeout=1)

    assert [item.name for item in told] == ["step-waiting", "step-waited"]
