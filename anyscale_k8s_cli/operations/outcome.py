"""The end of a setup: the operator's report, the bucket's use, and why not where they fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import run_checks
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.operations.health import (
    REPORT_INTERVAL,
    Health,
    last_report,
    prove_storage,
    wait_healthy,
)
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.run import Run


@dataclass(frozen=True)
class Verification:
    """What is waited for, for `seconds` at most, and what is asked when it does not come.

    `name` is what the registration is called in its cloud.
    `changed` says whether this run wrote anything: if not, the operator has no
    reason to become better than it is, and two of its reports are enough. `cors` is
    False where the store cannot be told to let the console in, `brought` says whether the
    bucket is the user's own.
    """

    clouds: Clouds
    name: str
    registration: Registration
    prove_identity: Callable[[], None]
    wiring: Callable[[], Wiring | None]
    seconds: float
    changed: bool
    cors: bool = True
    brought: bool = False

    def run(self, run: Run, notes: list[str]) -> Health:
        """The operator's health, with the bucket proven. Raises with the first cause."""
        name, seconds = self.name, self.seconds
        if self.changed:
            since = last_report(self.clouds, self.registration, name)
        else:
            two_reports = 2 * REPORT_INTERVAL
            since = self.clouds.plane.server_time() - two_reports
            seconds = min(seconds, two_reports.total_seconds())
        try:
            health = wait_healthy(self.clouds, self.registration, name, since, run, seconds)
        except errors.CliError as problem:
            if problem.code is not errors.OPERATOR_UNHEALTHY:
                raise
            raise self._explained(problem, run) from problem
        if self.changed:
            proof = prove_storage(self.clouds, self.registration, cors=self.cors)
            if not proof.supported:
                notes.append(f"the control plane's use of the bucket is not proven: {proof.reason}")
            elif proof.failed is not None:
                notes.append(f"the console cannot show logs and files: {proof.reason}")
            if self.brought and proof.object_uri:
                notes.append(
                    "to prove that the control plane reaches your bucket one small object was "
                    f"written, which nothing that it signs can delete: {proof.object_uri}"
                )
        return health

    def _explained(self, problem: errors.CliError, run: Run) -> errors.CliError:
        """Why the operator is not well: a wire that can be seen to be broken, else by use."""
        try:
            wiring = self.wiring()
            broken = wiring and run.await_(run_checks(wiring.checks(), run)).first_failure
            if broken:
                finding = broken.finding
                return replace(
                    problem,
                    cause=finding.detail,
                    evidence=(*finding.evidence, *problem.evidence),
                    fix=finding.fix or problem.fix,
                )
            self.prove_identity()
        except errors.CliError as found:
            if found.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
                return found
            return replace(found, evidence=(*found.evidence, *problem.evidence))
        return problem
