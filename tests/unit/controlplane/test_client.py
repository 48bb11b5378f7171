"""When a call is repeated, and what a strange answer becomes."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane import failures
from anyscale_k8s_cli.controlplane.client import CLIENT_NAME, Call, ControlPlane
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.transport import Limits
from anyscale_k8s_cli.events import CallMade, Event, StepWaiting
from anyscale_k8s_cli.run import Run

GET = Call("GET", "/x")


def open_plane(script: Any, events: list[Event] | None = None, **environ: str) -> ControlPlane:
    listeners = (events.append,) if events is not None else ()
    credentials = Credentials(script.url, "sss_token", "the test")
    limits = Limits(backoff=0.001)
    return ControlPlane(credentials, Run(listeners=listeners), environ=environ, limits=limits)


def answers(script: Any, *given: tuple[int, bytes, dict[str, str]]) -> None:
    kind = script.answer(None).__class__
    script.in_turn(*(kind(*one) for one in given))


OK = (200, b'{"result": 1}', {})


@pytest.mark.parametrize("status", [413, 429, 503])
def test_retry_after_is_honoured(script: Any, status: int) -> None:
    answers(script, (status, b"", {"Retry-After": "0"}), OK)
    assert open_plane(script).result(GET) == 1


def test_a_date_is_a_time_to_wait_too() -> None:
    moment = time.time()
    in_a_minute = formatdate(moment + 60, usegmt=True)
    assert failures._retry_after(in_a_minute, lambda: moment) == pytest.approx(60, abs=1)
    assert failures._retry_after(formatdate(0, usegmt=True), lambda: moment) == 0
    assert failures._retry_after("soon") is None


def test_nobody_makes_us_wait_for_hours(script: Any) -> None:
    answers(script, (503, b"", {"Retry-After": "86400"}))
    run = Run()
    told: list[StepWaiting] = []

    def stop_at_the_wait(event: Event) -> None:
        if isinstance(event, StepWaiting):
            told.append(event)
            run.stop()

    run.listeners = (stop_at_the_wait,)
    plane = ControlPlane(Credentials(script.url, "sss_t", "test"), run, environ={})
    with pytest.raises(errors.CliError):
        plane.result(GET)
    assert told[0].detail.endswith("trying again in 120 s")


def test_rate_limit_retries_can_be_switched_off(script: Any) -> None:
    answers(script, (429, b"", {"Retry-After": "0"}), OK)
    with pytest.raises(ApiFailure):
        open_plane(script, ANYSCALE_DISABLE_RATE_LIMIT_RETRIES="1").result(GET)


@pytest.mark.parametrize(("method", "asked"), [("GET", 4), ("PUT", 4), ("DELETE", 4), ("POST", 1)])
def test_only_what_is_idempotent_is_repeated(script: Any, method: str, asked: int) -> None:
    answers(script, (502, b"", {}))
    with pytest.raises(ApiFailure) as raised:
        open_plane(script).send(Call(method, "/x"))
    assert len(script.asked) == asked
    assert raised.value.outcome_unknown


def test_a_search_by_post_may_say_that_it_is_idempotent(script: Any) -> None:
    answers(script, (502, b"", {}), OK)
    assert open_plane(script).result(Call("POST", "/x", repeatable=True)) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 501, 599])
def test_what_is_final_is_not_repeated(script: Any, status: int) -> None:
    answers(script, (status, b"", {}))
    with pytest.raises(ApiFailure) as raised:
        open_plane(script).send(GET)
    assert len(script.asked) == 1
    assert raised.value.status == status


def test_a_redirect_is_not_followed(script: Any) -> None:
    answers(script, (302, b"", {"Location": "https://elsewhere.example/"}))
    with pytest.raises(ApiFailure) as raised:
        open_plane(script).send(GET)
    assert "redirected to https://elsewhere.example/" in raised.value.evidence
    assert "ANYSCALE_HOST" in raised.value.fix


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[]", b"{}"])
def test_an_answer_that_is_not_the_apis(script: Any, body: bytes) -> None:
    answers(script, (200, body, {"Content-Type": "text/html"}))
    with pytest.raises(ApiFailure) as raised:
        open_plane(script).result(GET)
    assert raised.value.code is errors.CONTROL_PLANE_FAILED
    assert not raised.value.outcome_unknown


def test_pages_end_with_the_last_token(script: Any) -> None:
    answers(
        script,
        (200, b'{"results": [1, 2], "metadata": {"next_paging_token": "a b"}}', {}),
        (200, b'{"results": [3], "metadata": {"next_paging_token": null}}', {}),
    )
    found = open_plane(script).results(Call("GET", "/x", query={"name": "n", "none": None}))
    assert list(found) == [1, 2, 3]
    paths = [asked.path for asked in script.asked]
    assert paths == ["/x?name=n&count=100", "/x?name=n&count=100&paging_token=a+b"]


def test_headers_name_us_and_carry_the_token(script: Any) -> None:
    open_plane(script).send(GET)
    headers = script.asked[0].headers
    assert headers["authorization"] == "Bearer sss_token"
    assert headers["x-anyscale-client"] == CLIENT_NAME
    assert headers["x-anyscale-client-version"]


def test_each_attempt_is_told(script: Any) -> None:
    answers(script, (500, b"", {}), OK)
    events: list[Event] = []
    open_plane(script, events).send(Call("GET", "/secret/abc", shown="/secret/***"))
    told = [(event.call, event.status) for event in events if isinstance(event, CallMade)]
    assert told == [("GET /secret/***", "500"), ("GET /secret/***", "200")]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"error": {"detail": "too small"}}', "too small"),
        (b'{"error": {"detail": [], "message": "readable"}}', "readable"),
        (b'{"error": {"detail": [{"loc": ["body", "name"], "msg": "no"}, 7]}}', "name: no; 7"),
        (b'{"detail": "without an envelope"}', "without an envelope"),
        (b"<html>", ""),
        (b"[1]", ""),
    ],
)
def test_what_the_server_says(script: Any, body: bytes, detail: str) -> None:
    answers(script, (400, body, {"x-trace-id": "abc"}))
    with pytest.raises(ApiFailure) as raised:
        open_plane(script).send(GET)
    assert raised.value.detail == detail
    assert raised.value.evidence == ("HTTP 400 on GET /x", "x-trace-id: abc")


def test_a_call_that_comes_after_the_end_waits_for_nothing(script: Any) -> None:
    """Of two things done side by side one may fail and end the command: the other must end too."""
    plane = ControlPlane(
        Credentials(script.url, "sss_token", "the test"),
        Run(deadline=time.monotonic() + 5),
        environ={},
    )
    plane.close()
    with pytest.raises(RuntimeError, match="closed"):
        plane.result(GET)
    assert script.asked == []


def test_a_proxy_that_is_none(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy:notaport")
    with pytest.raises(errors.CliError, match="not the address of a proxy") as refused:
        open_plane(script)
    assert refused.value.code is errors.USAGE
    assert "secret" not in str(refused.value)
