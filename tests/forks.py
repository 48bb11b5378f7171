"""Commands and sandboxes as forks of processes that have imported all of it once.

Half of what a short command or a sandbox costs is the start of Python and the imports of
the SDKs, and tests run hundreds of them. A fork is a process like any other: own arguments,
environment, folder and streams, it can be killed, and it ends as a command ends. Only the
start of the interpreter is not in it: so the life of a cloud in part, what must stay
private, and providers of others are tried with the installed command itself
(`installed=True`), and what a sandbox promises with one that `anyscale sandbox` starts.

All workers of a run have these two processes in common: whoever needs one first starts it,
and it ends when none is there any more who could ask it.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NoReturn

import pydantic

Main = Callable[[], int]

# What the libraries import themselves, but not before it is needed.
IMPORTED_LATER = (
    "azure.mgmt.authorization",
    "azure.mgmt.containerservice",
    "azure.mgmt.msi",
    "azure.mgmt.storage",
    "azure.storage.blob",
    "boto3.s3.inject",
    "dns.resolver",
    "google_crc32c",
    "httpcore",
    "msal_extensions",
    "s3transfer.subscribers",
    "typer._adapters",
)
AMAZON = ("ec2", "eks", "elb", "elbv2", "iam", "kms", "s3", "service-quotas", "sts")


class Fork:
    """A process that was forked; it is asked as a `subprocess.Popen` is."""

    stdin = None

    def __init__(self, argv: Sequence[str], news: socket.socket, *streams: IO[Any]) -> None:
        self.args = argv
        self.returncode: int | None = None
        self.stdout, *_ = self._streams = streams
        # Not buffered: whether there is more to read is asked of the socket.
        self._news = news.makefile("rb", buffering=0)
        self.pid = int(self._news.readline())

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it wrote to its two streams."""
        self.wait(timeout)
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
    """Starts commands and sandboxes, until `close`. `place` is a folder of the run's."""

    def __init__(self, environment: Mapping[str, str], place: Path) -> None:
        self._command = Parent("command", environment, place)
        self._sandbox = Parent("sandbox", environment, place)

    def begun(self, argv: list[str], environment: Mapping[str, str], folder: Path) -> Fork:
        """Start the command in a fork; `argv` begins with the name that was typed."""
        # Files, since a reader that does not read never stops what is written.
        out, err = tempfile.TemporaryFile("a+"), tempfile.TemporaryFile("a+")  # noqa: SIM115
        request = [argv, dict(environment), str(folder), False]
        return Fork(argv, self._command.forked(request, out.fileno(), err.fileno()), out, err)

    def popen(
        self,
        argv: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: IO[bytes],
        cwd: Path,
        env: Mapping[str, str],
        start_new_session: bool,
    ) -> Fork:
        """Start a sandbox in a fork: `python -m MODULE ...`, as `subprocess.Popen` is told."""
        assert (stdin, stdout) == (subprocess.DEVNULL, subprocess.PIPE)
        read, write = os.pipe()
        request = [argv[2:], dict(env), str(cwd), start_new_session]
        news = self._sandbox.forked(request, write, stderr.fileno())
        os.close(write)
        return Fork(argv, news, open(read, "rb"))

    def close(self) -> None:
        self._command.close()
        self._sandbox.close()


@dataclass
class Parent:
    """A process that is forked, from the first time that it is needed."""

    kind: str
    environment: Mapping[str, str]
    place: Path

    def forked(self, request: list[Any], out: int, err: int) -> socket.socket:
        """Where the fork's number is told, and later how it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._server, [b"."], [theirs.fileno(), out, err])
        ours.sendall(json.dumps(request).encode() + b"\n")
        return ours

    @cached_property
    def _server(self) -> socket.socket:
        address = self.place / self.kind
        with alone_at(address):
            with suppress(FileNotFoundError):
                return connected(address)
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(address))
                listening.listen()
                subprocess.Popen(
                    [sys.executable, __file__, self.kind, str(address), str(listening.fileno())],
                    env=dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[listening.fileno()],
                )
            return connected(address)

    def close(self) -> None:
        if "_server" in self.__dict__:
            self._server.close()


def connected(address: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX)
    try:
        channel.connect(str(address))
    except OSError:
        channel.close()
        raise
    return channel


@contextmanager
def alone_at(address: Path) -> Iterator[None]:
    """Nobody else starts, or ends, what is reached there."""
    with address.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def command() -> Main:
    """All of the command, with every platform's SDK; of the sandbox only what commands use."""
    import anyscale_k8s_cli.providers
    from anyscale_k8s_cli.cli.main import main

    import_within(anyscale_k8s_cli, but="anyscale_k8s_cli.sandbox.")
    import_within(anyscale_k8s_cli.providers)
    for name in IMPORTED_LATER:
        importlib.import_module(name)
    read_descriptions()
    build_models()
    return main


