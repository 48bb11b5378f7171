"""The tool's command as forks of a process that has imported all of it once.

Half of what a short command costs is the start of Python and the imports of the SDKs,
and tests run hundreds of commands. A fork is a process like any other: own arguments,
environment, folder and streams, it can be killed, and it ends as a command ends. Only the
start of the interpreter is not in it: so the life of a cloud in part, what must stay private, and
providers of others are tried with the installed command itself (`installed=True`).
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import IO, NoReturn


class Fork:
    """A command that was started; it is asked as a `subprocess.Popen` is."""

    def __init__(self, argv: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.args = argv
        self.returncode: int | None = None
        # Files, since a reader that does not read never stops what is written.
        self._streams = tempfile.TemporaryFile("a+"), tempfile.TemporaryFile("a+")  # noqa: SIM115
        self._request = [argv, dict(environment), str(folder)]

    def begin(self, server: socket.socket) -> Fork:
        ours, theirs = socket.socketpair()
        with theirs:
            files = [theirs.fileno(), *(stream.fileno() for stream in self._streams)]
            socket.send_fds(server, [b"."], files)
        ours.sendall(json.dumps(self._request).encode() + b"\n")
        # Not buffered: whether there is more to read is asked of the socket.
        self._news = ours.makefile("rb", buffering=0)
        ours.close()
        self.pid = int(self._news.readline())
        return self

    def poll(self) -> int | None:
        return self._ended(0)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it wrote to its two streams."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        out, err = self._streams
        return _written(out), _written(err)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._news], [], [], timeout)[0]:
            self.returncode = int(self._news.readline())
            self._news.close()
        return self.returncode


def _written(stream: IO[str]) -> str:
    with stream:
        stream.seek(0)
        return stream.read()


class Forks:
    """The process that is forked, from its start to `close`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._server, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def begun(self, argv: list[str], environment: Mapping[str, str], folder: Path) -> Fork:
        """Start the command in a fork; `argv` begins with the name that was typed."""
        return Fork(argv, environment, folder).begin(self._server)

    def close(self) -> None:
        self._server.close()
        assert self._process.wait(60) == 0


def serve(channel: socket.socket) -> None:
    """A fork for each message, until nobody can send one any more."""
    import_everything()
    while True:
        message, files, *_ = socket.recv_fds(channel, 1, 3)
        if not message:
            return
        if os.fork() == 0:
            channel.close()
            attend(*files)
        for number in files:
            os.close(number)
        reap()


def import_everything() -> None:
    """All of the command, with every platform's SDK; of the sandbox only what commands use."""
    import anyscale_k8s_cli.cli.main
    import anyscale_k8s_cli.providers

    import_within(anyscale_k8s_cli, but="anyscale_k8s_cli.sandbox.")
    import_within(anyscale_k8s_cli.providers)


def import_within(package: ModuleType, but: str = "-") -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.startswith(but) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def reap() -> None:
    """Let those be forgotten that have ended; the others are there at the next message."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def attend(talk: int, out: int, err: int) -> NoReturn:
    """Run one command in a fork of this one, and tell its number and how it ended."""
    with socket.socket(fileno=talk) as told:
        with told.makefile("rb") as lines:
            argv, environment, folder = json.loads(lines.readline())
        pid = os.fork()
        if pid == 0:
            told.close()
            become(argv, environment, folder, (out, err))
        told.sendall(b"%d\n" % pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        told.sendall(b"%d\n" % code)
    os._exit(0)


class End:
    """Registered first, so the last of a process: not taking all modules apart saves a fifth."""

    code = 1

    def __call__(self) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(self.code)


def become(
    argv: list[str], environment: Mapping[str, str], folder: str, streams: tuple[int, int]
) -> NoReturn:
    """The command, as the console script begins it."""
    from anyscale_k8s_cli.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for place, number in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(number, place)
        os.close(number)
    sys.argv = argv
    end = End()
    atexit.register(end)
    end.code = main()
    sys.exit(end.code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
