"""Status: what the control plane holds of a cloud, and the first cause where it is not well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Report, run_checks
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import ledger_of
from anyscale_k8s_cli.operations.clouds import choose, opened
from anyscale_k8s_cli.operations.health import HEALTHY, UNHEALTHY, Health, health_of
from anyscale_k8s_cli.operations.remains import what_is_left
from anyscale_k8s_cli.operations.requests import DeleteRequest, StatusRequest
from anyscale_k8s_cli.operations.said import (
    from_files,
    located,
    of_unknown_options,
    setup_command,
)
from anyscale_k8s_cli.operations.search import FoundInstall, Searcher
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import PlaneFacts, access_of, searched_spec
from anyscale_k8s_cli.provider import ClusterState
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec_loading import load_scope

OWN_CHECKS = "own-checks"
STATUS_SCHEMA = "anyscale-k8s/status/v1"


@dataclass(frozen=True)
class Cause:
    """What is wrong first, the evidence, and one command."""

    text: str
    command: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatusReport:
    cloud: Cloud
    resource: DecoratedCloudResource | None
    health: Health
    found: FoundInstall | None
    wires: Report
    cause: Cause | None
    # Why this tool could not look itself; empty where it did.
    unmade: str = ""

    @property
    def install(self) -> Install | None:
        return self.found.install if self.found else None

    def as_json(self) -> dict[str, Any]:
        install = self.install
        reported: datetime | None = self.health.reported_at
        return {
            "schema": STATUS_SCHEMA,
            "cloud": self.cloud.name,
            "cloud_id": self.cloud.id,
            "cloud_resource_id": self.resource.cloud_resource_id if self.resource else None,
            "provider": install.provider if install else self.cloud.provider.lower() or None,
            "region": self.cloud.region or None,
            "cluster": install.cluster if install else None,
            "operator_namespace": install.namespace if install else None,
            "operator_version": self.health.version or None,
            "reported_at": reported.isoformat() if reported else None,
            "health": self.health.verdict,
            "checks": [
                *([_own_checks(self.unmade)] if self.unmade else []),
                *(result.as_json() for result in self.wires.results),
                *(
                    {
                        "code": name,
                        "title": name.replace("_", " ").lower(),
                        "status": _status(status),
                        "detail": details,
                    }
                    for name, status, details in self.health.checks
                ),
            ],
            "cause": self.cause.text if self.cause else None,
            "evidence": list(self.cause.evidence) if self.cause else [],
            "command": self.cause.command if self.cause else None,
        }


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
    the operator reports can be older than what has happened to it.
    """

    def look() -> StatusReport:
        with opened(request, run) as clouds:
            cloud = _choose(request, clouds, run)
            found, problem = _find(request, cloud, clouds, run)
            resources = clouds.list_resources(cloud.id)
            resource = _ours(resources, found)
            looked = _Looked(cloud, resource, health_of(resource), found, problem)
            wiring, unseen = _wiring(request, looked, clouds, run)
            wires = run.await_(run_checks(wiring.checks(), run)) if wiring else Report()
            again = wiring.again if wiring else _again(looked)
            cause = _cause(looked, wires, unseen, again)
            if cause and wiring and cause.command == again:
                files = from_files(wiring.ledger.said)
                cause = replace(cause, evidence=(*cause.evidence, *files))
            unmade = "" if wiring else _why_unmade(looked, unseen)
            return StatusReport(cloud, resource, looked.health, found, wires, cause, unmade)

    return await asyncio.to_thread(look)


def _choose(request: StatusRequest, clouds: Clouds, run: Run) -> Cloud:
    """The cloud that is meant. One that was deleted in the console may have left an install."""
    try:
        return choose(clouds, request.name, request.cloud_id)
    except errors.CliError as problem:
        if problem.code is not errors.CLOUD_NOT_FOUND or not request.name:
            raise
        left = _search(request, request.name, None, clouds, run)
        if left is None:
            raise
        told = what_is_left(left, load_scope(request.flags), run)
        if told is None:
            raise
        raise told from problem


@dataclass(frozen=True)
class _Looked:
    """What the control plane and the search say."""

    cloud: Cloud
    resource: DecoratedCloudResource | None
    health: Health
    found: FoundInstall | None
    problem: errors.CliError | None


