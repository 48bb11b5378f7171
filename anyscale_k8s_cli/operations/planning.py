"""Plan: read the world, and compute how it differs from what should be."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import (
    values_file,
    wording,
)
from anyscale_k8s_cli.addons.ways_in import asked_of_service
from anyscale_k8s_cli.checks import BoundCheck, Report, When, declared, run_checks
from anyscale_k8s_cli.checks.cluster import cluster_checks
from anyscale_k8s_cli.checks.registry import refuse_slips
from anyscale_k8s_cli.checks.room import with_room
from anyscale_k8s_cli.cluster.charts import default_values
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import LedgerContent, installs_in, ledger_of
from anyscale_k8s_cli.operations.clouds import by_id
from anyscale_k8s_cli.operations.left_out import (
    dropped_tags,
)
from anyscale_k8s_cli.operations.losses import registered_bucket, with_lost_data
from anyscale_k8s_cli.operations.reach import from_here
from anyscale_k8s_cli.operations.refusals import whole
from anyscale_k8s_cli.operations.rehearsing import codes, trials_of
from anyscale_k8s_cli.operations.rendering import pod_checks, version_change
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.said import command_of, said_again
from anyscale_k8s_cli.operations.setup_plan import SetupPlan
from anyscale_k8s_cli.operations.side import Side, side_of
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
    load_spec,
    open_clouds,
    open_cluster,
)
from anyscale_k8s_cli.plan import Plan, compute, with_parts
from anyscale_k8s_cli.provider import Provider, Verb, install_on
from anyscale_k8s_cli.registration import RegisteredCloud
from anyscale_k8s_cli.resource import LOAD_BALANCED, Change
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.saved_plan import SavedPlan, raise_stale
from anyscale_k8s_cli.spec import CloudSpec, brings_way_in, leaves
from anyscale_k8s_cli.spec_loading import LoadedSpec


async def plan(request: SetupRequest, run: Run) -> SetupPlan:
    """Compute what setup would do. Performs reads only."""
    started = time.monotonic()
    saved = SavedPlan.read(request.saved_plan) if request.saved_plan else None
    if saved:
        request = replace(request, flags=dict(leaves(saved.spec)))
    loaded, provider = load_spec(request.flags, request.file, request.environment, run)
    wording.check(loaded.spec)
    refuse_slips("--waive", loaded.spec.waive, When.SETUP)
    clouds = open_clouds(request, run)
    if request.cloud_id:
        await asyncio.to_thread(by_id, clouds, loaded.spec.name, request.cloud_id)
    with run.phase("discover", "Looking at the cloud account and the cluster"):
        _, opened = await asyncio.gather(
            asyncio.to_thread(clouds.user), open_cluster(provider, loaded.spec, run)
        )
    install = install_on(opened.cluster, loaded.spec, opened.uid)
    if request.values_file and not request.overwrite:
        values_file.check_writable(request.values_file, install)
    try:
        made = await _compared(request, loaded, provider, opened, install, clouds, run, started)
    except errors.CliError as problem:
        told = partial(whole, problem, opened.kubernetes, loaded.spec, Verb.SETUP)
        raise await asyncio.to_thread(told) from problem.__cause__
    if saved:
        again = shlex.join(command_of(request))
        saved.check_covers(made.plan, install, clouds.plane.host, again)
        made = replace(made, meanwhile=tuple(saved.meanwhile(made.plan)))
    return made


async def _compared(
    request: SetupRequest,
    loaded: LoadedSpec,
    provider: Provider,
    opened: OpenCluster,
    install: Install,
    clouds: Clouds,
    run: Run,
    started: float,
) -> SetupPlan:
    told = (await asyncio.to_thread(ledger_of, opened.kubernetes, install)).said
    dropped = dropped_tags(told, loaded.spec)
    side = await side_of(request, loaded.spec, provider, opened, install, clouds, dropped, run)
    with run.phase("plan", "Comparing what is there with what should be"):
        await asyncio.to_thread(_wait_for_namespaces, side)
        ledger = await asyncio.to_thread(ledger_of, opened.kubernetes, install)
        checks = (
            declared.CONTROL_PLANE_REACHABLE.bind(partial(from_here, clouds.plane)),
            *cluster_checks(loaded.spec, opened.cluster, opened.kubernetes, opened.nodes),
            *provider.checks(loaded.spec, opened.cluster),
            *((side.token_check.before(),) if side.token_check else ()),
            *pod_checks(side.stage.context),
        )
        asked = [bound for bound in checks if When.SETUP in bound.check.when]
        first = [bound for bound in asked if not bound.check.adds]
        later = [bound for bound in asked if bound.check.adds]
        waived = set(loaded.spec.waive) - {check.code for check in declared.BY_POD}
        of_later = {bound.code for bound in later} | set(codes())
        checking = asyncio.create_task(run_checks(first, run, waived - of_later))
        computed = await _computed(side, ledger, checking, run)
        report = await checking
        trials = trials_of(side.stage, computed, ledger, report)
        then = [
            *_of_new(later, computed, loaded.spec),
            *(trials.checks() if trials else ()),
        ]
        of_plan = await run_checks(then, run, waived & {bound.code for bound in then})
        preflight = Report((*report.results, *of_plan.results))
        computed = await with_parts(
            computed, lambda item: request.upgrade or version_change(item) is not None
        )
        unknown = await _look_for_chart(side, computed, loaded.spec.operator.values)
    if any(item.resource is side.record for item in computed.refusals):
        await asyncio.to_thread(_check_not_elsewhere, request, opened, install, side.record)
    registered = registered_bucket(side.registration)
    computed = with_lost_data(computed, side.cloud.storage, registered, ledger.rights)
    return SetupPlan(
        request,
        loaded,
        provider,
        install,
        opened,
        clouds,
        side,
        computed,
        ledger,
        preflight,
        started,
        trials,
        unknown,
        narrowed=not ledger.said
        and await asyncio.to_thread(_is_internal, provider, loaded.spec, opened, install, side),
    )


async def again(made: SetupPlan, run: Run) -> SetupPlan:
    """The same plan, or one that is made anew where another run has written in between.

    Raises why the new one must not be applied, and `plan-stale` where it holds more
    than the one that was shown.
    """
    found = await asyncio.to_thread(ledger_of, made.opened.kubernetes, made.install)
    if found.version == made.ledger.version:
        return made
    with run.phase("again", "Looking again: another run has changed something in between"):
        fresh = await plan(made.request, run)
    if fresh.problem:
        raise fresh.problem
    raise_stale(
        made.saved.unlike(fresh.plan, fresh.install, fresh.clouds.plane.host),
        "What was shown no longer fits: another run has changed something in between",
        "run the same command again, and look at what it would do now",
    )
    return fresh


def _of_new(checks: Iterable[BoundCheck], computed: Plan, spec: CloudSpec) -> Iterator[BoundCheck]:
    """Those that ask for room for what is to be made."""
    new = Counter(item.resource.kind for item in computed.changes if item.change is Change.CREATE)
    # An annotation can ask for another kind of load balancer, or for an address of one's own.
    return with_room(checks, new, LOAD_BALANCED if spec.network.annotations else ())


def _is_internal(
    provider: Provider, spec: CloudSpec, opened: OpenCluster, install: Install, side: Side
) -> bool:
    """Whether the gateway's Service is asked for as an internal one would be, not a public one."""
    there = asked_of_service(side.cluster.resources)
    if there is None or spec.network.expose == "internal" or brings_way_in(spec):
        return False

    def annotations(expose: Literal["public", "internal"]) -> Mapping[str, str]:
        network = spec.network.model_copy(update={"expose": expose})
        other = spec.model_copy(update={"network": network})
        balancer = provider.load_balancer(other, opened.cluster, install, opened.kubernetes)
        return balancer.annotations

    public, internal = annotations("public"), annotations("internal")
    apart = {key: value for key, value in internal.items() if public.get(key) != value}
    return bool(apart) and all(there.get(key) == value for key, value in apart.items())


