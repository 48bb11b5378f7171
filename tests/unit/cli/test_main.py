"""Every end of a command has its exit code and says what happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.program import output_format, schema

from . import samples, toys
from .conftest import Invoke

SETUP = ("cloud", "setup", "--provider", "eks", "--cluster-name", "demo", "--name", "prod")

ENDS = [
    (errors.NOT_FOUND, 1),
    (errors.CONTROL_PLANE_FAILED, 2),
    (errors.TIMED_OUT, 3),
    (errors.FORBIDDEN, 4),
    (errors.PLAN_STALE, 5),
    (errors.CHECKS_FAILED, 6),
    (errors.INTERRUPTED, 130),
    (errors.TERMINATED, 143),
]


def failing(code: errors.ErrorCode) -> toys.Act:
    def fail(_: object) -> None:
        raise errors.CliError(code, "It failed", "a cause", ("seen",), "anyscale cloud list")

    return fail


@pytest.mark.parametrize(("code", "answer"), ENDS, ids=lambda value: getattr(value, "slug", ""))
def test_each_class_of_error_has_its_exit_code(
    code: errors.ErrorCode, answer: int, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=failing(code)))

    text, json_ = invoke(*SETUP, "--yes"), invoke(*SETUP, "--yes", "-o", "json")

    assert (text.code, json_.code) == (answer, answer)
    assert text.out == ""
    assert "✗ It failed\n  cause: a cause\n  seen:  seen\n" in text.err
    document = json.loads(json_.out)
    assert document["schema"] == "anyscale-k8s/setup/v1"
    assert document["error"]["exit_code"] == answer
    assert "It failed" not in json_.err


def test_done_is_0_and_pending_changes_are_7(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())
    plan = ("cloud", "plan", *SETUP[2:])

    assert invoke(*plan).code == 0
    assert invoke(*plan, "--exit-code").code == 7
    assert invoke(*SETUP, "--yes").code == 0


def test_nothing_pending_is_0(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = toys.of_setup()
    operation.found.document["summary"] = samples.summary(none=4)
    toys.instead_of_setup(monkeypatch, operation)

    assert invoke("cloud", "plan", *SETUP[2:], "--exit-code").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cloud", "setup", "--nope"], "No such option: --nope"),
        (["cloud", "setup", "--timeout", "soon"], "'soon' is not a time; write 30m, 1h30m or 90s"),
        (["cloud", "setup", "--expose", "both"], "--expose"),
        (["cloud", "setup", "--stack", "vm"], "Anyscale on Kubernetes (k8s) only"),
        (["cloud", "list", "a", "b"], "unexpected extra argument"),
        (["cloud", "stup"], "There is no command 'stup'"),
        (["cloud", "get", "a", "--name", "b"], "Two clouds are named"),
        (["cloud", "list", "-o", "xml"], "-o"),
        (["cloud", "list", "--log-file", "missing/folder/log"], "--log-file: cannot write"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_exit_1_and_not_2(arguments: list[str], said: str, invoke: Invoke) -> None:
    ended = invoke(*arguments)

    assert ended.code == 1
    assert said in ended.err
    assert "(exit code 1)" in ended.err
    assert ended.out == ""


def test_usage_errors_are_documents_under_json(invoke: Invoke) -> None:
    ended = invoke("cloud", "setup", "-ojson", "--nope")

    document = json.loads(ended.out)
    assert ended.code == 1
    assert ended.err == ""
    assert document["schema"] == "anyscale-k8s/setup/v1"
    assert document["error"]["code"] == "usage"


@pytest.mark.parametrize("option", ["--token", "--cli-token", "--api-key", "--secret-access-key"])
def test_secrets_are_refused_and_not_repeated(option: str, invoke: Invoke) -> None:
    ended = invoke("cloud", "setup", option, "aph0_marker")

    assert ended.code == 1
    assert f"✗ {option}: secrets are not taken as options\n" in ended.err
    assert "aph0_marker" not in ended.err


def test_a_defect_is_told_in_short_and_written_in_full(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, world: Path
) -> None:
    monkeypatch.setenv("ANYSCALE_CLI_TOKEN", "sss_marker_value")

    def break_(_: object) -> None:
        raise ZeroDivisionError("divided for sss_marker_value")

    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=break_))

    ended = invoke(*SETUP, "--yes")

    logs = list(world.rglob("*.log"))
    assert ended.code == 2
    assert "✗ This tool has failed\n  cause: ZeroDivisionError: divided for ***\n" in ended.err
    assert "Traceback" not in ended.err
    assert len(logs) == 1
    assert str(logs[0]) in ended.err
    written = logs[0].read_text(encoding="utf-8")
    assert "Traceback" in written
    assert "sss_marker_value" not in written


def test_what_failed_in_a_sandbox_is_there_when_the_sandbox_is_not(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, world: Path, tmp_path: Path
) -> None:
    def break_(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setenv("ANYSCALE_SANDBOX_ADMIN", "http://127.0.0.1:1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=break_))

    ended = invoke(*SETUP, "--yes")

    (log,) = tmp_path.glob("anyscale-k8s-*.log")
    assert str(log) in ended.err


def test_the_log_file_gets_the_traceback_too(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, world: Path
) -> None:
    def break_(_: object) -> None:
        raise ZeroDivisionError

    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=break_))

    ended = invoke(*SETUP, "--yes", "--log-file", "run.log")

    written = (world / "run.log").read_text(encoding="utf-8")
    assert "the full traceback is in run.log" in ended.err
    assert "Looking" in written
    assert "Traceback" in written


def test_debug_shows_the_traceback(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(_: object) -> None:
        raise ZeroDivisionError

    toys.instead_of_setup(monkeypatch, toys.of_setup(looking=break_))
    monkeypatch.setenv("ANYSCALE_DEBUG", "1")

    assert "Traceback (most recent call last)" in invoke(*SETUP, "--yes").err


def test_the_version(invoke: Invoke) -> None:
    assert invoke("--version").out.startswith("anyscale-k8s-cli ")


def test_an_unknown_command_of_our_own_group_is_told_with_those_there_are(invoke: Invoke) -> None:
    ended = invoke("sandbox", "fix")
    assert ended.code == 1
    assert "✗ There is no command `anyscale sandbox fix`\n  cause: there are: up," in ended.err
    assert "  fix:   anyscale sandbox --help\n" in ended.err
    assert "client" not in ended.err

    of_cloud = invoke("cloud", "frobnicate")
    assert "there are: init, plan, setup, " in of_cloud.err
    assert "Anyscale's own client, which may have it, is not installed" in of_cloud.err


def test_commands_of_the_vendor_need_its_client(invoke: Invoke) -> None:
    ended = invoke("job", "submit", "-f", "job.yaml")

    assert ended.code == 1
    assert ended.err == (
        "✗ `anyscale job submit` is not a command of this tool\n"
        "  cause: it is handed on to Anyscale's own client, which is not installed here\n"
        "  seen:  that client's script is `anyscale` too; this tool is `anyscale-k8s` as well\n"
        "  fix:   pip install anyscale\n"
        "  code:  usage (exit code 1)\n"
    )


def test_commands_of_the_vendor_are_handed_on(tmp_path: Path) -> None:
    """A distribution with a script of our name gets the arguments and gives the exit code."""
    (tmp_path / "vendorish.py").write_text(
        "import sys\ndef main():\n    print('vendor', *sys.argv)\n    return 9\n", encoding="utf-8"
    )
    info = tmp_path / "vendorish-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: vendorish\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[console_scripts]\nanyscale = vendorish:main\n", encoding="utf-8"
    )
    code = "import sys; from anyscale_k8s_cli.cli.main import main; sys.exit(main())"

    for typed in (["job", "submit", "--token", "x"], ["cloud", "set-default", "--name", "a"]):
        child = subprocess.run(
            [sys.executable, "-c", code, *typed],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        assert child.stdout == " ".join(["vendor", "anyscale", *typed]) + "\n"
        assert child.returncode == 9


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (["cloud", "list"], "text"),
        (["cloud", "list", "-o", "json"], "json"),
        (["cloud", "list", "--output=yaml"], "yaml"),
        (["-ojson"], "json"),
        (["-o"], "text"),
        (["-o", "xml"], "text"),
        (["sandbox", "run", "--", "x", "-o", "json"], "text"),
    ],
    ids=str,
)
def test_the_output_format_is_known_before_parsing(arguments: list[str], form: str) -> None:
    assert output_format(arguments) == form


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["cloud", "setup", "--name", "x"], "setup"),
        (["-o", "json", "cloud", "list"], "list"),
        (["sandbox", "up"], "sandbox-up"),
        (["login"], "login"),
        (["--nope"], "usage"),
        (["cloud"], "cloud"),
    ],
    ids=str,
)
def test_the_schema_is_known_before_parsing(arguments: list[str], name: str) -> None:
    assert schema(arguments) == f"anyscale-k8s/{name}/v1"


def test_what_this_machine_refuses_is_no_defect(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that is a file, for a command that keeps its state there."""
    home = tmp_path / "home"
    home.touch()
    monkeypatch.setenv("HOME", str(home))

    ended = invoke("sandbox", "up", "-o", "json")

    error = json.loads(ended.out)["error"]
    assert (ended.code, error["code"]) == (1, "file-unusable")
    assert error["cause"] == "Not a directory"
    assert "XDG_STATE_HOME" in error["fix"]


@pytest.mark.parametrize("option", ["--values-file", "--out"])
def test_a_file_that_cannot_be_written_is_refused_first(
    option: str, invoke: Invoke, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere" / "file"
    result = invoke("cloud", "plan", "--name", "w", option, str(nowhere))
    assert result.code == 1
    assert f"{nowhere.parent} is no folder that you may write in" in " ".join(result.err.split())
