"""The log of a command: enough to tell later what was done and how it ended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.run import Run

from . import samples, toys
from .conftest import Invoke

SETUP = ("cloud", "setup", "--provider", "eks", "--cluster-name", "demo", "--name", "prod")
STAMP = r"# \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} "


def lines() -> list[str]:
    return Path("run.log").read_text(encoding="utf-8").splitlines()


def test_it_says_what_was_typed_what_was_shown_and_how_it_ended(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    assert invoke(*SETUP, "--yes", "-o", "json", "--log-file", "run.log").code == 0

    first, *between, last = lines()
    assert re.fullmatch(rf"{STAMP}anyscale-k8s-cli \S+: anyscale {' '.join(SETUP)} .*", first)
    assert "[   0.0s]   a notice" in between
    assert "4 to create, 1 to update; 2 stay as they are." in between
    assert "✓ Cloud prod is HEALTHY" in between
    assert re.fullmatch(rf"{STAMP}ended with exit code 0", last)


def test_a_failed_report_ends_with_its_error(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    operation.done.document = samples.failed_setup()
    toys.instead_of_setup(monkeypatch, operation)

    invoke(*SETUP, "--yes", "--log-file", "run.log")

    assert "✗ The load balancer got no address" in lines()
    assert lines()[-1].endswith("ended with exit code 3")


def test_an_end_without_a_result_is_told_too(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Run) -> None:
        raise errors.CliError(errors.FORBIDDEN, "It failed", "a cause")

    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=fail))

    invoke(*SETUP, "--yes", "--log-file", "run.log")

    assert lines()[-4:-1] == ["✗ It failed", "  cause: a cause", "  code:  forbidden (exit code 4)"]
    assert lines()[-1].endswith("ended with exit code 4")


def test_a_secret_that_was_typed_is_not_kept(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYSCALE_CLI_TOKEN", "sss_marker_value")
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    invoke(*SETUP, "--yes", "--tag", "mistake=sss_marker_value", "--log-file", "run.log")

    assert "--tag mistake=***" in lines()[0]
    assert "sss_marker_value" not in "\n".join(lines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
@pytest.mark.parametrize("option", ["--log-file", "--events"])
def test_a_full_disk_ends_the_file_and_not_the_command(
    option: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    ended = invoke(*SETUP, "--yes", option, "/dev/full")

    assert ended.code == 0
    assert ended.err.count(f"! {option}: cannot write /dev/full: No space left on device") == 1
