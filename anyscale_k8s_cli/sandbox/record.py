"""The record of a running sandbox: a file for its user alone, which others attach by."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from anyscale_k8s_cli.sandbox import processes
from anyscale_k8s_cli.sandbox.client import AdminClient, AdminRefused
from anyscale_k8s_cli.sandbox.environment import RECORD_VARIABLE

_SCHEMA = "anyscale-k8s/sandbox-record/v1"
_FILE = "sandbox.json"
_FOLDER_PREFIX = "anyscale-sandbox-"
_HOLDER = "holder.json"


@dataclass(frozen=True)
class SandboxRecord:
    """A sandbox. `url` and `token` are its admin interface's, `born` tells its process apart.

    `environment` is what leads a command there; it holds credentials, as does `token`.
    `world` is what it was started with: a name or a file, or nothing for the ordinary one;
    `setup` are the options that this says are to be tried in it.
    """

    url: str
    environment: Mapping[str, str] = field(repr=False)
    pid: int
    started_at: str
    directory: Path
    token: str = field(repr=False)
    born: str | None = None
    world: str = ""
    setup: str = ""

    @property
    def admin(self) -> AdminClient:
        return AdminClient(self.url, self.token)

    @property
    def alive(self) -> bool:
        """Whether its process is still the one that wrote it."""
        if self.born is not None:
            running = processes.is_running(self.pid, self.born)
            if running is not None:
                return running
        try:
            return bool(self.admin.status()["pid"] == self.pid)
        except (AdminRefused, OSError):
            return False

    def save(self, path: Path) -> None:
        """Write it as a whole, readable by its user alone."""
        content: dict[str, Any] = {"schema": _SCHEMA, **asdict(self)}
        content["directory"] = str(self.directory)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp creates with 0600, so nobody else can read it at any time.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_FILE}-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(content, out)
        Path(name).replace(path)


def load(path: Path) -> SandboxRecord | None:
    """The record in a file; None if there is none, or one that cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.pop("schema", None) != _SCHEMA:
        return None
    return SandboxRecord(**{**content, "directory": Path(content["directory"])})


def own_place() -> Path:
    """Where the record of `sandbox up` is."""
    return user_state_path("anyscale-k8s") / _FILE


def places(environment: Mapping[str, str]) -> list[Path]:
    """Where a record may be: inside of a sandbox its own comes first."""
    inside = environment.get(RECORD_VARIABLE)
    return [*([Path(inside)] if inside else []), own_place()]


def discard(path: Path) -> None:
    """Remove a record whose process is dead, and what that left in the way."""
    found = load(path)
    if found is not None and found.alive:
        return
    path.unlink(missing_ok=True)
    if found is not None:
        remove_folder(found.directory)


def new_folder() -> Path:
    """A folder for a new sandbox, for its user alone; those of dead ones are removed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        if _is_dead(left):
            remove_folder(left)
    # Without symbolic links, which some file systems have on the way to it.
    return Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX)).resolve()


def claim(folder: Path, pid: int) -> None:
    """Note in a folder which process holds its sandbox: it may die without clearing away."""
    owner = {"pid": pid, "born": processes.born(pid)}
    (folder / _HOLDER).write_text(json.dumps(owner), encoding="utf-8")


def _is_dead(folder: Path) -> bool:
    """Whether it is our user's and its process has certainly ended; in doubt it has not."""
    try:
        found = folder.lstat()
        owner = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        pid, born = int(owner["pid"]), str(owner["born"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        return False
    # Windows knows no such number, and its temporary folder is one user's.
    ours = sys.platform == "win32" or found.st_uid == os.getuid()
    ours = ours and stat.S_ISDIR(found.st_mode)
    return ours and bool(born) and processes.is_running(pid, born) is False


def remove_folder(path: Path) -> None:
    """Remove a sandbox's folder; anything else stays. Missing is fine."""
    if path.name.startswith(_FOLDER_PREFIX):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock beside a record; False, without it, if somebody has it and `wait` is not."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "a+b") as held:
        taken = _take(held.fileno(), wait=wait)
        try:
            yield taken
        finally:
            if taken and sys.platform == "win32":
                import msvcrt

                held.seek(0)
                msvcrt.locking(held.fileno(), msvcrt.LK_UNLCK, 1)


def _take(descriptor: int, *, wait: bool) -> bool:
    """Closing the file gives the lock back."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except PermissionError:
        # What Windows says when it is taken.
        return False
    return True
