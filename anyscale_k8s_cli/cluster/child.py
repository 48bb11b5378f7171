"""Child processes: started from a list, in a group of their own, ended with us."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Linux, prctl(2): the signal a process gets when the thread that started it ends.
_PR_SET_PDEATHSIG = 1

# Seconds between TERM and KILL: within the ten seconds that an interruption may take.
GRACE = 5.0


@dataclass(frozen=True)
class ChildResult:
    returncode: int
    stdout: bytes
    stderr: bytes

    def last_lines(self, limit: int = 20) -> tuple[str, ...]:
        """The end of stderr, for an error's evidence."""
        lines = [line.rstrip() for line in self.stderr.decode(errors="replace").splitlines()]
        return tuple([line for line in lines if line][-limit:])


async def run_child(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float | None = None,
) -> ChildResult:
    """Run a program to its end; `environment` is the whole of its environment.

    The child has a process group of its own, so that a Ctrl-C in the terminal
    reaches us alone and we decide. When the task is cancelled or `timeout`
    (seconds) passes, the group gets TERM and, `GRACE` seconds later, KILL.
    Raises TimeoutError, or OSError when the program cannot be started.
    """
    guard, options = _dying_with_us()
    if guard:
        _must_be_executable(argv[0])
    process = await asyncio.create_subprocess_exec(
        *guard,
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        **options,
    )
    try:
        async with asyncio.timeout(timeout):
            stdout, stderr = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            await _end(process)
    return ChildResult(await process.wait(), stdout, stderr)


def _dying_with_us() -> tuple[tuple[str, ...], dict[str, Any]]:
    """Words before the program's own, and options of its start.

    On Linux it ends when we are killed: a helm that outlives a killed run would race with the
    run that goes on after it.
    """
    if sys.platform == "win32":
        return (), {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    options: dict[str, Any] = {"process_group": 0}
    if sys.platform != "linux":
        return (), options
    if setpriv := _setpriv():
        return (setpriv, "--pdeathsig", "KILL", "--"), options
    options["preexec_fn"] = functools.partial(_die_with_parent, _libc())
    return (), options


@functools.cache
def _setpriv() -> str | None:
    """util-linux' own, where it is there; that of busybox has no such option.

    Code between fork and exec keeps Python from vfork(2), and to copy the page tables of a
    process with several SDKs in it takes ten times as long as this program does.
    """
    found = shutil.which("setpriv")
    return found if found and Path(found).resolve().name == "setpriv" else None


def _must_be_executable(program: str) -> None:
    """Raises OSError as the start itself would, which here only setpriv sees."""
    if shutil.which(program) is None:
        number = errno.EACCES if Path(program).exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), program)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _die_with_parent(libc: ctypes.CDLL) -> None:
    """Runs in the child, between fork and exec; the library was loaded before."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    _terminate(process)
    try:
        async with asyncio.timeout(GRACE):
            # Reading on keeps a child that still writes from blocking on a full pipe.
            await process.communicate()
    except TimeoutError:
        _kill(process)
        await process.wait()
    finally:
        # A second cancellation ends the wait above, but not the promise.
        if process.returncode is None:
            _kill(process)


def _terminate(process: asyncio.subprocess.Process) -> None:
    if sys.platform == "win32":
        process.terminate()
    else:
        _signal_group(process, signal.SIGTERM)


def _kill(process: asyncio.subprocess.Process) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        _signal_group(process, signal.SIGKILL)


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if sys.platform == "win32":
        return
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        # It ended by itself in the meantime, which is what we are after.
        return