async def _look_for_chart(side: Side, computed: Plan, users: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the user's values that the operator's chart does not know.

    Raises `chart-unavailable` before anything is made, where the user named chart or version.
    """
    release = side.cluster.operator.release
    written = any(item.resource is side.cluster.operator for item in computed.writes)
    if not written or not (release.version or release.source or users):
        return ()
    chart = await side.stage.context.charts.fetch(release.chart, release.version, release.source)
    defaults = await asyncio.to_thread(default_values, chart)
    return tuple(wording.unknown(users, defaults)) if defaults else ()


def _check_not_elsewhere(
    request: SetupRequest, opened: OpenCluster, install: Install, record: RegisteredCloud
) -> None:
    """Raise `cloud-elsewhere` where the record is one's own, from another namespace.

    To add to it would register the same cluster twice.
    """
    for other in installs_in(opened.kubernetes).values():
        if other.cloud == install.cloud and record.has(other):
            raise errors.CliError(
                errors.CLOUD_ELSEWHERE,
                f"{install.cloud} is your own cloud, on {other.provider}/{other.cluster_name} "
                f"in namespace {other.namespace}",
                cause=f"a cloud does not move to another namespace ({install.namespace})",
                fix=f"{said_again(command_of(request), {'namespace': other.namespace})}\n"
                "or --name NAME with another name for a second cloud, or delete this one first",
            )


def _wait_for_namespaces(side: Side) -> None:
    """What is in a namespace that is being deleted tells nothing of what will be in the next."""
    for resource in side.resources:
        if isinstance(resource, Namespace):
            resource.wait_if_going()


async def _computed(
    side: Side, ledger: LedgerContent, checking: Awaitable[Report], run: Run
) -> Plan:
    """What is to be done, with helm at hand if anything is."""
    try:
        computed = await compute(side.resources, ledger.rights, run)
    except errors.CliError:
        # A check that failed says why, and what mends it.
        (await checking).raise_for_failure()
        raise
    if computed.writes:
        await side.stage.context.helm.found()
    return computed
