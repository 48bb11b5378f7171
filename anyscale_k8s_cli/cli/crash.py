"""A defect of ours: a short message for the person, the traceback in a file."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path

from anyscale_k8s_cli import errors

DEBUG_VARIABLE = "ANYSCALE_DEBUG"

_TOKEN = re.compile(r"\b(?:sss_|aph\d_)[A-Za-z0-9_\-]+")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|_KEY", re.IGNORECASE)
_SHORTEST_SECRET = 8
# What says that this machine refuses a file, and not that we looked for the wrong one.
_REFUSED = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR),
    }
)


def told(problem: BaseException, log_file: Path | None = None) -> errors.CliError:
    """Write the traceback to the log and make of it an error for people.

    With `ANYSCALE_DEBUG=1` it is shown as well. A disk or a right that this machine
    refuses is no defect, wherever it came out.
    """
    if isinstance(problem, OSError) and problem.errno in _REFUSED:
        return _unusable(problem)
    text = masked("".join(traceback.format_exception(problem)))
    if os.environ.get(DEBUG_VARIABLE) == "1":
        sys.stderr.write(text)
    try:
        where = str(_written(text, log_file))
    except OSError as unwritable:
        where = f"nowhere ({unwritable}); set {DEBUG_VARIABLE}=1 to see it here"
    return errors.CliError(
        errors.INTERNAL,
        "This tool has failed",
        cause=f"{type(problem).__name__}: {masked(str(problem))}".rstrip(": "),
        evidence=(f"the full traceback is in {where}",),
        fix="run the same command again to go on, and report the traceback if it fails again",
    )


def _unusable(problem: OSError) -> errors.CliError:
    return errors.CliError(
        errors.FILE_UNUSABLE,
        f"Cannot use {problem.filename or 'a file of this machine'}",
        cause=problem.strerror or str(problem),
        fix="make room there or give yourself the right, or name other places by HOME, "
        "XDG_STATE_HOME, XDG_CACHE_HOME and TMPDIR; then run the same command again",
    )


def masked(text: str) -> str:
    """The text without tokens, and without values of variables whose names speak of secrets."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    return _TOKEN.sub("***", text)


def _folder() -> str:
    """Where logs are kept. A sandbox's home goes with it, and a log may be wanted later."""
    from anyscale_k8s_cli.cli.sandbox import attachment

    if attachment.inside(os.environ):
        return tempfile.gettempdir()
    from platformdirs import user_log_path

    return str(user_log_path("anyscale-k8s", appauthor=False, ensure_exists=True))


def _written(text: str, log_file: Path | None) -> Path:
    if log_file is not None:
        with log_file.open("a", encoding="utf-8") as log:
            log.write(text)
        return log_file
    stamp = time.strftime("%Y%m%d-%H%M%S")
    handle, name = tempfile.mkstemp(
        dir=_folder(), prefix=f"anyscale-k8s-{stamp}-", suffix=".log", text=True
    )
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        log.write(text)
    return Path(name)
