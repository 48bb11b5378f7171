"""Processes that are not our children: whether one is still the one that was meant, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc")
_POLL = 0.02
_PS_SECONDS = 5.0
_DEAD = "ZX"
# Places in /proc/<pid>/stat, counted from the state.
_GROUP, _START = 2, 19


def born(pid: int) -> str | None:
    """When a process started, as a text to compare: pid and birth together are unique.

    Empty when there is no such process (one that only waits for its parent counts
    as none), None when this system does not tell.
    """
    if _has_proc():
        return _born_by_proc(pid)
    if sys.platform == "win32":
        return None
    return _born_by_ps(pid)


def _born_by_proc(pid: int) -> str:
    fields = _stat(_PROC / str(pid))
    return fields[_START] if fields and fields[0] not in _DEAD else ""


def _stat(folder: Path) -> list[str]:
    """What /proc tells of a process, from its state on; empty if there is no such process."""
    try:
        text = (folder / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The program's name comes before, in parentheses, and may hold anything.
    return text.rpartition(")")[2].split()


def _born_by_ps(pid: int) -> str | None:
    argv = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    try:
        answer = subprocess.run(
            argv, capture_output=True, text=True, timeout=_PS_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, _, start = answer.stdout.strip().partition(" ")
    return "" if not state or state[0] in _DEAD else start.strip()


def is_running(pid: int, birth: str) -> bool | None:
    """Whether this very process is alive; None when this system does not tell."""
    found = born(pid)
    return None if found is None else bool(found) and found == birth


def wait_for_end(pid: int, birth: str, seconds: float) -> bool:
    """Wait until the process is gone; False if it is still there, or if nobody can tell."""
    return _wait(lambda: is_running(pid, birth) is False, seconds)


def end(pid: int, birth: str, *, group: bool, grace: float) -> None:
    """Ask a process to end and, after `grace` seconds, make it; with `group` all in its group.

    Does nothing when the number is by now another process's.
    """
    if sys.platform == "win32":
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        # A group outlives its leader, and its number is not given to another meanwhile.
        if born(pid) not in ((birth, "") if group else (birth,)):
            return
        try:
            os.killpg(pid, number) if group else os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return
        if _wait(lambda: _is_empty(pid) if group else not is_running(pid, birth), grace):
            return


def _is_empty(group: int) -> bool:
    if sys.platform == "win32":
        return True
    if _has_proc():
        # By its members, because those that only wait for their parent count as gone.
        found = (_stat(folder) for folder in _PROC.iterdir() if folder.name.isdigit())
        return not any(f and f[0] not in _DEAD and f[_GROUP] == str(group) for f in found)
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return True
    return False


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _wait(happened: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not happened():
        if time.monotonic() >= deadline:
            return False
        pause.wait(_POLL)
    return True
