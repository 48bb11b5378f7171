"""Checks of a bucket that is entered by a key file, before anything is made. They only read.

What only a write can show is shown by the bucket's proof by use.
"""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.once import Once
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.providers.gcs import codes
from anyscale_k8s_cli.providers.gcs.keyed import KeyedProject
from anyscale_k8s_cli.providers.objectstore import declared


def checks(project: KeyedProject, bucket: str, *, adopted: bool) -> list[BoundCheck]:
    """`adopted` is a bucket of the user's own, in which the key needs rights on it alone."""
    look = project.check_bucket if adopted else project.check_project
    once = Once(partial(look, bucket))
    return [
        declared.STORE_UNREACHABLE.bind(partial(_answers, once)),
        declared.STORE_KEYS_DENIED.bind(partial(_admits, once)),
    ]


def _answers(once: Once) -> Finding:
    problem = once.problem()
    if problem is not None and problem.code is codes.GCP_UNREACHABLE:
        return _failed(problem)
    return passed("Cloud Storage")


def _admits(once: Once) -> Finding:
    """The key, and any refusal that nobody foresaw: none must go under."""
    problem = once.problem()
    if problem is None:
        return passed()
    if problem.code is codes.GCP_UNREACHABLE:
        return Finding(Status.UNKNOWN, f"not answered: {problem.message}")
    return _failed(problem)


def _failed(problem: CliError) -> Finding:
    return Finding(Status.FAIL, str(problem), problem.evidence, problem.fix)
