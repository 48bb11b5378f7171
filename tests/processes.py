"""Sandboxes as processes, and this tool's command in them: everything as a user has it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox import supervisor
from anyscale_k8s_cli.sandbox.charts.repository import PackagedChart, packaged_charts
from anyscale_k8s_cli.sandbox.client import AdminClient
from anyscale_k8s_cli.sandbox.environment import Folder, for_child, harmless
from anyscale_k8s_cli.sandbox.record import SandboxRecord
from anyscale_k8s_cli.sandbox.stage import MIRROR_VARIABLE
from anyscale_k8s_cli.sandbox.world import World
from tests.forks import Fork, Forks

COMMAND = Path(sys.executable).parent / "anyscale"
# Seconds; only what hangs ever waits so long.
LIMIT = 240.0
# Trials take a third of a setup, and write nothing: what is not about them does without.
UNTRIED = tuple(
    word
    for check in ("cluster-admission", "namespace-limits", "charts-available")
    for word in ("--waive", check)
)

Running = Fork | subprocess.Popen[str]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        return dict(json.loads(self.out))


@dataclass(frozen=True)
class Desk:
    """Somebody's machine: a home, and an environment that knows of no sandbox."""

    home: Path
    environment: Mapping[str, str]
    forks: Forks = field(repr=False)

    @property
    def record(self) -> Path:
        return self.home / ".local" / "state" / "anyscale-k8s" / "sandbox.json"

    def anyscale(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run a fork of the command; a sandbox that it starts is no fork."""
        command, environment = [str(COMMAND), *arguments], {**self.environment, **(env or {})}
        return outcome(self.forks.begun(command, environment, self.home))

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The installed command, started and not waited for; its output is a pipe."""
        return begun([str(COMMAND), *arguments], {**self.environment, **(env or {})}, self.home)


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, and commands in it: the installed one, or forks of it."""

    record: SandboxRecord
    admin: AdminClient
    homes: Callable[[], Path] = field(repr=False)
    forks: Forks | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What `sandbox run` would give to a command."""
        own = Folder(self.record.directory).executables
        return for_child(os.environ, self.record.environment, own)

    def anyscale(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        fresh_home: bool = False,
        installed: bool = False,
        limit: float = LIMIT,
    ) -> Ended:
        """Run the command in the sandbox; with `fresh_home` as if from another machine.

        `installed`: the installed one, where the others of this sandbox are forks of it.
        """
        running = self.start(*arguments, env=env, fresh_home=fresh_home, installed=installed)
        return outcome(running, limit)

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        fresh_home: bool = False,
        installed: bool = False,
    ) -> Running:
        """The command in the sandbox, started and not waited for."""
        variables = {**(self.fresh_home() if fresh_home else {}), **(env or {})}
        command, environment = [self._command, *arguments], {**self.environment, **variables}
        # What is said to the interpreter is heard by one that starts.
        to_python = any(name.startswith("PYTHON") for name in variables)
        forks = None if installed or to_python else self.forks
        start = forks.begun if forks else begun
        return start(command, environment, self.record.directory)

    def python(self, *arguments: str) -> Ended:
        """Run Python in the sandbox, with this tool's packages."""
        return finished([sys.executable, *arguments], self.environment, self.record.directory)

    @property
    def home(self) -> Path:
        return Folder(self.record.directory).home

    @property
    def _command(self) -> str:
        return str(Folder(self.record.directory).executables / "anyscale")

    def fresh_home(self) -> dict[str, str]:
        """Variables of an empty home in place of the sandbox's own.

        Only charts are at hand there too, where they are in the sandbox's own.
        """
        home = self.homes()
        if self.forks and _charts(self.home).is_dir():
            _charts(home).parent.mkdir(parents=True)
            _charts(home).symlink_to(_charts(self.home))
        old, new = self.record.environment["HOME"], str(home)
        return {
            name: value.replace(old, new)
            for name, value in self.record.environment.items()
            if name.startswith("XDG_") or name in ("HOME", "USERPROFILE")
        }


def _charts(home: Path) -> Path:
    return home / ".cache" / "anyscale-k8s" / "charts"


class Shelf:
    """Hands out charts as the sandbox's repository does, and spares helm the pull."""

    def __init__(self, *more: PackagedChart) -> None:
        self._charts = (*packaged_charts(), *more)

    async def pull(self, reference: str, version: str | None, repository: str, into: Path) -> None:
        (chart,) = (
            chart
            for chart in self._charts
            if (chart.metadata["name"], chart.metadata["version"]) == (reference, version)
        )
        (into / chart.filename).write_bytes(chart.archive)


