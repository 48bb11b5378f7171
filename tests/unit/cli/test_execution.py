"""The life of a command: signals, limits, and the end in any case."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.execution import Session
from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.run import Run

from . import toys
from .conftest import Invoke

SETUP = ("cloud", "setup", "--provider", "eks", "--cluster-name", "demo", "--name", "prod", "--yes")


@pytest.mark.parametrize(
    ("number", "answer", "said"),
    [(signal.SIGINT, 130, "✗ Interrupted\n"), (signal.SIGTERM, 143, "✗ Terminated\n")],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_signal_stops_the_run_and_has_its_exit_code(
    number: signal.Signals,
    answer: int,
    said: str,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleaned = []

    def work(run: Run) -> None:
        signal.raise_signal(number)
        try:
            run.pause(30)
        finally:
            cleaned.append(run.stopped)

    toys.instead_of_setup(monkeypatch, toys.of_setup(doing=work))

    ended = invoke(*SETUP)

    assert ended.code == answer
    assert cleaned == [True]
    assert "run the same command again to go on" in ended.err
    assert "  fix:   run the same command again to go on\n" in ended.err
    assert ended.err.endswith(f"(exit code {answer})\n")
    assert said in ended.err or "✗ Interrupted\n" in ended.err


def test_after_a_signal_that_came_as_the_work_ended_nothing_is_asked(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup(looking=lambda _: signal.raise_signal(signal.SIGINT))
    toys.instead_of_setup(monkeypatch, operation)

    ended = invoke(*SETUP)

    assert ended.code == 130
    assert "Plan\n" not in ended.err
    assert operation.calls == ["plan"]


def test_the_signals_are_given_back(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    invoke(*SETUP)

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_time_runs_out(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(run: Run) -> None:
        run.pause(60)

    toys.instead_of_setup(monkeypatch, toys.of_setup(doing=work))

    ended = invoke(*SETUP, "--timeout", "1s")

    assert ended.code == 3
    assert "✗ The command's time limit is reached\n" in ended.err


def test_what_the_run_holds_open_is_closed(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    def work(run: Run) -> None:
        run.resources.callback(closed.append, "closed")

    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=work))
    invoke(*SETUP)

    assert closed == ["closed"]


def test_a_question_does_not_cost_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def answer() -> str:
        now[0] += 500
        return "yes"

    with Session(Common(timeout=60.0), schema="s") as session:
        assert session.off_the_clock(answer) == "yes"
        assert session.run.remaining() == 60.0


def test_both_steps_share_one_event_loop() -> None:
    async def loop(_: Run) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    with Session(Common(), schema="s") as session:
        first, second = session.execute(loop), session.execute(loop)

        assert first is second is session.run.loop


def test_outside_of_work_a_signal_is_raised_at_once() -> None:
    with pytest.raises(errors.CliError) as caught, Session(Common(), schema="s"):
        signal.raise_signal(signal.SIGINT)

    assert caught.value.code is errors.INTERRUPTED


STUBBORN = """
import signal, sys, threading, types
from anyscale_k8s_cli import operations
from anyscale_k8s_cli.cli import execution, main

execution.GRACE = float(sys.argv.pop(1))
never = threading.Event()

async def plan(request, run):
    import asyncio
    signal.raise_signal(signal.SIGINT)
    if execution.GRACE > 60:
        signal.raise_signal(signal.SIGINT)
    await asyncio.to_thread(never.wait)

operations.planning = types.SimpleNamespace(plan=plan)
sys.exit(main.main())
"""


@pytest.mark.parametrize("grace", ["0.1", "600"], ids=["after the grace", "after a second signal"])
def test_work_that_does_not_end_is_ended(grace: str, world: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", STUBBORN, grace, *SETUP, "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=dict(os.environ),
    )

    document = json.loads(child.stdout)
    assert child.returncode == 130
    assert document["schema"] == "anyscale-k8s/setup/v1"
    assert document["error"]["code"] == "interrupted"
    assert "did not end in time" in document["error"]["cause"]


DEAF = """
import sys, threading, types
from anyscale_k8s_cli import operations
from anyscale_k8s_cli.cli import execution, main

execution.GRACE = 0.1
never = threading.Event()

async def plan(request, run):
    import asyncio

    def ask():
        with run.asking("AWS (sts)"):
            never.wait()

    await asyncio.to_thread(ask)

operations.planning = types.SimpleNamespace(plan=plan)
sys.exit(main.main())
"""


def test_a_call_that_nobody_answers_does_not_outlive_the_limit(world: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", DEAF, *SETUP, "--timeout", "5s", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=dict(os.environ),
    )

    error = json.loads(child.stdout)["error"]
    assert child.returncode == 3
    assert error["code"] == "timed-out"
    assert error["evidence"] == ["no answer yet from AWS (sts)"]
    assert "Traceback" not in child.stderr


TALKATIVE = """
import os, sys, types
from anyscale_k8s_cli import operations
from anyscale_k8s_cli.cli import main
from anyscale_k8s_cli.events import Notice

async def plan(request, run):
    for number in range(100):
        run.emit(Notice(level="info", text=f"line {number}"))
    os.write(1, b"all was done")
    os._exit(0)

operations.planning = types.SimpleNamespace(plan=plan)
sys.exit(main.main())
"""


def test_a_reader_that_has_gone_ends_no_work_half_way(world: Path) -> None:
    """As with `2>&1 | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    child = subprocess.run(
        [sys.executable, "-c", TALKATIVE, *SETUP],
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
        check=False,
        timeout=60,
        env=dict(os.environ),
    )

    os.close(writing)

    assert (child.returncode, child.stdout) == (0, "all was done")
