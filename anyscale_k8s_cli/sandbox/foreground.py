"""A command in the foreground of its sandbox: signals, exit code, and nothing left behind.

Without a terminal the command gets a process group of its own, and signals are
handed on to all of it. In a terminal it must stay in the group that the
terminal talks to; what is typed there reaches it without us.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Self

from anyscale_k8s_cli import errors

# What a terminal sends to every process in front of it.
_TYPED = ("SIGINT", "SIGQUIT", "SIGHUP")
_FORWARDED = ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2")
_BY_SIGNAL = 128


class Foreground:
    """While it is entered, signals go to the command; before there is one, they end the run."""

    def __init__(self) -> None:
        self._terminal = _in_terminal()
        self._child: subprocess.Popen[bytes] | None = None
        self._starting = False
        self._pending: list[int] = []
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for name in _FORWARDED:
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(
        self,
        command: list[str],
        environment: Mapping[str, str],
        supervisor: subprocess.Popen[bytes],
    ) -> int:
        """Run it to its end; `supervisor` is told of it, and ends it if this process dies."""
        own_group = sys.platform != "win32" and not self._terminal
        announce = partial(_announce, supervisor, group=own_group)
        child = self._child = self._started(command, environment, announce, own_group=own_group)
        self._starting = False
        for number in self._pending:
            self._hand_on(number)
        code: int = child.wait()
        if supervisor.poll() is not None:
            sys.stderr.write("The sandbox ended before the command did.\n")
        _tell(supervisor, {"ended": True})
        return code if code >= 0 else _BY_SIGNAL - code

    def _started(
        self,
        command: list[str],
        environment: Mapping[str, str],
        announce: Callable[[], None],
        *,
        own_group: bool,
    ) -> subprocess.Popen[bytes]:
        # It may be running before we are told so: a signal in between is kept for it.
        self._starting = True
        try:
            return subprocess.Popen(
                command,
                env=dict(environment),
                process_group=0 if own_group else None,
                # In the child, since this process can die as soon as that runs.
                preexec_fn=None if sys.platform == "win32" else announce,  # noqa: PLW1509
            )
        except OSError as problem:
            raise errors.CliError(
                errors.USAGE,
                f"{command[0]} cannot be started",
                cause=problem.strerror or str(problem),
                fix="give a command and its arguments after --",
            ) from problem

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._starting:
            self._pending.append(number)
        elif self._child is not None:
            self._hand_on(number)
        else:
            code = errors.INTERRUPTED if number == signal.SIGINT else errors.TERMINATED
            raise errors.CliError(code, "Interrupted before the command began")

    def _hand_on(self, number: int) -> None:
        if self._child is None or self._child.returncode is not None:
            return
        if self._terminal and signal.Signals(number).name in _TYPED:
            return
        if sys.platform == "win32" or self._terminal:
            self._child.send_signal(number)
            return
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            # It ended in the meantime; its exit code is on its way.
            return


def _in_terminal() -> bool:
    """Whether we are in front of a terminal, which then sends signals to our whole group."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False


def _announce(supervisor: subprocess.Popen[bytes], *, group: bool) -> None:
    """Runs in the child, before it becomes the command: tells the supervisor of it."""
    if sys.platform == "win32" or supervisor.stdin is None:
        return
    message = json.dumps({"pid": os.getpid(), "group": group}).encode() + b"\n"
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Should it have died, the command's end is told all the same.
    with contextlib.suppress(BrokenPipeError):
        os.write(supervisor.stdin.fileno(), message)
    signal.signal(signal.SIGPIPE, before)


def _tell(supervisor: subprocess.Popen[bytes], message: Mapping[str, Any]) -> None:
    if supervisor.stdin is None:
        return
    try:
        supervisor.stdin.write(json.dumps(message).encode() + b"\n")
        supervisor.stdin.flush()
    except BrokenPipeError:
        # It has died; the command's end is told all the same.
        return
