"""Attaching a command to the sandbox: its environment instead of the real one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.crash import DEBUG_VARIABLE
from anyscale_k8s_cli.imports import needing

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.supervisor import SandboxRecord

START_SECONDS = 60.0

_REAL_BEGINNINGS = (
    "ANYSCALE_",
    "ARM_",
    "AWS_",
    "AZURE_",
    "CLOUDSDK_",
    "COREWEAVE_",
    "GCLOUD_",
    "GOOGLE_",
    "HELM_",
    "KUBECONFIG",
    "NEBIUS_",
    "OCI_",
)
# What stands between here and a cloud, and not on the way to the sandbox.
_BETWEEN = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def attach(*, start: bool) -> None:
    """Put the running sandbox's environment in place of this process's.

    Must come before anything reads the environment. With `start`, one is
    started if there is none; else raises `sandbox-not-running`.
    """
    with needing_packages():
        from anyscale_k8s_cli.sandbox import supervisor
        from anyscale_k8s_cli.sandbox.environment import Folder, for_child

        record = supervisor.attached()
        if record is None and start:
            sys.stderr.write("No sandbox is running; starting one.\n")
            sys.stderr.flush()
            record = supervisor.up(START_SECONDS)
    if record is None:
        raise not_running()
    environment = for_child(os.environ, record.environment, Folder(record.directory).executables)
    debug = {name: os.environ[name] for name in (DEBUG_VARIABLE,) if name in os.environ}
    os.environ.clear()
    os.environ.update({**environment, **debug})


def executables(record: SandboxRecord) -> Path:
    """Where the sandbox keeps its own programs, `helm` among them."""
    from anyscale_k8s_cli.sandbox.environment import Folder

    return Folder(record.directory).executables


def inside(environment: Mapping[str, str]) -> bool:
    """Whether this environment leads to a sandbox."""
    from anyscale_k8s_cli.sandbox.client import URL_VARIABLE

    return URL_VARIABLE in environment


def real_names(present: Mapping[str, str], sandbox: Mapping[str, str]) -> list[str]:
    """The variables that point at real clouds and that the sandbox does not replace."""
    return sorted(
        name
        for name in present
        if name not in sandbox
        and (name.upper().startswith(_REAL_BEGINNINGS) or name.upper() in _BETWEEN)
    )


def running() -> SandboxRecord:
    """The record of the running sandbox. Raises `sandbox-not-running`."""
    with needing_packages():
        from anyscale_k8s_cli.sandbox import supervisor

        record = supervisor.attached()
    if record is None:
        raise not_running()
    return record


def not_running() -> errors.CliError:
    return errors.CliError(
        errors.SANDBOX_NOT_RUNNING, "No sandbox is running", fix="anyscale sandbox up"
    )


def needing_packages() -> AbstractContextManager[None]:
    """Around imports of the stand-ins, whose own packages are an extra."""
    return needing("The sandbox", "sandbox")
