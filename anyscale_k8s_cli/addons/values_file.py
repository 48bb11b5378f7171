"""The operator's Helm values as a file for the user to look at or to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from anyscale_k8s_cli import errors, tool_version
from anyscale_k8s_cli.addons.token_values import token_in, without_token
from anyscale_k8s_cli.install import MANAGED_BY, Install

_LEFT_OUT = """\
# The operator's token is not in this file. To give the file to helm by yourself, give the
# token after it, on standard input:
#   printf 'global: {auth: {anyscaleCliToken: %s}}' "$TOKEN" | helm upgrade … -f FILE -f -
"""


def render(values: Mapping[str, Any], install: Install, notes: Sequence[str] = ()) -> str:
    """YAML with a header that says who wrote it and for which install; without the token.

    `notes` are further lines of the header.
    """
    values = without_token(values)
    told = "".join(f"# {note}\n" for note in notes)
    body = yaml.safe_dump(dict(values), sort_keys=False, default_flow_style=False)
    return (
        f"{first_line(install)}\n"
        f"# Helm values of cloud {install.cloud!r}{_place(install)}, by version "
        f"{tool_version()}.\n"
        "# Written again by each run: put values of your own into another file and give\n"
        "# it with --values.\n"
        f"{told}"
        f"{_LEFT_OUT if token_in(values) else ''}"
        f"{body}"
    )


def check_writable(path: Path, install: Install) -> None:
    """Raise `file-not-ours` when a file is there that was not written for this install."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline().rstrip("\n")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as problem:
        raise errors.CliError(
            errors.FILE_NOT_OURS, f"{path} cannot be written over", cause=str(problem)
        ) from problem
    if first != first_line(install):
        raise errors.CliError(
            errors.FILE_NOT_OURS,
            f"{path} is not written over",
            cause="it was not made by this tool for this install",
            fix="name another file with --values-file, or add --overwrite",
        )


def write(
    path: Path,
    values: Mapping[str, Any],
    install: Install,
    notes: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> None:
    """Write the file over what is there; ask `check_writable` before, or say `overwrite`."""
    if overwrite:
        path.unlink(missing_ok=True)
    path.write_text(render(values, install, notes), encoding="utf-8")


def _place(install: Install) -> str:
    return f" on {install.cluster}" if install.cluster else ""


def first_line(install: Install) -> str:
    """What a file begins with that was written for an install."""
    return f"# Made by {MANAGED_BY} for install {install.id}."
