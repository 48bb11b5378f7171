"""What is told of a release that does not come up."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.release_failures import ReleaseFailures


def test_how_long_was_waited_is_told_by_the_clock(world: Any) -> None:
    times = iter((0.0, 100.0, 265.0))
    failures = ReleaseFailures(world.kubernetes, "ray", "eg", clock=lambda: next(times))
    failures.begin()

    problem = failures.not_up(Reference("apps/v1", "Deployment", "eg", "ray"), "0 of 1")

    assert problem.code is errors.TIMED_OUT
    assert problem.message == "ray/eg did not come up in 165 s"