def stock(home: Path, mirror: str) -> None:
    """Have all pinned charts in the cache, as after a first setup."""
    charts = Charts(Shelf(), Run(), _charts(home).parent, mirror)
    for name in pins().charts:
        asyncio.run(charts.fetch(name))


def outcome(running: Running, limit: float = LIMIT) -> Ended:
    """Wait for the end of what was started; it is killed if it takes too long."""
    try:
        out, err = running.communicate(timeout=limit)
    finally:
        running.send_signal(signal.SIGKILL)
    assert running.returncode is not None
    return Ended(running.returncode, out, err)


def begun(argv: list[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a program without a terminal."""
    return subprocess.Popen(
        argv,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(
    argv: list[str], environment: Mapping[str, str], folder: Path, limit: float = LIMIT
) -> Ended:
    """Run a program without a terminal to its end."""
    done = subprocess.run(
        argv,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def eventually(happened: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something; fail when it does not come."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain"
        # To ask costs what is asked as much as it costs us, and it may be at work just now.
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def processes_that_name(text: str) -> list[str]:
    """The command lines of all living processes with a text in them."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
        if text in line:
            found.append(f"{folder.name}: {line}")
    return found


def processes_at(folder: Path) -> list[str]:
    """All living processes that name a folder, or that work in it; it may be gone by now."""
    working = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink().as_posix().startswith(str(folder)):
                working.append(str(link))
    return working + processes_that_name(str(folder))


@pytest.fixture(scope="session")
def helm(helm4: HelmExecutable) -> Path:
    """Found once, in the user's real cache: no test fetches it again."""
    return helm4.path


@pytest.fixture(scope="session")
def forks(nothing_real: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """For all sandboxes, and all commands in them."""
    place = tmp_path_factory.getbasetemp()
    forks = Forks(os.environ, place.parent if "PYTEST_XDIST_WORKER" in os.environ else place)
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def desks(tmp_path_factory: pytest.TempPathFactory, helm: Path, forks: Forks) -> Callable[[], Desk]:
    """Makes machines with an empty home."""

    def make() -> Desk:
        home = tmp_path_factory.mktemp("home")
        kept = {**harmless(os.environ), "HOME": str(home), "USERPROFILE": str(home)}
        return Desk(home, {**kept, "ANYSCALE_K8S_HELM": str(helm)}, forks)

    return make


@pytest.fixture
def desk(desks: Callable[[], Desk]) -> Iterator[Desk]:
    """A machine with an empty home; a sandbox that a test leaves on it is ended."""
    made = desks()
    yield made
    with _at(made):
        supervisor.down()


@contextmanager
def _at(desk: Desk) -> Iterator[None]:
    """This process has the environment of the desk, as the command would have it there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in desk.environment.items():
            patch.setenv(name, value)
        yield


@contextmanager
def started(
    desk: Desk,
    homes: Callable[[], Path],
    world: World | None = None,
    *,
    installed: bool = False,
) -> Iterator[Sandbox]:
    """A sandbox from `up` to `down`, with proof that no process of it is left.

    `installed`: it and commands in it are the installed ones, from the start of Python on,
    and charts are pulled by helm.
    """
    with _at(desk):
        begin = subprocess.Popen if installed else desk.forks.popen
        record = supervisor.up(world=world, begin=begin)
    try:
        running = Sandbox(record, record.admin, homes, None if installed else desk.forks)
        if not installed:
            stock(running.home, record.environment[MIRROR_VARIABLE])
        yield running
    finally:
        with _at(desk):
            assert supervisor.down()
        assert processes_at(record.directory) == []
        assert not record.directory.exists()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("empty-home")


@pytest.fixture(scope="module")
def sandbox(
    desks: Callable[[], Desk], homes: Callable[[], Path], request: pytest.FixtureRequest
) -> Iterator[Sandbox]:
    """One sandbox for the tests of a module, of its `WORLD` if it has one."""
    with started(desks(), homes, getattr(request.module, "WORLD", None)) as running:
        yield running


@pytest.fixture
def new_sandbox(
    desks: Callable[[], Desk], homes: Callable[[], Path], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes of a test's own: `new_sandbox(World(...))`."""
    running = []

    def start(world: World | None = None) -> Sandbox:
        context = started(desks(), homes, world)
        running.append(context)
        return context.__enter__()

    yield start
    for context in reversed(running):
        context.__exit__(None, None, None)
