"""A world for commands: a known width and name, and their own home to work in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from anyscale_k8s_cli.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Ended]


@pytest.fixture(autouse=True)
def world(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", ["anyscale"])
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Run a command line in this process, called as `anyscale` unless said otherwise."""

    def run(*arguments: str, program: str = "anyscale") -> Ended:
        monkeypatch.setattr("sys.argv", [program, *arguments])
        capsys.readouterr()
        code = main.run(arguments)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return run
