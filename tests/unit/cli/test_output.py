"""Results: one document on standard output, and nothing else there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
import yaml

from anyscale_k8s_cli.cli import output

from . import samples, toys
from .conftest import Invoke

SETUP = ("cloud", "setup", "--provider", "eks", "--cluster-name", "demo", "--name", "prod", "--yes")


def test_json_is_one_line_in_a_pipe(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    ended = invoke(*SETUP, "-o", "json", "-v")

    assert ended.out.count("\n") == 1
    assert json.loads(ended.out) == samples.setup()
    assert "Looking" in ended.err


def test_json_is_indented_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    output.write({"schema": "s", "list": [1]}, "json", lambda *_: None)

    assert screen.getvalue() == '{\n  "schema": "s",\n  "list": [\n    1\n  ]\n}\n'


def test_yaml_is_the_same_document(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    assert yaml.safe_load(invoke(*SETUP, "-o", "yaml").out) == samples.setup()


def test_json_survives_a_console_that_is_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    old = io.TextIOWrapper(raw, encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", old)
    output.write({"text": "1 → 2"}, "json", lambda *_: None)

    assert json.loads(raw.getvalue().decode("cp1252")) == {"text": "1 → 2"}


def test_a_failed_report_says_what_was_done_and_has_the_error(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    operation.done.document = samples.failed_setup()
    toys.instead_of_setup(monkeypatch, operation)

    text, document = invoke(*SETUP), invoke(*SETUP, "-o", "json")

    assert (text.code, document.code) == (3, 3)
    assert "4 created" in text.out
    assert "✗ failed Operator release" in text.out
    assert "✗ The load balancer got no address" in text.err
    assert json.loads(document.out) == samples.failed_setup()


def test_commands_in_documents_have_the_name_that_was_typed(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    operation.done.document = samples.failed_setup()
    toys.instead_of_setup(monkeypatch, operation)

    ended = invoke(*SETUP, "-o", "json", program="anyscale-k8s")

    fix = json.loads(ended.out)["error"]["fix"]
    assert fix == "anyscale-k8s cloud setup --lb-subnet subnet-1 --name prod"


def test_events_to_a_file_and_to_standard_error(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    here = invoke(*SETUP, "-o", "json", "--events", "-")
    there = invoke(*SETUP, "-o", "json", "--events", "events.ndjson")

    told = [json.loads(line) for line in here.err.splitlines()]
    with open("events.ndjson", encoding="utf-8") as file:
        kept = [json.loads(line) for line in file]
    names = ["phase-started", "notice", "phase-finished"]
    assert [event["event"] for event in told] == names
    assert [event["event"] for event in kept] == names
    assert here.out == there.out


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_goes_away_is_no_failure() -> None:
    code = (
        "import sys; from anyscale_k8s_cli.cli import output;"
        "sys.stdin.read();"
        "output.write({'text': 'x' * 200000}, 'json', lambda *_: None)"
    )
    read, write = os.pipe()
    os.close(read)
    child = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, input=b"", check=False
    )
    os.close(write)

    assert (child.returncode, child.stderr) == (0, b"")
