"""Starting, finding and ending a sandbox: what commands and tests call.

The stand-ins live in one process of their own. `up` leaves it in the
background with a record of it; `run` keeps it for the time of one command.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.sandbox import environment, processes, record
from anyscale_k8s_cli.sandbox.client import AdminRefused
from anyscale_k8s_cli.sandbox.environment import Folder
from anyscale_k8s_cli.sandbox.record import SandboxRecord

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.world import World

__all__ = ["SandboxRecord", "attached", "down", "run", "up"]

WORLD_VARIABLE = "ANYSCALE_SANDBOX_WORLD"
START_SECONDS = 60.0
_END_SECONDS = 10.0
_TAIL = 20
_PACKAGES = ("aiohttp", "boto3", "cryptography", "jsonpatch", "jwt", "moto", "trustme")


def attached() -> SandboxRecord | None:
    """The sandbox that this process belongs to, or else the one that `up` started; None if none.

    The record of a process that has died is removed, with what it left behind.
    """
    for place in record.places(os.environ):
        found = record.load(place)
        if found is not None and found.alive:
            return found
        if found is not None:
            with record.locked(place, wait=False) as free:
                # Whoever has the lock is starting one and sees to it himself.
                if free:
                    record.discard(place)
    return None


def up(
    timeout: float = START_SECONDS,
    *,
    world: World | None = None,
    named: str = "",
    begin: Callable[..., Any] = subprocess.Popen,
) -> SandboxRecord:
    """Start a sandbox in the background, or return the one that is running.

    `timeout` in seconds; `named` is how the world was called. `begin` starts the process,
    called as `subprocess.Popen` is. Raises `sandbox-failed`, `helm-missing` or
    `helm-unsupported`, and ModuleNotFoundError without the packages of the extra.
    """
    _require_packages()
    place = record.own_place()
    with record.locked(place, wait=True):
        found = record.load(place)
        if found is not None and found.alive:
            return found
        record.discard(place)
        launched = _launched(place, _described(world), named=named, lifeline=False, begin=begin)
        with launched as start:
            return start.wait(timeout)


def down() -> bool:
    """End the sandbox that `attached` finds; False if there is none."""
    found = attached()
    if found is None:
        return False
    try:
        found.admin.shutdown()
    except (AdminRefused, OSError):
        # It does not answer any more: then by force, below.
        forced = True
    else:
        forced = not _ended(found)
    if forced and found.born is not None:
        processes.end(found.pid, found.born, group=False, grace=_END_SECONDS)
    for place in record.places(os.environ):
        record.discard(place)
    return True


def run(command: list[str], *, world: World | None = None) -> int:
    """Run a command in a fresh sandbox that ends with it, and return its exit code.

    Writes to standard error only. Raises as `up` does, and `usage` for a command
    that cannot be started.
    """
    from anyscale_k8s_cli.sandbox.foreground import Foreground

    _require_packages()
    # From here on a signal ends the command and the sandbox, in this order.
    with Foreground() as foreground:
        folder = record.new_folder()
        place = folder / "sandbox.json"
        with _launched(place, _described(world), folder=folder, lifeline=True) as start:
            found = start.wait(START_SECONDS)
            own = Folder(found.directory).executables
            variables = environment.for_child(os.environ, found.environment, own)
            return foreground.run(command, variables, start.process)


def _ended(found: SandboxRecord) -> bool:
    if found.born is None:
        return True
    return processes.wait_for_end(found.pid, found.born, _END_SECONDS)


@dataclass
class _Start:
    """A sandbox's process on its way to being ready."""

    process: subprocess.Popen[bytes]
    folder: Path
    place: Path
    ready: bool = False

    def wait(self, timeout: float) -> SandboxRecord:
        said: list[bytes] = []
        # The process closes its output once it is ready, or when it ends before.
        reader = threading.Thread(target=lambda: said.append(self._output()), daemon=True)
        reader.start()
        reader.join(timeout)
        found = record.load(self.place) if said and said[0].strip() == b"ready" else None
        if found is None:
            late = f"it was not ready within {timeout:.0f} s" if not said else "it ended early"
            raise errors.CliError(
                errors.SANDBOX_FAILED, "The sandbox did not start", late, self._log_tail()
            )
        self.ready = True
        return found

    def _output(self) -> bytes:
        return self.process.stdout.read() if self.process.stdout else b""

    def _log_tail(self) -> tuple[str, ...]:
        try:
            text = Folder(self.folder).log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ()
        return tuple(text.splitlines()[-_TAIL:])

    def end(self) -> None:
        """End the process and remove what is left of it."""
        if self.process.stdin:
            self.process.stdin.close()
        else:
            self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        record.remove_folder(self.folder)


@contextmanager
def _launched(
    place: Path,
    world: str,
    *,
    folder: Path | None = None,
    named: str = "",
    lifeline: bool,
    begin: Callable[..., Any] = subprocess.Popen,
) -> Iterator[_Start]:
    """A starting sandbox. With `lifeline` it ends with this context, else only if it failed."""
    folder = folder or record.new_folder()
    Folder(folder).fill()
    argv = [sys.executable, "-m", "anyscale_k8s_cli.sandbox"]
    argv += ["--folder", str(folder), "--record", str(place), "--world", world, "--named", named]
    argv += ["--lifeline"] if lifeline else []
    with open(Folder(folder).log, "wb") as log:
        process = begin(
            argv,
            stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=_own_environment(folder),
            **_detached(),
        )
    record.claim(folder, process.pid)
    start = _Start(process, folder, place)
    try:
        # While it starts; it only needs to know where helm will be.
        Folder(folder).add_helm(_find_helm())
        yield start
    finally:
        if lifeline or not start.ready:
            start.end()
        if process.stdout:
            process.stdout.close()


def _own_environment(folder: Path) -> dict[str, str]:
    """The supervisor's: no more credentials than its children have."""
    # Where this very package was found, if that was by a variable.
    found = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    home = str(Folder(folder).home)
    return {**environment.harmless(os.environ), **found, "HOME": home, "USERPROFILE": home}


def _detached() -> dict[str, Any]:
    """Ctrl-C in the terminal is not for it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}


def _described(world: World | None) -> str:
    """The world to start, as JSON: what is given, or else what the environment says."""
    if world is not None:
        # A date, which YAML knows and JSON does not, is a text to Kubernetes.
        return json.dumps(world.as_json(), default=str)
    return os.environ.get(WORLD_VARIABLE, "{}")


def _find_helm() -> Path:
    """The helm of this sandbox, found or fetched into the user's own cache."""
    from anyscale_k8s_cli.cluster.helm_executable import find_helm
    from anyscale_k8s_cli.run import Run

    def tell(event: Event) -> None:
        if isinstance(event, Notice):
            sys.stderr.write(f"{event.text}\n")
            sys.stderr.flush()

    found = asyncio.run(find_helm(Run(listeners=(tell,)), from_index=True))
    return found.path.resolve()


def _require_packages() -> None:
    """Raises ModuleNotFoundError here rather than in the process that is started."""
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
