"""What one look into a store means for each of its checks, whatever kind of store it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.checks import Finding, Status, passed, problem_of
from anyscale_k8s_cli.errors import CliError, ErrorCode
from anyscale_k8s_cli.parallel import Once


@dataclass(frozen=True)
class Looked:
    """`unreachable` is the code of a store that gives no answer at all."""

    once: Once[Any]
    unreachable: ErrorCode

    def reached(self) -> Finding:
        problem = problem_of(self.once)
        if problem is not None and problem.code is self.unreachable:
            return failed(problem)
        return passed()

    def admitted(self) -> Finding:
        """The keys, and any refusal that nobody foresaw: none must go under."""
        problem = problem_of(self.once)
        if problem is None:
            return passed()
        return unanswered(problem) if problem.code is self.unreachable else failed(problem)


def failed(problem: CliError) -> Finding:
    return Finding(Status.FAIL, str(problem), problem.evidence, problem.fix)


def unanswered(problem: CliError) -> Finding:
    return Finding(Status.UNKNOWN, f"not answered: {problem.message}")
