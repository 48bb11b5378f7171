"""Each fault is told by one check: what fails because of another says so, and fails nothing."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import Any

from anyscale_k8s_cli.checks import (
    BoundCheck,
    Check,
    Finding,
    Report,
    Severity,
    Status,
    When,
    declared,
    passed,
    run_checks,
)
from anyscale_k8s_cli.checks.registry import every_check
from anyscale_k8s_cli.run import Run

VERIFY = frozenset({When.VERIFY})


def bound(code: str, status: Status, *objects: str, about: str = "", **more: Any) -> BoundCheck:
    finding = Finding(status, f"{code} is wrong", ("seen",), "mend it", objects)
    return Check(code, code, VERIFY, **more).bind(lambda: finding, about.split())


async def verdicts(*checks: BoundCheck) -> dict[str, Status]:
    report = await run_checks(checks, Run())
    return {result.check.code: result.finding.status for result in report.results}


async def test_what_cannot_be_well_without_another_is_told_by_that_one() -> None:
    cause = bound("bucket", Status.FAIL, breaks=frozenset({"health"}))
    report: Report = await run_checks([bound("health", Status.FAIL), cause], Run())

    follows, first = report.results
    assert first.failed
    assert follows.finding == Finding(
        Status.UNKNOWN, "not judged before bucket is well: health is wrong", ("seen",)
    )


async def test_a_warning_excuses_no_failure() -> None:
    breaks = {"severity": Severity.WARNING, "breaks": frozenset({"fails", "warns"})}
    found = await verdicts(
        bound("cause", Status.WARN, **breaks),
        bound("fails", Status.FAIL),
        bound("warns", Status.WARN, severity=Severity.WARNING),
    )

    assert found == {"cause": Status.WARN, "fails": Status.FAIL, "warns": Status.UNKNOWN}


async def test_objects_of_which_others_tell_are_not_told_twice() -> None:
    rights = bound("rights", Status.FAIL, about="release role")
    bucket = bound("bucket", Status.FAIL, about="bucket")

    both = await verdicts(bound("drift", Status.FAIL, "bucket", "release"), rights, bucket)
    assert both["drift"] is Status.UNKNOWN
    more = await verdicts(bound("drift", Status.FAIL, "bucket", "gateway"), rights, bucket)
    assert more["drift"] is Status.FAIL


async def test_one_that_is_well_explains_nothing() -> None:
    well = Check("bucket", "", VERIFY, breaks=frozenset({"health"})).bind(passed, ["bucket"])

    found = await verdicts(well, bound("health", Status.FAIL, "bucket"))

    assert found["health"] is Status.FAIL


def test_no_check_is_its_own_cause() -> None:
    """Else both would excuse each other, and nobody would tell."""
    breaks = {check.code: check.breaks for check in every_check()}

    assert list(TopologicalSorter(breaks).static_order())
    assert frozenset().union(*breaks.values()) <= breaks.keys()


def test_who_holds_another_identity_than_is_registered_is_told_by_the_registration() -> None:
    follows = declared.OPERATOR_HOLDS_IDENTITY.code

    assert follows in declared.OPERATOR_REGISTRATION.breaks
    assert follows in declared.OPERATOR_WORKLOAD.breaks
