"""One call of helm: pyhelm3's arguments, run in our way.

What differs from pyhelm3 as it comes is only how a command is run: without a
shell, in a process group of its own, with an environment that is made here, and
ended when our task is cancelled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyhelm3

from anyscale_k8s_cli.cluster.child import run_child
from anyscale_k8s_cli.cluster.helm_errors import HelmFailed
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.run import Run


class HelmCommand(pyhelm3.Command):
    """One call of helm. `extra` are flags that pyhelm3 does not know; `deadline` in seconds.

    `output` is what helm wrote, once it has run.
    """

    def __init__(
        self,
        executable: Path,
        kubeconfig: Path | None,
        environment: Mapping[str, str],
        run: Run,
        *,
        deadline: float,
        extra: Sequence[str],
    ) -> None:
        super().__init__(executable=str(executable), kubeconfig=kubeconfig)
        self._our_environment = environment
        self._our_run = run
        self._deadline = deadline
        self._extra = tuple(extra)
        self.output = b""

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:
        """Run helm; raises `HelmFailed`. The name `input` is pyhelm3's."""
        argv = [self._executable, *map(str, command), *self._extra]
        if self._kubeconfig:
            argv += ["--kubeconfig", str(self._kubeconfig)]
        started = time.monotonic()
        status = "cancelled"
        try:
            result = await run_child(
                argv,
                environment=self._our_environment,
                stdin=input or b"",
                timeout=self._deadline,
            )
            status = str(result.returncode)
        except TimeoutError:
            status = "timed out"
            raise HelmFailed(self._deadline, None) from None
        finally:
            self._our_run.emit(
                CallMade(
                    service="helm",
                    call=" ".join(argv[1:]),
                    status=status,
                    seconds=time.monotonic() - started,
                )
            )
        if result.returncode != 0:
            raise HelmFailed(self._deadline, result)
        self.output = result.stdout
        return self.output
