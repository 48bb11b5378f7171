"""Runs that die at a chosen call: just before it arrives, or when it was done and not answered."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from anyscale_k8s_cli.sandbox.world import EksWorld, World
from tests.processes import UNTRIED, Ended, Running, Sandbox, eventually

# What comes to GPUs comes to releases in general, and a release less is a tenth of a setup.
WITHOUT_GPU = World(platforms=("eks",), eks=EksWorld(gpu_nodes=False))
SCOPE = ("--provider", "eks", "--region", "us-west-2", "--cluster-name", "demo")
SETUP = ("cloud", "setup", *SCOPE, "--name", "prod", *UNTRIED, "--yes", "-o", "json")
DELETE = ("cloud", "delete", "prod", "--yes", "-o", "json")
BUCKETS = ("s3-bucket", "gcs-bucket", "storage-account")


@dataclass(frozen=True)
class Moment:
    """A call of an unbroken run, by service, route and object, as the record of calls has them.

    Route and object are shell patterns; reads count for routes of reads alone. `after`: the
    call was done at the far end, and its answer does not arrive.
    """

    service: str
    route: str
    object: str = "*"
    nth: int = 1
    after: bool = False

    def __str__(self) -> str:
        what = self.route if self.object == "*" else f"{self.route} {self.object}"
        return f"{'after' if self.after else 'before'} {what}"

    @property
    def fault(self) -> FaultRule:
        """The call hangs. Once faults are cleared, one that had not arrived is dropped."""
        return FaultRule(
            FaultKind.HANG_AFTER if self.after else FaultKind.HANG,
            service=self.service,
            operation=self.route,
            resource=self.object,
            nth=self.nth,
            writes_only=not self.route.startswith("GET "),
        )


def before(service: str, route: str, object: str = "*", *, nth: int = 1) -> Moment:
    return Moment(service, route, object, nth)


def after(service: str, route: str, object: str = "*", *, nth: int = 1) -> Moment:
    return Moment(service, route, object, nth, after=True)


def stopped_at(
    sandbox: Sandbox, moment: Moment, *arguments: str, env: Mapping[str, str] | None = None
) -> Running:
    """The command, in the sandbox's own home, as it waits for the answer to that call."""
    sandbox.admin.inject(moment.fault)
    running = sandbox.start(*arguments, env=env)

    def reached() -> bool:
        return running.poll() is not None or sandbox.admin.faults()[-1]["fired"] > 0

    eventually(reached, 120)
    assert running.poll() is None, f"it ended, and never came {moment}: {running.communicate()}"
    return running


def kill_at(
    sandbox: Sandbox, moment: Moment, *arguments: str, env: Mapping[str, str] | None = None
) -> None:
    """Let the command die at that call, and everything that it had started with it."""
    running = stopped_at(sandbox, moment, *arguments, env=env)
    children = _children(running.pid)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    eventually(lambda: not any(_is_running(pid) for pid in children))
    sandbox.admin.clear_faults()


def ended(running: Running, limit: float) -> Ended:
    """Wait for a command to end by itself."""
    out, err = running.communicate(timeout=limit)
    return Ended(running.returncode, out, err)


def set_up(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    """Setup from another machine, to a healthy end; its result."""
    done = sandbox.anyscale(*SETUP, *arguments, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert done.document["health"] == "HEALTHY"
    return done.document


def bucket_of(made: Mapping[str, Any]) -> str:
    """The name of the bucket in a setup's result."""
    (key,) = (item["key"] for item in made["resources"] if item["kind"] in BUCKETS)
    return str(key.partition("/")[2])


def deleted(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    """Delete from another machine, to a good end; its result."""
    done = sandbox.anyscale(*DELETE, *arguments, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert done.document["left"] == []
    return done.document


def _children(pid: int) -> list[int]:
    # The thread that starts all children is the first one, which bears the process's number.
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
