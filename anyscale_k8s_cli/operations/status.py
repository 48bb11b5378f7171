"""Status: what the control plane holds of a cloud, and the first cause where it is not well."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck, Report, run_checks
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.operations.behind import Behind, Cause, look_behind
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.features import FeatureLine
from anyscale_k8s_cli.operations.features.card import Card
from anyscale_k8s_cli.operations.health import HEALTHY, UNHEALTHY, health_of
from anyscale_k8s_cli.operations.requests import StatusRequest
from anyscale_k8s_cli.operations.said import from_files
from anyscale_k8s_cli.run import Run, StillWaiting

OWN_CHECKS = "own-checks"
# Seconds between two looks, at most.
_EVERY = 10.0
STATUS_SCHEMA = "anyscale-k8s/status/v1"


@dataclass(frozen=True)
class StatusReport:
    behind: Behind
    wires: Report
    cause: Cause | None
    features: tuple[FeatureLine, ...] | None = None
    error: errors.CliError | None = None

    @property
    def well(self) -> bool:
        """Whether the operator says so and nothing that it depends on is broken."""
        return self.behind.health.verdict == HEALTHY and self.cause is None

    @property
    def settled(self) -> bool:
        """Whether no waiting makes it another one."""
        return self.well or (self.cause is not None and self.cause.final)

    def as_json(self) -> dict[str, Any]:
        behind, health = self.behind, self.behind.health
        install, unseen = behind.install, behind.why_unseen
        reported: datetime | None = health.reported_at
        return {
            "schema": STATUS_SCHEMA,
            "cloud": behind.cloud.name,
            "cloud_id": behind.cloud.id,
            "cloud_resource_id": behind.resource.cloud_resource_id if behind.resource else None,
            "provider": install.provider if install else behind.cloud.provider.lower() or None,
            "region": (install.region if install else behind.cloud.region) or None,
            "cluster": install.cluster if install else None,
            "operator_namespace": install.namespace if install else None,
            "operator_version": health.version or None,
            "reported_at": reported.isoformat() if reported else None,
            "health": health.verdict,
            "checks": [
                *([_own_checks(unseen)] if unseen else []),
                *(result.as_json() for result in self.wires.results),
                *(
                    {
                        "code": name,
                        "title": name.replace("_", " ").lower(),
                        "status": _status(status),
                        "detail": details,
                    }
                    for name, status, details in health.checks
                ),
            ],
            "cause": self.cause.text if self.cause else None,
            "evidence": list(self.cause.evidence) if self.cause else [],
            "command": self.cause.command if self.cause else None,
            "setup": behind.again if behind.wiring else None,
            **self._features,
            **({"error": self.error.as_json()} if self.error else {}),
        }

    @property
    def _features(self) -> dict[str, Any]:
        lines = self.features
        return {} if lines is None else {"features": [line.as_json() for line in lines]}


def _own_checks(unmade: str) -> dict[str, str]:
    return {
        "code": OWN_CHECKS,
        "title": "what the cloud hangs on, as this tool sees it",
        "status": "unknown",
        "detail": f"not looked at: {unmade}",
    }


def _status(reported: str) -> str:
    return {"HEALTHY": "pass", "UNHEALTHY": "fail", "WARNING": "warn"}.get(reported, "unknown")


async def status(request: StatusRequest, run: Run) -> StatusReport:
    """Ask the control plane, and look at each wire where the cluster can be found.

    A cloud is well when the control plane says HEALTHY and no wire is broken: what
    the operator reports can be older than what has happened to it. A request to wait ends
    with the report of a cloud that is well or never will be, or of one that has not become
    so in time, with the error that says it.
    """

    def look() -> StatusReport:
        with opened(request, run) as clouds:
            everything = partial(_look, request, clouds, run)
            return settled(everything, clouds, run) if request.wait else everything()

    return await asyncio.to_thread(look)


def _look(request: StatusRequest, clouds: Clouds, run: Run) -> StatusReport:
    behind = look_behind(request, clouds, run)
    wiring = behind.wiring
    checks = wiring.checks() if wiring else ()
    card = Card(behind, clouds) if request.features else None
    wires, features = run.await_(_both(checks, tuple(card.checks()) if card else (), run))
    found = Report((*wires.results, *features.results))
    cause = cause_of(behind, wires)
    if cause and wiring and cause.command == wiring.again:
        files = from_files(wiring.ledger.said)
        cause = replace(cause, evidence=(*cause.evidence, *files))
    return StatusReport(behind, wires, cause, card.lines(found) if card else None)


def settled(everything: Callable[[], StatusReport], clouds: Clouds, run: Run) -> StatusReport:
    """The cloud once it is well, or once no waiting helps; its last state where time runs out."""
    latest = first = everything()
    name = first.behind.cloud.name

    def look() -> StatusReport:
        nonlocal latest
        seen = _still_unwell(latest.behind, clouds)
        if not seen:
            latest = everything()
            if latest.settled:
                return latest
            seen = latest.cause.text if latest.cause else latest.behind.health.verdict
        raise StillWaiting(seen)

    def late(seen: str) -> errors.CliError:
        return errors.CliError(
            errors.TIMED_OUT,
            f"{name} has not become healthy in time",
            cause=seen,
            fix="mend the cause, or give it more time with --timeout",
        )

    if first.settled:
        return first
    limit = run.remaining()
    try:
        return run.wait_for(
            look,
            what=f"{name} to be healthy",
            timeout=math.inf if limit is None else limit,
            every=_EVERY,
            expired=late,
        )
    except errors.CliError as problem:
        if problem.code is not errors.TIMED_OUT:
            raise
        return replace(latest, error=problem)


def _still_unwell(behind: Behind, clouds: Clouds) -> str:
    """What the operator says while it is not well; empty where it is time to look at everything.

    That is many calls, and the control plane tells by two whether it can have changed.
    """
    cloud, known = clouds.get_cloud(behind.cloud.id), behind.resource
    if cloud is None or cloud.deleting:
        return ""
    found = clouds.list_resources(cloud.id)
    if known is None:
        return "" if found else "no cluster of yours is registered in the cloud"
    health = health_of(next((item for item in found if item.name == known.name), None))
    return "" if health.verdict == HEALTHY else "; ".join(health.failing) or health.verdict


async def _both(
    wires: Sequence[BoundCheck], features: Sequence[BoundCheck], run: Run
) -> tuple[Report, Report]:
    """Side by side, each judged by itself: a feature's fault takes no wire's place."""
    return await asyncio.gather(run_checks(wires, run), run_checks(features, run))


def cause_of(behind: Behind, wires: Report) -> Cause | None:
    """What is wrong first, from outside in; None where nothing is."""
    cloud, health, again = behind.cloud, behind.health, behind.again
    if cloud.deleting:
        delete = f"anyscale cloud delete {cloud.name}"
        return Cause(f"the cloud is {cloud.state}", delete, final=True)
    if behind.resource is None:
        return behind.unseen or Cause("no cluster of yours is registered in the cloud", again)
    broken = wires.first_failure
    if broken is not None:
        finding = broken.finding
        return Cause(finding.detail, finding.fix or again, (*finding.evidence, *health.failing))
    return None if health.verdict == HEALTHY else _told(behind)


def _told(behind: Behind) -> Cause:
    """Where no wire is seen to be broken: the operator's own words, or why they are missing."""
    failing, problem, again = behind.health.failing, behind.problem, behind.again
    if behind.health.verdict == UNHEALTHY and failing:
        return Cause(f"the operator reports {failing[0]}", again, failing[1:])
    if behind.unseen is not None:
        return behind.unseen
    if problem is not None:
        return Cause(str(problem), problem.fix or again, problem.evidence)
    if behind.found is None:
        return Cause("the operator does not report, and its cluster is not found", again)
    said = failing[0] if failing else "it has not reported to the control plane"
    return Cause(f"the operator runs, but {said}", again, failing[1:])