def _find(
    request: StatusRequest, cloud: Cloud, clouds: Clouds, run: Run
) -> tuple[FoundInstall | None, errors.CliError | None]:
    """The install behind a cloud. That it cannot be found does not stop the status."""
    try:
        return _search(request, cloud.name, cloud.id, clouds, run), None
    except errors.CliError as problem:
        stopped = (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED)
        if problem.exit_code in stopped or problem.code is errors.CLOUD_ELSEWHERE:
            raise
        return None, problem


def _search(
    request: StatusRequest, name: str, cloud_id: str | None, clouds: Clouds, run: Run
) -> FoundInstall | None:
    search = DeleteRequest(
        environment=request.environment,
        home=request.home,
        name=name,
        cloud_id=cloud_id,
        flags=request.flags,
    )
    return next(iter(Searcher(search, clouds, run, "anyscale cloud status").find().installs), None)


def _ours(
    resources: list[DecoratedCloudResource], found: FoundInstall | None
) -> DecoratedCloudResource | None:
    if found is not None:
        named = found.install.resource_name
        return next((item for item in resources if item.name == named), None)
    return next((item for item in resources if item.is_default), next(iter(resources), None))


def _wiring(
    request: StatusRequest, looked: _Looked, clouds: Clouds, run: Run
) -> tuple[Wiring | None, Cause | None]:
    """The install with its cluster open; or why there is nothing to look at."""
    found, resource = looked.found, looked.resource
    if found is None or resource is None:
        return None, None
    install, provider = found.install, found.provider
    again, scope = _again(looked), load_scope(request.flags)
    try:
        if provider.cluster_state(install) is ClusterState.DELETED:
            delete = f"anyscale cloud delete {install.cloud}"
            return None, Cause(f"the cluster {install.cluster} is deleted", delete)
        spec = searched_spec(provider.locate(install), scope)
        cluster = provider.discover(spec)
        kubernetes = Kubernetes(access_of(spec, cluster), run)
        ledger = ledger_of(kubernetes, install)
    except errors.CliError as problem:
        # A way in that was named must lead there.
        named = scope.cluster.context or scope.cluster.kubeconfig
        if named or problem.exit_code in (
            errors.ExitCode.INTERRUPTED,
            errors.ExitCode.TERMINATED,
        ):
            raise
        return None, Cause(str(problem), problem.fix or again, problem.evidence)
    plane, host = PlaneFacts(clouds), clouds.plane.host
    again = setup_command(ledger.said) if ledger.said else again
    wiring = Wiring(
        install,
        provider,
        cluster,
        kubernetes,
        ledger,
        resource,
        plane,
        accounts=ServiceAccounts(clouds.plane),
        host=host,
        again=again,
    )
    return wiring, None


def _why_unmade(looked: _Looked, unseen: Cause | None) -> str:
    if unseen is not None:
        return unseen.text
    if looked.problem is not None:
        return str(looked.problem)
    if looked.found is None:
        return "its cluster was not found, or it was not set up by this tool"
    return "the cluster is not registered in the cloud"


def _again(looked: _Looked) -> str:
    """The setup, as far as it is known without the ledger."""
    found = looked.found
    if found is None:
        return of_unknown_options({"name": looked.cloud.name})
    return of_unknown_options(located(found.provider.locate(found.install)))


def _cause(looked: _Looked, wires: Report, unseen: Cause | None, again: str) -> Cause | None:
    """What is wrong first, from outside in; None where nothing is."""
    cloud, health = looked.cloud, looked.health
    if cloud.deleting:
        return Cause(f"the cloud is {cloud.state}", f"anyscale cloud delete {cloud.name}")
    if looked.resource is None:
        return Cause("no cluster of yours is registered in the cloud", again)
    broken = wires.first_failure
    if broken is not None:
        finding = broken.finding
        return Cause(finding.detail, finding.fix or again, (*finding.evidence, *health.failing))
    return None if health.verdict == HEALTHY else _told(looked, unseen, again)


def _told(looked: _Looked, unseen: Cause | None, again: str) -> Cause:
    """Where no wire is seen to be broken: the operator's own words, or why they are missing."""
    failing, problem = looked.health.failing, looked.problem
    if looked.health.verdict == UNHEALTHY and failing:
        return Cause(f"the operator reports {failing[0]}", again, failing[1:])
    if unseen is not None:
        return unseen
    if problem is not None:
        return Cause(str(problem), problem.fix or again, problem.evidence)
    if looked.found is None:
        return Cause("the operator does not report, and its cluster is not found", again)
    said = failing[0] if failing else "it has not reported to the control plane"
    return Cause(f"the operator runs, but {said}", again, failing[1:])
