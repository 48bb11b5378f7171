"""Every ready world ends as its file says: set up, or stopped before anything is written."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox import worlds
from anyscale_k8s_cli.sandbox.environment import Folder, for_child
from anyscale_k8s_cli.sandbox.stage import Stage
from anyscale_k8s_cli.sandbox.world import World
from tests.forks import Forks
from tests.processes import LIMIT, UNTRIED, Ended, stock

Do = Callable[[Coroutine[Any, Any, Any]], Any]
PACE = 0.02
# What programs in a cluster do by themselves.
BY_THEMSELVES = ("system:", "operator")


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    """Runs coroutines in a loop of its own, while commands are waited for."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(LIMIT)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def folder(tmp_path: Path, helm: Path) -> Folder:
    made = Folder(tmp_path)
    made.fill()
    made.add_helm(helm)
    return made


def set_up(stage: Stage, folder: Folder, world: World, forks: Forks) -> Ended:
    folder.kubeconfig.write_text(json.dumps(stage.kubeconfig()), encoding="utf-8")
    stock(folder.home, stage.charts.url)
    own = folder.executables
    said = {**folder.environment(), **stage.environment(folder.path)}
    words = ["cloud", "setup", *shlex.split(world.setup), "--yes", "-o", "json"]
    if world.late:
        # What never comes is waited for all the same, and no trial tells of it.
        patience = folder.path / "patience.yaml"
        patience.write_text("timeouts: {identity: 3, load_balancer: 3}", encoding="utf-8")
        words += ["-f", str(patience), *UNTRIED]
    environment = for_child(os.environ, said, own)
    running = forks.begun([str(own / "anyscale"), *words], environment, folder.path)
    out, err = running.communicate(LIMIT)
    assert running.returncode is not None
    return Ended(running.returncode, out, err)


def written(stage: Stage) -> list[str]:
    return [
        f"{call.operation.name} {call.operation.resource}"
        for call in stage.wire.calls(writes_only=True)
        if not call.operation.principal.startswith(BY_THEMSELVES)
    ]


@pytest.mark.parametrize("name", worlds.names())
def test_each_world_ends_as_it_says(
    name: str,
    do: Do,
    folder: Folder,
    forks: Forks,
    record_property: Callable[[str, object], None],
) -> None:
    world = worlds.read(name)
    assert len(world.platforms) == 1
    assert name.startswith(world.platforms[0])
    stage = Stage(replace(world, pace=PACE))
    try:
        do(stage.start())
        ended = set_up(stage, folder, world, forks)
    finally:
        do(stage.stop())

    document = ended.document
    if world.ends == worlds.HEALTHY:
        seen = ended.code == 0
    else:
        error = document["error"]
        untouched = world.late or written(stage) == []
        seen = error["code"] == world.ends and bool(error["fix"]) and untouched
    record_property("world", (name, seen))
    assert seen, (document.get("error"), written(stage)[:5])
