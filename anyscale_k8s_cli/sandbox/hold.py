"""The life of the supervisor's process: start the world, say so, hold it, end it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox import processes
from anyscale_k8s_cli.sandbox.admin import AdminServer
from anyscale_k8s_cli.sandbox.environment import Folder, admin_variables
from anyscale_k8s_cli.sandbox.record import SandboxRecord, load, remove_folder
from anyscale_k8s_cli.sandbox.stage import Stage
from anyscale_k8s_cli.sandbox.world import World

# Seconds that a command gets to end, once the process that started it is dead.
_CHILD_GRACE = 5.0
# Seconds after which the process ends whatever still hangs in one of its threads.
_PATIENCE = 8.0


@dataclass(frozen=True)
class Held:
    """What one sandbox was started with. With a lifeline it ends when its input does.

    `world` is JSON; `named` is how somebody called it.
    """

    folder: Path
    record: Path
    world: str
    lifeline: bool
    named: str = ""


async def hold(held: Held) -> None:
    """Returns once the sandbox was told to end and nothing is left of it."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(over.set))
    world = World.from_json(held.world)
    stage = Stage(world)
    status: dict[str, Any] = {"pid": os.getpid(), "started_at": datetime.now(UTC).isoformat()}
    admin = AdminServer(stage, status, over.set)
    lifeline = _Lifeline(lambda: loop.call_soon_threadsafe(over.set))
    ready = False
    try:
        await asyncio.gather(stage.start(), admin.start())
        record = _record(held, stage, admin, world.setup, status["started_at"])
        record.save(held.record)
        if held.lifeline:
            lifeline.watch()
        # What is there now stays to the end: no collection need look at it again.
        gc.freeze()
        ready = True
        _say_ready()
        await over.wait()
    finally:
        _end_in_any_case()
        await asyncio.to_thread(lifeline.end_child)
        await admin.stop()
        await stage.stop()
        # Of one that never got ready, whoever waits reads the log, and clears away.
        if ready:
            _clear_away(held)


def _record(
    held: Held, stage: Stage, admin: AdminServer, setup: str, started_at: str
) -> SandboxRecord:
    folder = Folder(held.folder)
    folder.kubeconfig.touch(mode=0o600)
    folder.kubeconfig.write_text(json.dumps(stage.kubeconfig()), encoding="utf-8")
    variables = {
        **folder.environment(),
        **stage.environment(held.folder),
        **admin_variables(admin.url, admin.token, held.record),
    }
    return SandboxRecord(
        url=admin.url,
        environment=variables,
        pid=os.getpid(),
        started_at=started_at,
        directory=held.folder,
        token=admin.token,
        born=processes.born(os.getpid()),
        world=held.named,
        setup=setup,
    )


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # Whoever waits sees the end of our output; what is printed later goes nowhere.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _end_in_any_case() -> None:
    """A call that hangs in a thread must not keep the process."""
    timer = threading.Timer(_CHILD_GRACE + _PATIENCE, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


def _clear_away(held: Held) -> None:
    found = load(held.record)
    if found is not None and found.pid == os.getpid():
        held.record.unlink(missing_ok=True)
    remove_folder(held.folder)


@dataclass
class _Lifeline:
    """The pipe from the process that started us: it ends when that does, however it ends.

    On it we are told of the command that runs, so that it can be ended in the other's place.
    """

    over: Any
    _child: dict[str, Any] = field(default_factory=dict)

    def watch(self) -> None:
        threading.Thread(target=self._read, name="lifeline", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            ended = bool(message.get("ended"))
            self._child = {} if ended else {**message, "born": processes.born(message["pid"])}
        self.over()

    def end_child(self) -> None:
        if self._child and self._child["born"]:
            processes.end(
                self._child["pid"],
                self._child["born"],
                group=self._child["group"],
                grace=_CHILD_GRACE,
            )
