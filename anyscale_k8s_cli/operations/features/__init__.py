"""What works on a cloud as it is: features, each with the checks that it stands on.

Belongs here: the record of a feature, its answer, and how each is judged from what is
there: the registration, the cluster, the gateway, nodes and pools. What a check finds is
taken from its finding, and not looked at again. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Check, Finding, Status, declared, problem_of

Findings = Mapping[str, Finding]
"""What the checks of a cloud have found, by their codes."""


class Verdict(StrEnum):
    WORKS = "works"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """`detail` is by what it works, or why not; `fix` the one thing to do, a command or a step."""

    verdict: Verdict
    detail: str
    fix: str = ""


def works(detail: str) -> Answer:
    return Answer(Verdict.WORKS, detail)


def no(detail: str, fix: str) -> Answer:
    return Answer(Verdict.NO, detail, fix)


def unknown(detail: str, fix: str = "") -> Answer:
    return Answer(Verdict.UNKNOWN, detail, fix)


@dataclass(frozen=True)
class Feature:
    """Something that people expect of a cloud. Where one of `needs` fails, it does not work."""

    name: str
    title: str
    needs: tuple[Check, ...] = ()

    def judged(self, findings: Findings, judge: Callable[[], Answer]) -> FeatureLine:
        """By what it needs, and then by what `judge` says; unknown where looking fails."""
        answer = held_up(findings, self.needs)
        if answer is None:
            said: list[Answer] = []
            problem = problem_of(lambda: said.append(judge()))
            answer = said[0] if problem is None else _not_seen(problem)
        return FeatureLine(self, answer)


@dataclass(frozen=True)
class FeatureLine:
    feature: Feature
    answer: Answer

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.feature.name,
            "title": self.feature.title,
            "verdict": self.answer.verdict.value,
            "detail": self.answer.detail,
            "fix": self.answer.fix,
            "checks": [check.code for check in self.feature.needs],
        }


def held_up(findings: Findings, needs: tuple[Check, ...]) -> Answer | None:
    """The answer of the first check that fails, else of the first that could not be asked.

    None where nothing is in the way. A check that is not about this cloud has no finding.
    """
    found = [findings[check.code] for check in needs if check.code in findings]
    for status, verdict in ((Status.FAIL, Verdict.NO), (Status.UNKNOWN, Verdict.UNKNOWN)):
        for finding in found:
            if finding.status is status:
                return Answer(verdict, finding.detail, finding.fix)
    return None


def _not_seen(problem: errors.CliError) -> Answer:
    return unknown(str(problem), problem.fix)


# Without an operator that is let in and runs nothing happens in the cluster.
_OPERATOR = (
    declared.OPERATOR_REGISTRATION,
    declared.OPERATOR_IDENTITY,
    declared.OPERATOR_TOKEN,
    declared.OPERATOR_WORKLOAD,
)
BY_GATEWAY = (
    declared.OPERATOR_GATEWAY,
    declared.GATEWAY_LISTENERS,
    declared.GATEWAY_CERTIFICATES,
)

CONSOLE_LOGS = Feature(
    "console-logs",
    "Logs in the console",
    (declared.STORAGE_CONSOLE, declared.STORAGE_CORS),
)
LOG_INGESTION = Feature("log-ingestion", "Log search (ingestion)")
SERVICES = Feature("services", "Services", _OPERATOR)
ZERO_DOWNTIME = Feature("zero-downtime", "Zero-downtime updates", _OPERATOR)
FAULT_TOLERANCE = Feature("head-node-fault-tolerance", "Head-node fault tolerance", _OPERATOR)
SHARED_STORAGE = Feature("shared-storage", "Shared storage", _OPERATOR)
SPOT = Feature("spot", "Spot nodes", _OPERATOR)
CUSTOM_NETWORKING = Feature("custom-networking", "Custom networking (zones)", _OPERATOR)
INTERNAL_NETWORKING = Feature(
    "internal-networking", "Internal networking", (declared.OPERATOR_GATEWAY,)
)
GPU = Feature("gpu", "GPUs", _OPERATOR)

FEATURES = (
    CONSOLE_LOGS,
    LOG_INGESTION,
    SERVICES,
    ZERO_DOWNTIME,
    FAULT_TOLERANCE,
    SHARED_STORAGE,
    GPU,
    SPOT,
    CUSTOM_NETWORKING,
    INTERNAL_NETWORKING,
)
