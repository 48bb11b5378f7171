"""A world for commands: a home of their own, no terminal, nothing real in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from anyscale_k8s_cli.cli import main

_REAL = ("AWS_", "ANYSCALE_", "GOOGLE_", "AZURE_", "KUBE", "HELM_", "XDG_")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Ended]


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(_REAL):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
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
