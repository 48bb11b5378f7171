"""What becomes of checks: verdicts, waivers, and the error that the first failure ends in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import (
    BEFORE,
    BoundCheck,
    Check,
    Finding,
    Report,
    Severity,
    Status,
    When,
    passed,
    run_checks,
)
from anyscale_k8s_cli.checks.registry import (
    codes,
    declared_by,
    every_check,
    refuse_slips,
    refuse_unknown,
)
from anyscale_k8s_cli.checks.room import Room, room, with_room
from anyscale_k8s_cli.events import CheckFinished, Event, Notice
from anyscale_k8s_cli.run import Run


def bound(code: str, run: Callable[[], Finding], **more: Any) -> BoundCheck:
    return Check(code, code.capitalize(), BEFORE, **more).bind(run)


def failing() -> Finding:
    return Finding(Status.FAIL, "it is not there", ("seen",), "make it")


def denied() -> Finding:
    raise errors.CliError(errors.FORBIDDEN, "You may not ask", fix="have it allowed")


def never() -> Finding:
    raise AssertionError("a waived check is not run")


async def test_what_cannot_be_told_is_unknown_and_stops_nothing() -> None:
    report = await run_checks([bound("may-ask", denied)], Run())

    (result,) = report.results
    assert result.finding == Finding(Status.UNKNOWN, "You may not ask", (), "have it allowed")
    report.raise_for_failure()


async def test_a_waived_check_is_not_run_and_stays_visible() -> None:
    heard: list[Event] = []
    checks = [bound("first", never), bound("second", passed)]

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
    ("code", "near"),
    [("aks-workload-identiy", "aks-workload-identity"), ("cluster-right", "cluster-rights")],
)
def test_a_waiver_that_is_mistyped_is_refused_with_the_names_near_it(code: str, near: str) -> None:
    with pytest.raises(errors.CliError) as raised:
        refuse_slips("--waive", ["elsewhere", near, code], When.SETUP)

    assert raised.value.code is errors.USAGE
    assert near in raised.value.cause


def test_a_provider_brings_its_own_checks() -> None:
    own = {check.code for check in declared_by("eks")}

    assert {"aws-permissions", "cluster-rights"} <= own
    assert "gcp-permissions" not in own
    assert "gcp-permissions" in codes(When.SETUP)
    assert "gcp-permissions" not in codes(When.STATUS)
    assert {"store-unreachable"} <= {check.code for check in declared_by("generic")}


def test_a_code_is_declared_once() -> None:
    assert len({check.code for check in every_check()}) == len(every_check())
    assert declared_by("nobody") == declared_by("nothing")


def test_the_checks_are_known_without_any_sdk() -> None:
    program = (
        "import sys; from anyscale_k8s_cli.checks.registry import every_check; every_check(); "
        "print([name for name in ('boto3', 'google', 'azure', 'oci', 'nebius', 'kubernetes') "
        "if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )

    assert told.stdout.strip() == "[]"


async def test_the_first_fatal_failure_is_the_error_and_others_are_evidence() -> None:
    checks = [
        bound("hint", failing, severity=Severity.WARNING),
        bound("one", failing, error=errors.CLUSTER_FORBIDDEN),
        bound("two", failing),
    ]

    with pytest.raises(errors.CliError) as raised:
        (await run_checks(checks, Run())).raise_for_failure()

    assert raised.value.code is errors.CLUSTER_FORBIDDEN
    assert raised.value.evidence == ("seen", "also two: it is not there")
    assert raised.value.fix == "make it"
    assert raised.value.details == {"check": "one"}


def test_no_failure_raises_nothing() -> None:
    Report(()).raise_for_failure()


def test_a_check_that_is_asked_for_must_be_one() -> None:
    refuse_unknown("--only", ["drift"], When.VERIFY)
    for code, said in (("drft", "near it: drift"), ("elsewhere", "there are: ")):
        with pytest.raises(errors.CliError) as raised:
            refuse_unknown("--only", [code], When.VERIFY)
        assert raised.value.code is errors.USAGE
        assert raised.value.cause.startswith(said)


@pytest.mark.parametrize(("used", "status"), [(50, Status.FAIL), (49, Status.PASS)])
def test_room_is_told_by_limit_used_and_needed(used: int, status: Status) -> None:
    found = room([Room("roles", 3, 10), Room("buckets", used, 50)], "ask for more")
    assert found.status is status
    assert "buckets: limit 50, used" in found.detail
    assert ("roles" in found.detail) is (status is Status.PASS)


@pytest.mark.parametrize(
    ("new", "unsure", "status"),
    [
        # Two of a kind need two; what is not made is not asked for.
        ({"role": 2}, (), Status.FAIL),
        ({"role": 1}, (), Status.PASS),
        ({"role": 2}, ("role",), Status.PASS),
        ({"role": 2, "gateway": 1}, ("gateway",), Status.FAIL),
        ({"gateway": 1}, (), None),
    ],
)
async def test_a_plan_is_stopped_by_a_limit_that_it_would_surely_exceed(
    new: dict[str, int], unsure: tuple[str, ...], status: Status | None
) -> None:
    check = Check("role-quota", "Room", BEFORE, adds=frozenset({"role"}), error=errors.NO_ROOM)
    bound = check.bind_room(lambda count: room([Room("roles", 9, 10, count)], "ask for more"))

    report = await run_checks(list(with_room([bound], new, unsure)), Run())

    assert [result.finding.status for result in report.results] == [status][: status is not None]
    if status is Status.FAIL:
        with pytest.raises(errors.CliError) as raised:
            report.raise_for_failure()
        assert raised.value.code is errors.NO_ROOM
        assert raised.value.exit_code is errors.ExitCode.CHECKS_FAILED
        assert raised.value.cause == "roles: limit 10, used 9, needed 2"
        assert raised.value.fix == "ask for more\nand run the same command again"


async def test_a_limit_that_is_full_warns_where_nothing_is_known_to_be_made() -> None:
    check = Check("role-quota", "Room", BEFORE, adds=frozenset({"role"}))
    report = await run_checks([check.bind_room(lambda n: room([Room("r", 9, 9, n)], ""))], Run())
    assert report.results[0].finding.status is Status.WARN
    report.raise_for_failure()


@pytest.mark.parametrize("limit", [10, -1])
def test_without_a_limit_there_is_room(limit: int) -> None:
    assert Room("roles", 3, limit).enough
