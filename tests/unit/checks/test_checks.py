"""What becomes of checks: verdicts, waivers, and the error that the first failure ends in."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Check, Finding, Report, Severity, Status, passed, run_checks
from anyscale_k8s_cli.events import CheckFinished, Event, Notice
from anyscale_k8s_cli.run import Run


def failing() -> Finding:
    return Finding(Status.FAIL, "it is not there", ("seen",), "make it")


def denied() -> Finding:
    raise errors.CliError(errors.FORBIDDEN, "You may not ask", fix="have it allowed")


def never() -> Finding:
    raise AssertionError("a waived check is not run")


async def test_what_cannot_be_told_is_unknown_and_stops_nothing() -> None:
    report = await run_checks([Check("may-ask", "It can be told", denied)], Run())

    (result,) = report.results
    assert result.finding == Finding(Status.UNKNOWN, "You may not ask", (), "have it allowed")
    report.raise_for_failure()


async def test_a_waived_check_is_not_run_and_stays_visible() -> None:
    heard: list[Event] = []
    checks = [Check("first", "First", never), Check("second", "Second", passed)]

    report = await run_checks(checks, Run((heard.append,)), waived=("first", "elsewhere"))

    assert [result.finding.status for result in report.results] == [Status.WAIVED, Status.PASS]
    assert [result.as_json()["status"] for result in report.results] == ["waived", "pass"]
    assert {(event.code, event.status) for event in heard if isinstance(event, CheckFinished)} == {
        ("first", "waived"),
        ("second", "pass"),
    }
    assert [event.text for event in heard if isinstance(event, Notice)] == [
        "--waive elsewhere: no check of that name would run here"
    ]


@pytest.mark.parametrize(
    ("code", "near"), [("frist", "first"), ("aks-workload-identiy", "aks-workload-identity")]
)
async def test_a_waiver_that_is_mistyped_is_refused_with_the_names_near_it(
    code: str, near: str
) -> None:
    with pytest.raises(errors.CliError) as raised:
        await run_checks([Check("first", "First", never)], Run(), waived=("first", code))

    assert raised.value.code is errors.USAGE
    assert near in raised.value.cause


async def test_the_first_fatal_failure_is_the_error_and_others_are_evidence() -> None:
    checks = [
        Check("hint", "Hint", failing, Severity.WARNING),
        Check("one", "One", failing, error=errors.CLUSTER_FORBIDDEN),
        Check("two", "Two", failing),
    ]

    with pytest.raises(errors.CliError) as raised:
        (await run_checks(checks, Run())).raise_for_failure()

    assert raised.value.code is errors.CLUSTER_FORBIDDEN
    assert raised.value.evidence == ("seen", "also two: it is not there")
    assert raised.value.fix == "make it"
    assert raised.value.details == {"check": "one"}


def test_no_failure_raises_nothing() -> None:
    Report(()).raise_for_failure()
