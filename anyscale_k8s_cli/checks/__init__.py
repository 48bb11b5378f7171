"""Checks as data: setup, status and verify run the same records.

Belongs here: the record, its result, the runner, and checks of the cluster that
hold on every platform. Each check is declared once, in a `declared` module: the core's
in this package, a provider's in its own. What it does is bound to it where there is
something to look at. It gets what it needs as arguments of a closure and shares
nothing with others, so each runs alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial, wraps
from typing import Any, ParamSpec

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import CheckFinished, Notice
from anyscale_k8s_cli.run import Run, current_step
from anyscale_k8s_cli.troubles import Cause

Asked = ParamSpec("Asked")


class Status(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    WAIVED = "waived"


# A title says what should be.
_OTHERWISE: dict[str, str] = {
    Status.FAIL: "Not so",
    Status.WARN: "Not so",
    Status.UNKNOWN: "Not known",
}


def judgement(title: str, status: str) -> str:
    """A check's title with its verdict: what does not hold must not read as if it did."""
    otherwise = _OTHERWISE.get(status)
    return f"{otherwise}: {title}" if otherwise else title


class Severity(StrEnum):
    """`fatal`: what follows cannot succeed. `warning`: shown, no effect on the verdict."""

    FATAL = "fatal"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """What a check saw: its verdict, one line of detail, the evidence, and what mends it.

    `objects` are the keys of those that are wrong, where another check may tell of the same.
    """

    status: Status
    detail: str = ""
    evidence: tuple[str, ...] = ()
    fix: str = ""
    objects: tuple[str, ...] = ()


def passed(detail: str = "") -> Finding:
    return Finding(Status.PASS, detail)


def also(command: str, option: str) -> str:
    """The command with one more option; one that ends in a remark takes no more."""
    return command if "  # " in command or option in command else f"{command} {option}"


def problem_of(asked: Callable[[], Any]) -> errors.CliError | None:
    """What a question raised, None if nothing. Raises what tells of an interruption."""
    try:
        asked()
    except errors.CliError as problem:
        if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
            raise
        return problem
    return None


def unless_denied(
    doing: str,
) -> Callable[[Callable[Asked, Finding]], Callable[Asked, Finding]]:
    """For what is asked of a cloud: whoever may not do this (ask, look) does not know."""

    def around(ask: Callable[Asked, Finding]) -> Callable[Asked, Finding]:
        @wraps(ask)
        def asked(*args: Asked.args, **named: Asked.kwargs) -> Finding:
            try:
                return ask(*args, **named)
            except errors.CloudFailure as failure:
                if failure.denied:
                    return Finding(Status.UNKNOWN, f"you may not {doing}: {failure}")
                raise

        return asked

    return around


def _surely(ask: Callable[[int], Finding], count: int) -> Finding:
    finding = ask(count)
    if finding.status is not Status.FAIL:
        return finding
    return replace(finding, fix=f"{finding.fix}\nand run the same command again")


def _warned(finding: Finding) -> Finding:
    return replace(finding, status=Status.WARN) if finding.status is Status.FAIL else finding


class When(StrEnum):
    """What is being done when a check is asked."""

    SETUP = "setup"
    REGISTER = "register"
    STATUS = "status"
    VERIFY = "verify"
    DOCTOR = "doctor"
    PROBE = "probe"


BEFORE = frozenset({When.SETUP, When.REGISTER})
AFTER = frozenset({When.STATUS, When.VERIFY})
ANY_TIME = BEFORE | {When.VERIFY}


class Need(StrEnum):
    """What a check cannot do without."""

    CLUSTER = "cluster"
    CLOUD = "cloud"
    CONTROL_PLANE = "control-plane"
    OPERATOR = "operator"
    POD = "pod"


@dataclass(frozen=True)
class Check:
    """A check as it is declared: what it is called, when it is asked, and what it needs.

    `code` is a slug and the name of its page in `docs/checks/`. `error` is the code of
    the error that a failed fatal check ends the command with, so that scripts see the
    cause and not only that checks failed. `adds` are the kinds of object for which there is
    to be room: it is asked only where one of them is to be made. `breaks` are the codes of
    those that cannot be well while this one fails. `explains` is why a load balancer gets no
    address, where that is what is wrong.
    """

    code: str
    title: str
    when: frozenset[When]
    needs: frozenset[Need] = frozenset()
    severity: Severity = Severity.FATAL
    error: errors.ErrorCode = errors.CHECKS_FAILED
    adds: frozenset[str] = frozenset()
    breaks: frozenset[str] = frozenset()
    explains: Cause | None = None

    def bind(self, run: Callable[[], Finding], about: Iterable[str] = ()) -> BoundCheck:
        return BoundCheck(self, run, frozenset(about))

    def bind_room(self, ask: Callable[[int], Finding]) -> BoundCheck:
        """With a question for so many. What is not known to be made is one, and a warning."""
        return BoundCheck(self, lambda: _warned(ask(1)), ask=ask)


