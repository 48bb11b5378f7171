"""The environment of what runs in a sandbox: a list of what is let through, and what leads there.

The real environment holds real credentials, so nothing of it is kept but what
has to do with this machine and this terminal.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anyscale_k8s_cli.sandbox import client

RECORD_VARIABLE = "ANYSCALE_SANDBOX_RECORD"
# As cluster/helm_executable.py knows it.
HELM_VARIABLE = "ANYSCALE_K8S_HELM"

_HARMLESS = frozenset(
    {
        "CI",
        "COLORTERM",
        "COLUMNS",
        "COMSPEC",
        "LANG",
        "LANGUAGE",
        "LINES",
        "LOGNAME",
        "NO_COLOR",
        "PATH",
        "PATHEXT",
        "SHELL",
        "SYSTEMROOT",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "WINDIR",
    }
)
_LOOPBACK = "127.0.0.1,localhost"


def harmless(present: Mapping[str, str]) -> dict[str, str]:
    """What a process in a sandbox may keep of the real environment."""
    return {
        name: value
        for name, value in present.items()
        if name.upper() in _HARMLESS or name.upper().startswith("LC_")
    }


@dataclass(frozen=True)
class Folder:
    """A sandbox's own folder, for its user alone: a home, executables, certificates, its log."""

    path: Path

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def kubeconfig(self) -> Path:
        return self.home / ".kube" / "config"

    @property
    def executables(self) -> Path:
        return self.path / "bin"

    @property
    def log(self) -> Path:
        return self.path / "sandbox.log"

    @property
    def helm(self) -> Path:
        return self.executables / ("helm.exe" if sys.platform == "win32" else "helm")

    def fill(self) -> None:
        """Make the home, and the executables but `helm`: this tool's own commands."""
        self.kubeconfig.parent.mkdir(parents=True)
        self.executables.mkdir()
        for name in ("anyscale", "anyscale-k8s"):
            self._add_own_command(name)

    def add_helm(self, helm: Path) -> None:
        if sys.platform == "win32":
            # Symbolic links need a privilege there.
            shutil.copy(helm, self.helm)
        else:
            self.helm.symlink_to(helm)

    def environment(self) -> dict[str, str]:
        """The variables that lead to this folder."""
        home = str(self.home)
        return {
            "HOME": home,
            "USERPROFILE": home,
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
            "KUBECONFIG": str(self.kubeconfig),
            "NO_PROXY": _LOOPBACK,
            "no_proxy": _LOOPBACK,
            HELM_VARIABLE: str(self.helm),
        }

    def _add_own_command(self, name: str) -> None:
        call = "import sys; from anyscale_k8s_cli.cli.main import main; sys.exit(main())"
        if sys.platform == "win32":
            text = f'@"{sys.executable}" -c "{call}" %*\r\n'
            _write_command(self.executables / f"{name}.cmd", text)
            return
        # By way of sh, because an interpreter's path may be too long or have spaces for `#!`.
        text = f"#!/bin/sh\n'''exec' '{sys.executable}' \"$0\" \"$@\"\n' '''\n{call}\n"
        _write_command(self.executables / name, text)


def for_child(present: Mapping[str, str], sandbox: Mapping[str, str], own: Path) -> dict[str, str]:
    """The whole environment of a command in a sandbox, with `own` first in its PATH."""
    kept = harmless(present)
    path = os.pathsep.join([str(own), kept.get("PATH", os.defpath)])
    return {**kept, **sandbox, "PATH": path}


def admin_variables(url: str, token: str, record: Path) -> dict[str, str]:
    """What lets a process in a sandbox find the sandbox itself."""
    return {
        client.URL_VARIABLE: url,
        client.TOKEN_VARIABLE: token,
        RECORD_VARIABLE: str(record),
    }


def _write_command(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
    path.chmod(0o700)
