"""Child processes end when we do, and nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from anyscale_k8s_cli.cluster import child
from anyscale_k8s_cli.cluster.child import run_child

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")

# Says its own process id and that of a child of its own, then waits.
PARENT = """
import subprocess, sys, time
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
import os
with open(sys.argv[1], "w") as file:
    file.write(f"{os.getpid()} {inner.pid}")
os.rename(sys.argv[1], sys.argv[1] + ".done")
time.sleep(60)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + PARENT


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def started(folder: Path, program: str) -> tuple[asyncio.Task[child.ChildResult], list[int]]:
    argv = [sys.executable, "-c", program, str(folder / "pids")]
    task = asyncio.create_task(run_child(argv, environment=os.environ))
    async with asyncio.timeout(20):
        while not (folder / "pids.done").exists():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.01)
    return task, [int(pid) for pid in (folder / "pids.done").read_text().split()]


async def test_input_output_environment_and_status() -> None:
    program = "import os, sys; print(sys.stdin.read(), dict(os.environ)); sys.exit(3)"
    result = await run_child(
        [sys.executable, "-c", program], environment={"ONLY": "this"}, stdin=b"given"
    )
    assert result.returncode == 3
    assert result.stdout.startswith(b"given ")
    assert b"'ONLY': 'this'" in result.stdout
    assert b"PATH" not in result.stdout


async def test_arguments_reach_no_shell() -> None:
    text = "$(echo no) `echo no` ; echo no"
    result = await run_child(
        [sys.executable, "-c", "import sys; print(sys.argv[1])", text], environment=os.environ
    )
    assert result.stdout.decode().strip() == text


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up in /proc")
async def test_a_cancelled_call_ends_the_whole_group(tmp_path: Path) -> None:
    task, pids = await started(tmp_path, PARENT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(pids[0])
    async with asyncio.timeout(5):
        while is_alive(pids[1]):  # noqa: ASYNC110 - its parent is gone, nobody tells us
            await asyncio.sleep(0.01)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up in /proc")
async def test_one_that_ignores_term_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "GRACE", 0.2)
    task, pids = await started(tmp_path, STUBBORN)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(pids[0])


async def test_a_timeout_ends_it() -> None:
    with pytest.raises(TimeoutError):
        await run_child(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            environment=os.environ,
            timeout=0.2,
        )


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        await run_child(["/no/such/program"], environment={})
