"""Setup: make a plan true, and prove it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Report, declared, run_checks
from anyscale_k8s_cli.controlplane.origin import console_origin
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.ledger import Ledger, ledger_of
from anyscale_k8s_cli.lock import InstallLock, lease_seconds
from anyscale_k8s_cli.operations.from_pod import FromPod
from anyscale_k8s_cli.operations.health import (
    UNKNOWN,
    Health,
)
from anyscale_k8s_cli.operations.journal import LockedLedger, Unjournaled
from anyscale_k8s_cli.operations.left_out import until_done
from anyscale_k8s_cli.operations.outcome import Verification
from anyscale_k8s_cli.operations.planning import again
from anyscale_k8s_cli.operations.said import settings_of
from anyscale_k8s_cli.operations.setup_plan import SetupPlan
from anyscale_k8s_cli.operations.whereabouts import whereabouts
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import (
    PlaneFacts,
)
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.resource import Change, Claim, Decision, Rights, decide
from anyscale_k8s_cli.run import Run

SETUP_SCHEMA = "anyscale-k8s/setup/v1"
AGAIN = "run the same command again"
# Seconds. Where an identity cannot be proven from here, the probe is the first to use it.
_GRANTED_WITHIN = 30.0


@dataclass(frozen=True)
class SetupReport:
    """What setup has done; `error` is why it did not get to its end."""

    made: SetupPlan
    applied: engine.Applied | None
    health: Health | None
    warnings: tuple[str, ...]
    error: errors.CliError | None
    seconds: float
    probed: Report = field(default_factory=Report)

    @property
    def header(self) -> dict[str, Any]:
        """The plan's, and where people find what is there now.

        `told` are the warnings of the plan: who has seen it needs them no more, since they
        say what would come of it.
        """
        return {
            "told": _beforehand(self.made),
            **self.made.header,
            **self._found,
            "console": console_origin(self.made.clouds.plane.host),
        }

    @property
    def _found(self) -> dict[str, Any]:
        return whereabouts(self.made.side.cloud, self.made.side.cluster)

    def as_json(self) -> dict[str, Any]:
        registration = self.made.side.registration.observed
        record = self.made.side.record.observed
        outcomes = self.applied.outcomes if self.applied else ()
        document = {
            **self.made.as_json(),
            "schema": SETUP_SCHEMA,
            "cloud_id": record.id if record else None,
            "cloud_resource_id": registration.id if registration else None,
            "operator_namespace": self.made.install.namespace,
            "health": self.health.verdict if self.health else UNKNOWN,
            "outputs": {**self._found, "exposure": self.made.header["exposure"] or None},
            "seconds": round(self.seconds, 1),
            "warnings": list(self.warnings),
        }
        if self.probed.results:
            document["probe"] = [result.as_json() for result in self.probed.results]
        if outcomes:
            document["resources"] = [outcome.as_json() for outcome in outcomes]
        if self.error:
            document["error"] = self.error.as_json()
        return document


async def apply(made: SetupPlan, run: Run) -> SetupReport:
    """Make the plan true and prove it. A failure is in the report, with what was done by then."""
    applied: engine.Applied | None = None
    health: Health | None = None
    probed = Report()
    warnings = _beforehand(made)
    error = made.problem
    if error is None:
        try:
            # A run that died may have made the last object and not told of it.
            if made.plan.writes or made.ledger.lacks(made.plan.changes):
                with run.phase("apply", "Making the changes"):
                    made, applied = await _apply_locked(made, run)
            elif made.plan.unsettled:
                with run.phase("apply", "Waiting for what is there and not of use yet"):
                    applied = await engine.forwards(made.plan, run, Unjournaled())
            if applied and applied.error:
                raise applied.error
            with run.phase("verify", "Asking the control plane whether it works"):
                health = await _verify(made, run, warnings)
                for replacing in (made.side.cluster.token, made.side.cloud.storage_keys):
                    if replacing:
                        await asyncio.to_thread(replacing.retire)
            made.write_values()
            if made.spec.probe.enabled:
                with run.phase("probe", "Asking a pod that is as the workloads' are"):
                    probed = await _probe(made, run)
                warnings += probed.warnings
                probed.raise_for_failure()
        except errors.CliError as problem:
            error = problem
    seconds = time.monotonic() - made.started
    return SetupReport(made, applied, health, tuple(warnings), error, seconds, probed)


def _beforehand(made: SetupPlan) -> list[str]:
    return [*made.warnings, *made.preflight.warnings]


async def _apply_locked(made: SetupPlan, run: Run) -> tuple[SetupPlan, engine.Applied]:
    """The namespace first, then the lock, then the intent, then everything.

    What could not be tried before the namespace was there is tried before the intent.

    The plan that comes back is the one that was applied.
    """
    namespace = made.side.cluster.namespace
    planned = next(item for item in made.plan.changes if item.resource is namespace)
    first = engine.Applied(())
    if planned.change is Change.CREATE:
        first = await engine.forwards(Plan((planned,)), run, Unjournaled())
        if first.error:
            return made, first
    seconds = lease_seconds(made.request.environment)
    with InstallLock(made.opened.kubernetes, made.install, run, seconds) as lock:
        latest = await again(made, run)
        plan = latest.plan
        if first.outcomes and latest is made:
            plan = _with_result(plan, planned, latest.ledger.rights)
            forbidden = await asyncio.to_thread(made.forbidden_in_namespace)
            if forbidden:
                return made, replace(first, stopped=forbidden)
        said = settings_of(latest.loaded)
        until = until_done(latest.ledger.said, said)
        ledger = Ledger(latest.opened.kubernetes, latest.install, until)
        await asyncio.to_thread(ledger.open, plan.changes)
        applied = await engine.forwards(plan, run, LockedLedger(ledger, lock))
        if until != said and not applied.error:
            await asyncio.to_thread(ledger.tell, said)
    created = {outcome.change.resource.key: outcome for outcome in first.outcomes}
    return latest, engine.Applied(
        tuple(created.get(item.change.resource.key, item) for item in applied.outcomes)
    )


def _with_result(plan: Plan, done: PlannedChange, rights: Rights) -> Plan:
    """The plan with one creation already made, and what is still to be written of it."""
    observed = done.resource.observed
    decision = decide(done.resource, observed, rights)
    if decision.change is not Change.UPDATE:
        decision = Decision(Change.NONE, done.decision.ownership, "created before the lock")
    settled = PlannedChange(done.resource, decision, observed)
    return Plan(tuple(settled if item is done else item for item in plan.changes))


async def _verify(made: SetupPlan, run: Run, notes: list[str]) -> Health:
    verification = Verification(
        made.clouds,
        made.side.registration.name,
        made.side.registration.output,
        prove_identity=made.side.cluster.prove_identities,
        wiring=lambda: _wiring(made),
        seconds=made.spec.timeouts.operator,
        changed=bool(made.plan.writes),
        cors=made.side.cloud.storage.output.cors,
        brought=made.side.cloud.storage.claim is Claim.ADOPT,
    )
    return await asyncio.to_thread(verification.run, run, notes)


async def _probe(made: SetupPlan, run: Run) -> Report:
    opened, side = made.opened, made.side
    asked = FromPod(
        made.provider,
        made.spec,
        opened.cluster,
        opened.kubernetes,
        made.install,
        side.cloud,
        lambda: side.cloud.storage.output,
        side.operator_values(),
        made.clouds.plane.host,
        AGAIN,
        patience=min(_GRANTED_WITHIN, made.spec.timeouts.identity),
    )
    waived = {check.code for check in declared.BY_POD} & set(made.spec.waive)
    return await run_checks(asked.checks(), run, waived)


def _wiring(made: SetupPlan) -> Wiring | None:
    """The install as it stands at the end, to be looked at where it does not work."""
    resource = made.clouds.find_resource(
        made.side.registration.output.cloud_id, made.side.registration.name
    )
    if resource is None:
        return None
    kubernetes = made.opened.kubernetes
    return Wiring(
        made.install,
        made.provider,
        made.opened.cluster,
        kubernetes,
        ledger_of(kubernetes, made.install),
        resource,
        PlaneFacts(made.clouds),
        accounts=ServiceAccounts(made.clouds.plane),
        host=made.clouds.plane.host,
        again=AGAIN,
    )