def read_descriptions() -> None:
    """What Amazon's SDK reads about each service before it is first asked."""
    from anyscale_k8s_cli.providers.objectstore.sdk import core

    for service in AMAZON:
        core.endpoint(service, "us-west-2")


def build_models() -> None:
    """The models that are not built before they are used."""
    models = pydantic.BaseModel.__subclasses__()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        model.model_rebuild()


def sandbox() -> Main:
    """What holds a sandbox, with the stand-ins of every platform."""
    from moto.core.routing import get_service_router

    import anyscale_k8s_cli.sandbox
    from anyscale_k8s_cli.sandbox import rsa_keys
    from anyscale_k8s_cli.sandbox.__main__ import main
    from anyscale_k8s_cli.sandbox.charts.repository import packaged_charts
    from anyscale_k8s_cli.sandbox.kubernetes.schema import builtin_schema
    from anyscale_k8s_cli.sandbox.world import reader

    import_within(anyscale_k8s_cli.sandbox)
    importlib.import_module("moto.s3.urls")
    for service in AMAZON:
        get_service_router(service)
    build_models()
    reader()
    packaged_charts()
    builtin_schema("", "v1", "Pod")
    rsa_keys.new = short_keys().in_turn()
    return main


def short_keys() -> ModuleType:
    """Found by this program alone, for whose forks the clone must not be there."""
    clone = str(Path(__file__).parents[1])
    sys.path.append(clone)
    found = importlib.import_module("tests.short_keys")
    sys.path.remove(clone)
    return found


def import_within(package: ModuleType, but: str = "-") -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.startswith(but) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def serve(listening: socket.socket, address: Path, main: Main) -> None:
    """A fork for each message, until nobody can send one any more; its end is told."""
    # What is there now stays to the end: no collection in a fork need look at it, and copy it.
    gc.enable()
    gc.freeze()
    asking = 0
    with selectors.DefaultSelector() as events:
        events.register(listening, selectors.EVENT_READ)
        while True:
            for event, _ in events.select():
                if event.fileobj is listening:
                    events.register(listening.accept()[0], selectors.EVENT_READ)
                    asking += 1
                    continue
                if event.data:
                    events.unregister(event.fileobj)
                    tell_end(event.fd, *event.data)
                    continue
                channel = event.fileobj
                assert isinstance(channel, socket.socket)
                message, files, *_ = socket.recv_fds(channel, 1, 3)
                if message:
                    pid, told = fork(main, *files)
                    # Ready to be read when the process has ended.
                    events.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, told))
                    continue
                events.unregister(channel)
                channel.close()
                asking -= 1
            if asking == 0:
                with alone_at(address):
                    if not select.select([listening], [], [], 0)[0]:
                        address.unlink()
                        return


def fork(main: Main, talk: int, out: int, err: int) -> tuple[int, socket.socket]:
    """Begin what is asked for, and tell its number."""
    told = socket.socket(fileno=talk)
    with told.makefile("rb") as lines:
        argv, environment, folder, session = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        told.close()
        if session:
            os.setsid()
        become(main, argv, environment, folder, (out, err))
    for number in (out, err):
        os.close(number)
    told.sendall(b"%d\n" % pid)
    return pid, told


def tell_end(watch: int, pid: int, told: socket.socket) -> None:
    os.close(watch)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # A sandbox is not waited for by whoever began it.
    with told, suppress(BrokenPipeError):
        told.sendall(b"%d\n" % code)


class End:
    """Registered first, so the last of a process: not taking all modules apart saves a fifth."""

    code = 1

    def __call__(self) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(self.code)


def become(
    main: Main,
    argv: list[str],
    environment: Mapping[str, str],
    folder: str,
    streams: tuple[int, int],
) -> NoReturn:
    """The command or the sandbox, as the interpreter begins it."""
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
    # Nothing of what is imported is ever free again.
    gc.disable()
    _, kind, address, number = sys.argv
    main = {"command": command, "sandbox": sandbox}[kind]()
    serve(socket.socket(fileno=int(number)), Path(address), main)
