"""Status: what the control plane holds of a cloud, and the first cause where it is not well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.diagnosis import diagnose_workload
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.clouds import choose, opened
from anyscale_k8s_cli.operations.health import HEALTHY, UNHEALTHY, Health, health_of
from anyscale_k8s_cli.operations.requests import DeleteRequest, StatusRequest
from anyscale_k8s_cli.operations.search import FoundInstall, Searcher
from anyscale_k8s_cli.provider import ClusterState
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import scope_options

STATUS_SCHEMA = "anyscale-k8s/status/v1"
OPERATOR = "anyscale-operator"


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
    cause: Cause | None

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
                {
                    "code": name,
                    "title": name.replace("_", " ").lower(),
                    "status": _status(status),
                    "detail": details,
                }
                for name, status, details in self.health.checks
            ],
            "cause": self.cause.text if self.cause else None,
            "evidence": list(self.cause.evidence) if self.cause else [],
            "command": self.cause.command if self.cause else None,
        }


def _status(reported: str) -> str:
    return {"HEALTHY": "pass", "UNHEALTHY": "fail", "WARNING": "warn"}.get(reported, "unknown")


async def status(request: StatusRequest, run: Run) -> StatusReport:
    """Ask the control plane; where it is not HEALTHY, look for the cause from outside in."""

    def look() -> StatusReport:
        with opened(request, run) as clouds:
            cloud = choose(clouds, request.name, request.cloud_id)
            found, problem = _find(request, cloud, clouds, run)
            resources = clouds.list_resources(cloud.id)
            resource = _ours(resources, found)
            health = health_of(resource)
            if health.verdict == HEALTHY:
                return StatusReport(cloud, resource, health, found, None)
            cause = _cause(cloud, resource, health, found, problem, run)
            return StatusReport(cloud, resource, health, found, cause)

    return await asyncio.to_thread(look)


def _find(
    request: StatusRequest, cloud: Cloud, clouds: Clouds, run: Run
) -> tuple[FoundInstall | None, errors.CliError | None]:
    """The install behind a cloud. That it cannot be found does not stop the status."""
    search = DeleteRequest(
        environment=request.environment,
        home=request.home,
        name=cloud.name,
        cloud_id=cloud.id,
        flags=request.flags,
    )
    try:
        findings = Searcher(search, clouds, run).find()
    except errors.CliError as problem:
        if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
            raise
        return None, problem
    return (findings.installs[0] if findings.installs else None), None


def _ours(
    resources: list[DecoratedCloudResource], found: FoundInstall | None
) -> DecoratedCloudResource | None:
    if found is not None:
        named = found.install.resource_name
        return next((item for item in resources if item.name == named), None)
    return next((item for item in resources if item.is_default), next(iter(resources), None))


def _cause(
    cloud: Cloud,
    resource: DecoratedCloudResource | None,
    health: Health,
    found: FoundInstall | None,
    problem: errors.CliError | None,
    run: Run,
) -> Cause:
    again = _setup_command(cloud, found)
    told = _told_by_control_plane(cloud, resource, health, again)
    if told is not None:
        return told
    if problem is not None:
        return Cause(str(problem), problem.fix or again, problem.evidence)
    if found is None:
        return Cause("the operator does not report, and its cluster is not found", again)
    try:
        return _in_cluster(found, health, again, run)
    except errors.CliError as unreachable:
        return Cause(str(unreachable), unreachable.fix or again, unreachable.evidence)


def _told_by_control_plane(
    cloud: Cloud, resource: DecoratedCloudResource | None, health: Health, again: str
) -> Cause | None:
    """The cause where the record itself has it; an operator that went silent tells nothing new."""
    if cloud.deleting:
        return Cause(f"the cloud is {cloud.state}", f"anyscale cloud delete {cloud.name}")
    if resource is None:
        return Cause("no cluster of yours is registered in the cloud", again)
    if health.failing and health.verdict == UNHEALTHY:
        return Cause(f"the operator reports {health.failing[0]}", again, health.failing[1:])
    return None


def _in_cluster(found: FoundInstall, health: Health, again: str, run: Run) -> Cause:
    install, provider = found.install, found.provider
    if provider.cluster_state(install) is ClusterState.DELETED:
        return Cause(
            f"the cluster {install.cluster} is deleted", f"anyscale cloud delete {install.cloud}"
        )
    cluster = provider.discover(provider.locate(install))
    kubernetes = Kubernetes(cluster.access, run)
    reference = Reference("apps/v1", "Deployment", OPERATOR, install.namespace)
    deployment = kubernetes.get(
        reference.api_version, reference.kind, reference.name, reference.namespace
    )
    if deployment is None:
        return Cause(f"the operator is not installed in namespace {install.namespace}", again)
    if deployment["spec"].get("replicas") == 0:
        return Cause(
            "the operator is scaled to zero",
            f"kubectl --namespace {install.namespace} scale deployment {OPERATOR} --replicas 1",
        )
    diagnosis = diagnose_workload(kubernetes, reference)
    if diagnosis is not None:
        return Cause(f"the operator is not up: {diagnosis.cause}", again, diagnosis.evidence)
    told = health.failing[0] if health.failing else "it has not reported to the control plane"
    return Cause(f"the operator runs, but {told}", again, health.failing[1:])


def _setup_command(cloud: Cloud, found: FoundInstall | None) -> str:
    if found is None:
        return f"anyscale cloud setup --name {cloud.name}"
    where = scope_options(found.provider.locate(found.install))
    return f"anyscale cloud setup {where} --name {found.install.cloud}"
