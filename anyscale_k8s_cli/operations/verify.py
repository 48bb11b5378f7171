"""Verify: every check of a cloud that is there, each with its verdict. Nobody is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import ComparesIdentities
from anyscale_k8s_cli.addons import gateway_controller, gpu, nginx
from anyscale_k8s_cli.addons.names import OPERATOR_CHART
from anyscale_k8s_cli.checks import (
    BoundCheck,
    Check,
    Finding,
    Report,
    Status,
    When,
    declared,
    passed,
    run_checks,
)
from anyscale_k8s_cli.checks.cluster import cluster_checks
from anyscale_k8s_cli.checks.dns import SERVER_VARIABLE, lookup
from anyscale_k8s_cli.checks.nodes import Machines, node_checks
from anyscale_k8s_cli.checks.operator import operator_checks, versions
from anyscale_k8s_cli.checks.registry import declared_by, refuse_slips, refuse_unknown
from anyscale_k8s_cli.cluster.release_records import newest
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.operations.behind import Behind, Cause, look_behind
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.console_access import console_checks
from anyscale_k8s_cli.operations.drift import Drift
from anyscale_k8s_cli.operations.from_pod import FromPod
from anyscale_k8s_cli.operations.health import HEALTHY, REPORT_INTERVAL
from anyscale_k8s_cli.operations.reach import from_here
from anyscale_k8s_cli.operations.requests import VerifyRequest
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import ENVIRONMENT, OpenCluster
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec

VERIFY_SCHEMA = "anyscale-k8s/verify/v1"
# An operator that has missed so many reports has stopped to report.
_MISSED_REPORTS = 10


@dataclass(frozen=True)
class VerifyReport:
    behind: Behind
    report: Report

    @property
    def failed(self) -> bool:
        return self.report.first_failure is not None

    def as_json(self) -> dict[str, Any]:
        behind, install = self.behind, self.behind.install
        return {
            "schema": VERIFY_SCHEMA,
            "cloud": behind.cloud.name,
            "cloud_id": behind.cloud.id,
            "provider": install.provider if install else behind.cloud.provider.lower() or None,
            "region": (install.region if install else behind.cloud.region) or None,
            "cluster": install.cluster if install else None,
            "operator_namespace": install.namespace if install else None,
            **self.report.as_json(),
        }


async def verify(request: VerifyRequest, run: Run) -> VerifyReport:
    """Run every check of a cloud, side by side. What cannot be known is `unknown`, with the reason.

    Raises `usage` for codes that are no checks, and what finding the cloud raises.
    """
    refuse_slips("--waive", request.waived, When.VERIFY)
    refuse_unknown("--only", request.only, When.VERIFY)
    _refuse_halves(request)

    def look() -> VerifyReport:
        with opened(request, run) as clouds:
            with run.phase("discover", "Looking for the cloud and its cluster"):
                behind = look_behind(request, clouds, run, named_too=True)
            with run.phase("verify", "Checking what the cloud depends on"):
                checks = _asked(request, _checks(request, behind, clouds, run))
                return VerifyReport(behind, run.await_(run_checks(checks, run, request.waived)))

    return await asyncio.to_thread(look)


def _refuse_halves(request: VerifyRequest) -> None:
    """Raises `usage` for an option that means nothing without another."""
    named = declared.FUNCTIONAL_GPU.code in request.only
    for option, without in (
        ("--gpu", request.gpu and not request.functional),
        ("--scale-up", request.scale_up and not (request.gpu or named)),
    ):
        if without:
            raise errors.CliError(
                errors.USAGE,
                f"{option} says how --functional is done, which is not asked for",
                fix="add --functional --gpu",
            )


def _asked(request: VerifyRequest, checks: Sequence[BoundCheck]) -> list[BoundCheck]:
    """Those that were asked for. Raises `usage` if none of them is about this cloud."""
    asked = [bound for bound in checks if not request.only or bound.code in request.only]
    if not asked:
        raise errors.CliError(
            errors.USAGE,
            f"--only {', '.join(request.only)}: not a check of this cloud",
            cause=f"there are: {', '.join(sorted(bound.code for bound in checks))}",
            fix="leave --only out, or give one of these",
        )
    return asked


def _checks(
    request: VerifyRequest, behind: Behind, clouds: Clouds, run: Run
) -> tuple[BoundCheck, ...]:
    """In the order of declaration: each that is about this cloud."""
    bound = {
        item.code: item
        for item in (*_of_plane(behind, clouds), *_of_cluster(request, behind, clouds, run))
        if _is_asked(item.check, request)
    }
    found = behind.found
    known = declared_by(found.install.provider) if found else declared.CHECKS
    if behind.wiring is None:
        unseen = partial(Finding, Status.UNKNOWN, f"not looked at: {behind.why_unseen}")
        missing = [check for check in declared.CHECKS if _is_asked(check, request)]
        bound = {check.code: check.bind(unseen) for check in missing} | bound
    return tuple(bound[check.code] for check in known if check.code in bound)


def _is_asked(check: Check, request: VerifyRequest) -> bool:
    """A pod is made for those that want it, and for nobody else."""
    wanted = {
        **dict.fromkeys(declared.BY_POD, request.probe),
        declared.FUNCTIONAL_JOB: request.functional,
        declared.FUNCTIONAL_GPU: request.functional and request.gpu,
    }
    return When.VERIFY in check.when and (wanted.get(check, True) or check.code in request.only)


# -- what the control plane tells ---------------------------------------------------


def _of_plane(behind: Behind, clouds: Clouds) -> Iterator[BoundCheck]:
    yield declared.CONTROL_PLANE_REACHABLE.bind(partial(from_here, clouds.plane))
    yield declared.CLOUD_REGISTERED.bind(lambda: _registered(behind))
    if behind.resource is None:
        return
    yield declared.OPERATOR_HEALTH.bind(lambda: _health(behind, clouds))
    yield from console_checks(behind, clouds)


def _registered(behind: Behind) -> Finding:
    cloud = behind.cloud
    if cloud.deleting:
        delete = f"anyscale cloud delete {cloud.name}"
        return Finding(Status.FAIL, f"the cloud is {cloud.state}", fix=delete)
    if behind.resource is None:
        none = Cause(f"no cluster of yours is registered in {cloud.name}", behind.again)
        told = behind.unseen or none
        return Finding(Status.FAIL, told.text, told.evidence, told.command)
    return passed(behind.resource.cloud_resource_id or "")


def _health(behind: Behind, clouds: Clouds) -> Finding:
    health = behind.health
    fix = "" if behind.wiring else behind.again
    if health.reported_at is None:
        return Finding(Status.FAIL, "it has never reported to the control plane", fix=fix)
    age = clouds.plane.server_time() - health.reported_at
    if health.verdict != HEALTHY:
        return Finding(
            Status.FAIL,
            health.failing[0] if health.failing else f"the control plane says {health.verdict}",
            health.failing[1:],
            fix,
        )
    if age > _MISSED_REPORTS * REPORT_INTERVAL:
        when = f"{health.reported_at:%Y-%m-%d %H:%M} UTC"
        return Finding(Status.FAIL, f"its last report is of {when}", fix=fix)
    return passed(f"version {health.version}, {max(0, int(age.total_seconds()))} s ago")


# -- what the cluster and the cloud account tell --------------------------------------


def _of_cluster(
    request: VerifyRequest, behind: Behind, clouds: Clouds, run: Run
) -> Iterator[BoundCheck]:
    wiring = behind.wiring
    if wiring is None:
        return
    kubernetes, cluster = wiring.kubernetes, wiring.cluster
    again, values = wiring.again, wiring.values or {}
    spec = wiring.spec or wiring.provider.locate(wiring.install)
    nodes = tuple(kubernetes.list("v1", "Node"))
    yield from cluster_checks(spec, cluster, kubernetes, nodes)
    yield from wiring.checks()
    if wiring.side is not None:
        yield from wiring.provider.checks(spec, cluster)
    yield from operator_checks(
        kubernetes,
        wiring.release,
        wiring.install.namespace,
        wiring.registered_identity,
        _comparison(wiring),
        again,
    )
    server = request.environment.get(SERVER_VARIABLE, "")
    look = partial(lookup, server)
    entrance = wiring.entrance
    yield from entrance.of_names(look)
    yield from entrance.of_certificates()
    machines = Machines(kubernetes, cluster, nodes, wiring.install.namespace, values)
    yield from node_checks(machines, again)
    yield declared.ADDON_VERSIONS.bind(partial(_versions, wiring))
    opened_cluster = OpenCluster(cluster, kubernetes, kubernetes.uid(), nodes)
    yield from _of_pods(request, wiring, spec, machines)
    yield from Drift(request, wiring, opened_cluster, clouds, behind.cloud.id, run).checks()


def _of_pods(
    request: VerifyRequest, wiring: Wiring, spec: CloudSpec, machines: Machines
) -> Iterator[BoundCheck]:
    side = wiring.side
    named = request.environment.get(ENVIRONMENT["probe.image"][0])
    asked = FromPod(
        wiring.provider,
        spec,
        wiring.cluster,
        wiring.kubernetes,
        wiring.install,
        side,
        partial(wiring.bucket, side) if side else None,
        wiring.values or {},
        wiring.host,
        wiring.again,
        request.probe_image or named,
    )
    if side is None:
        untold = partial(Finding, Status.UNKNOWN, UNTOLD)
        yield from (check.bind(untold) for check in declared.BY_POD)
    else:
        yield from asked.checks()
    yield from asked.functional_checks(machines, scale_up=request.scale_up)


def _comparison(wiring: Wiring) -> Any:
    provider = wiring.provider
    if isinstance(provider, ComparesIdentities):
        return provider.same_identity
    return str.__eq__


def _versions(wiring: Wiring) -> Finding:
    kubernetes = wiring.kubernetes
    records = {
        OPERATOR_CHART: wiring.release,
        nginx.CHART: newest(kubernetes, wiring.install.namespace, nginx.RELEASE),
        **{
            part.CHART: newest(kubernetes, part.NAMESPACE, part.RELEASE)
            for part in (gateway_controller, gpu)
        },
    }
    return versions(records, wiring.untied)
