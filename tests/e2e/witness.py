"""Somebody who notes every command line of a run: of this tool, and of what it starts."""

from __future__ import annotations

from pathlib import Path

from anyscale_k8s_cli.sandbox.environment import Folder
from tests.processes import Sandbox

# Notes the command line of every Python program, and of every program that one starts.
WITNESS = """
import os, sys
def note(words):
    with open(os.environ["WITNESS_NOTES"], "a", encoding="utf-8") as notes:
        notes.write(repr(words) + "\\n")
def saw(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        note(arguments[:2])
sys.addaudithook(saw)
note(sys.orig_argv)
"""
# helm itself, after noting how it was called; its environment is not that of its caller.
HELM = """#!/bin/sh
printf '%s\\n' "helm $*" >> '{notes}'
exec '{helm}' "$@"
"""


def witness(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Variables that make every program of a run leave its command line in `notes`."""
    (folder / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
    helm, notes = folder / "helm", folder / "notes"
    real = Folder(sandbox.record.directory).helm.resolve()
    helm.write_text(HELM.format(helm=real, notes=notes), encoding="utf-8")
    helm.chmod(0o700)
    return {
        "PYTHONPATH": str(folder),
        "WITNESS_NOTES": str(notes),
        "ANYSCALE_K8S_HELM": str(helm),
    }