@dataclass(frozen=True)
class BoundCheck:
    """A check with what it does here and now; `about` are keys of the objects that it judges.

    `ask` is the question after room for so many, of a check that asks for room.
    """

    check: Check
    run: Callable[[], Finding]
    about: frozenset[str] = frozenset()
    ask: Callable[[int], Finding] | None = None

    @property
    def code(self) -> str:
        return self.check.code

    def for_new(self, count: int) -> BoundCheck:
        """The check where so many objects are surely made: without room for them it fails."""
        return self if self.ask is None else replace(self, run=partial(_surely, self.ask, count))


@dataclass(frozen=True)
class Result:
    check: Check
    finding: Finding

    @property
    def failed(self) -> bool:
        return self.finding.status is Status.FAIL and self.check.severity is Severity.FATAL

    @property
    def unwell(self) -> bool:
        return self.finding.status in (Status.WARN, Status.FAIL)

    @property
    def headline(self) -> str:
        return judgement(self.check.title, self.finding.status)

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.check.code,
            "title": self.check.title,
            "severity": self.check.severity.value,
            "status": self.finding.status.value,
            "detail": self.finding.detail,
            "evidence": list(self.finding.evidence),
            "fix": self.finding.fix,
        }


@dataclass(frozen=True)
class Report:
    results: tuple[Result, ...] = field(default_factory=tuple)

    @property
    def first_failure(self) -> Result | None:
        return next((result for result in self.results if result.failed), None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line for each that may be wrong, and stops nothing."""
        return tuple(
            f"{result.headline}: {result.finding.detail}"
            for result in self.results
            if result.finding.status in (Status.WARN, Status.UNKNOWN)
        )

    def as_json(self) -> dict[str, Any]:
        """Members of a document about checks: the verdict, how many of each, and all of them."""
        counts = Counter(result.finding.status for result in self.results)
        return {
            "well": self.first_failure is None,
            "summary": {status.value: counts.get(status, 0) for status in Status},
            "checks": [
                {**result.as_json(), "page": f"docs/checks/{result.check.code}.md"}
                for result in self.results
            ],
        }

    def raise_for_failure(self) -> None:
        """Raise the first fatal failure, with the others as evidence."""
        first = self.first_failure
        if first is None:
            return
        others = [result for result in self.results if result.failed and result is not first]
        raise errors.CliError(
            first.check.error,
            first.headline,
            cause=first.finding.detail,
            evidence=first.finding.evidence
            + tuple(f"also {item.check.code}: {item.finding.detail}" for item in others),
            fix=first.finding.fix,
            details={"check": first.check.code},
        )


async def run_checks(
    checks: Sequence[BoundCheck], run: Run, waived: Collection[str] = ()
) -> Report:
    """Run all side by side; a check that cannot tell is `unknown`, never `pass`.

    What fails only because another one does is `unknown`, too, and says so: each fault is
    told by one. That a waiver names no check that would run is told.
    """
    for code in sorted(set(waived) - {check.code for check in checks}):
        text = f"--waive {code}: no check of that name would run here"
        run.emit(Notice(level="warning", text=text))

    def one(bound: BoundCheck) -> Result:
        check = bound.check
        if check.code in waived:
            return Result(check, Finding(Status.WAIVED, "waived by its code"))
        # What a check waits for ends with it, and with no other.
        current_step.set(check.code)
        try:
            return Result(check, bound.run())
        except errors.CliError as problem:
            if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
                raise
            finding = Finding(Status.UNKNOWN, str(problem), problem.evidence, problem.fix)
            return Result(check, finding)

    everything = [asyncio.ensure_future(asyncio.to_thread(one, bound)) for bound in checks]

    async def reported(own: asyncio.Future[Result]) -> Result:
        result = await own
        if result.unwell:
            seen = await asyncio.gather(*everything)
            others = [pair for pair in zip(checks, seen, strict=True) if pair[1] is not result]
            result = judged(result, others)
        run.emit(
            CheckFinished(
                code=result.check.code,
                title=result.check.title,
                status=result.finding.status.value,
                detail=result.finding.detail,
            )
        )
        return result

    return Report(tuple(await asyncio.gather(*map(reported, everything))))


def judged(result: Result, others: Iterable[tuple[BoundCheck, Result]]) -> Result:
    """The result as it is; `unknown` where others tell already of all that is wrong with it."""
    unwell = [(bound, other) for bound, other in others if other.unwell]
    broken = {
        other.check.code
        for _, other in unwell
        # A warning excuses no failure.
        if result.check.code in other.check.breaks and (other.failed or not result.failed)
    }
    wrong = set(result.finding.objects)
    telling = {other.check.code: bound.about & wrong for bound, other in unwell}
    told = bool(wrong) and wrong <= frozenset().union(*telling.values())
    causes = sorted(broken or {code for code, about in telling.items() if about and told})
    if not causes:
        return result
    finding = Finding(
        Status.UNKNOWN,
        f"not judged before {' and '.join(causes)} is well: {result.finding.detail}",
        result.finding.evidence,
    )
    return Result(result.check, finding)
