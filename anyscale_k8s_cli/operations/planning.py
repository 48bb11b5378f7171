"""Plan: read the world, and compute how it differs from what should be."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import (
    ClusterSide,
    cluster_side,
    values_file,
    wording,
)
from anyscale_k8s_cli.addons.operator import operator_values
from anyscale_k8s_cli.addons.rehearsal import Stage
from anyscale_k8s_cli.addons.token_values import installed_tokens
from anyscale_k8s_cli.addons.ways_in import asked_of_service, removals
from anyscale_k8s_cli.checks import BoundCheck, Report, When, declared, run_checks
from anyscale_k8s_cli.checks.cluster import cluster_checks
from anyscale_k8s_cli.checks.registry import refuse_slips
from anyscale_k8s_cli.checks.room import with_room
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.charts import default_values
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import LedgerContent, installs_in, ledger_of
from anyscale_k8s_cli.operations.clouds import by_id
from anyscale_k8s_cli.operations.left_out import (
    LeftOut,
    check_bucket,
    check_exposure,
    dropped_tags,
    exposure_by_annotations,
    exposure_change,
    left_out,
    way_in_change,
)
from anyscale_k8s_cli.operations.losses import losses, registered_bucket, url_of, with_lost_data
from anyscale_k8s_cli.operations.reach import from_here
from anyscale_k8s_cli.operations.refusals import whole
from anyscale_k8s_cli.operations.registering import outside_of
from anyscale_k8s_cli.operations.rehearsing import Trials, codes, trials_of
from anyscale_k8s_cli.operations.rendering import pod_checks, pod_notes
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.said import settings_of, setup_command
from anyscale_k8s_cli.operations.token_check import TokenCheck
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
    cluster_context,
    load_spec,
    open_clouds,
    open_cluster,
    sign_in,
)
from anyscale_k8s_cli.plan import Plan, compute, with_parts
from anyscale_k8s_cli.provider import LoadBalancer, Provider, Verb, install_on, load_balancer_of
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import LOAD_BALANCED, Change, NotYetKnown, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.saved_plan import SavedPlan
from anyscale_k8s_cli.spec import CloudSpec, brings_way_in, flags_by_path, leaves
from anyscale_k8s_cli.spec_loading import LoadedSpec, Source

PLAN_SCHEMA = "anyscale-k8s/plan/v1"


@dataclass(frozen=True)
class Side:
    """Everything that should be: the cloud's objects, the registration, the cluster's."""

    cloud: CloudSide
    record: RegisteredCloud
    registration: RegisteredResource
    cluster: ClusterSide
    operator_values: Callable[[], Mapping[str, Any]]
    token_check: TokenCheck | None
    stage: Stage

    @property
    def resources(self) -> tuple[Resource[Any], ...]:
        return (
            *self.cloud.resources,
            self.record,
            self.registration,
            *self.cluster.resources,
        )


@dataclass(frozen=True)
class SetupPlan:
    """A plan, with all that is needed to make it true."""

    request: SetupRequest
    loaded: LoadedSpec
    provider: Provider
    install: Install
    opened: OpenCluster
    clouds: Clouds
    side: Side
    plan: Plan
    ledger: LedgerContent
    preflight: Report
    started: float
    trials: Trials | None = None
    unknown_values: tuple[str, ...] = ()
    # Whether a live load balancer is internal though no inventory tells of it.
    narrowed: bool = False

    @property
    def spec(self) -> CloudSpec:
        return self.loaded.spec

    @property
    def header(self) -> dict[str, Any]:
        """Whose account, which cluster, how exposed: shown before the first write."""
        cluster = self.opened.cluster
        return {
            "cloud": self.install.cloud,
            "provider": self.install.provider,
            "account": cluster.account,
            "region": cluster.region,
            "cluster": cluster.name,
            "endpoint": cluster.access.endpoint,
            "cluster_uid": self.opened.uid,
            "namespace": self.install.namespace,
            "exposure": exposure(self.spec),
            "allow_cidrs": list(self.spec.network.allow_cidrs),
            "environment": self._from_environment(),
            "pods": self.side.stage.context.pods.as_json(),
        }

    def _from_environment(self) -> dict[str, str]:
        """The options, or keys of the file, that a variable of the environment stands for."""
        flags = flags_by_path()
        return {
            flags.get(path) or path: self.loaded.variables[path]
            for path, source in self.loaded.sources.items()
            if source is Source.ENVIRONMENT
        }

    @property
    def left_out(self) -> LeftOut:
        """What the last setup was told and this one is not."""
        return left_out(self.ledger.said, self.loaded)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before it is done."""
        dropped = self.left_out.consequences() if self.request.drop_options else ()
        told = self.ledger.said
        moves = (
            *exposure_change(told, self.loaded),
            *way_in_change(told, self.loaded, removals(self.install, self.opened.kubernetes)),
            *exposure_by_annotations(self.spec, self.side.stage.balancer),
        )
        notes = (
            *self.left_out.notes(upgrade=self.request.upgrade, rewritten=self._rewrites_operator),
            *self._unknown(),
            *pod_notes(self.side.stage.context, self.plan),
        )
        return (*notes, *dropped, *moves, *self._losses)

    @property
    def _rewrites_operator(self) -> bool:
        return any(item.resource is self.side.cluster.operator for item in self.plan.writes)

    def _unknown(self) -> Iterator[str]:
        if self.unknown_values:
            yield (
                f"--values: the operator's chart has no {', '.join(self.unknown_values)}, and may "
                "not heed it"
            )

    def _check_left_out(self) -> None:
        file = self.request.file
        self.left_out.check(self.request.flags, file)
        if not self.ledger.said:
            registered = registered_bucket(self.side.registration)
            check_bucket(self.loaded, registered, url_of(self.side.cloud.storage), file)
            if self.narrowed:
                check_exposure(self.loaded, file)

    @property
    def _losses(self) -> Iterator[str]:
        registered = registered_bucket(self.side.registration)
        return losses(self.plan, self.side.cloud.storage, registered)

    @property
    def problem(self) -> errors.CliError | None:
        """Why the plan must not be applied, if it must not."""
        try:
            if not self.request.drop_options:
                self._check_left_out()
            self.preflight.raise_for_failure()
            self.plan.raise_for_refusals()
            if self.request.only_create:
                self.plan.raise_for_changes()
            _check_same_cluster(self)
        except errors.CliError as problem:
            return problem
        return None

    def forbidden_in_namespace(self) -> errors.CliError | None:
        """Why nothing more must be made, now that the operator's namespace is there."""
        if self.trials is None:
            return None
        try:
            tried = self.trials.in_namespace(self.install.namespace, self.spec.waive)
            tried.raise_for_failure()
        except errors.CliError as problem:
            return problem
        return None

    def as_json(self) -> dict[str, Any]:
        document = {
            "schema": PLAN_SCHEMA,
            **{name: self.header[name] for name in ("cloud", "provider", "region", "cluster")},
            "account": self.header["account"],
            "endpoint": self.header["endpoint"],
            "cluster_uid": self.opened.uid,
            "install": self.install.id,
            "pods": self.side.stage.context.pods.as_json(),
            "summary": self.plan.summary(),
            "resources": [item.as_json() for item in self.plan.changes],
            "checks": [result.as_json() for result in self.preflight.results],
            "warnings": list(self.warnings),
        }
        if self.problem:
            document["error"] = self.problem.as_json()
        return document

    def save(self, path: Path) -> None:
        """Write the plan to a file, for `setup --plan`. Raises `file-not-ours`."""
        self._saved.write(path, overwrite=self.request.overwrite)

    @property
    def _saved(self) -> SavedPlan:
        saved = self.spec.model_dump(mode="json", exclude_unset=True)
        return SavedPlan.of(self.plan, self.install, self.clouds.plane.host, saved)

    def write_values(self) -> bool:
        """Write the operator's values where the request wants them.

        False while something in them is known only after a setup.
        """
        path = self.request.values_file
        if path is None:
            return True
        try:
            values = self.side.operator_values()
        except NotYetKnown:
            return False
        values_file.write(path, values, self.install, overwrite=self.request.overwrite)
        return True

    async def again(self, run: Run) -> SetupPlan:
        """This plan, or one that is made anew where another run has written in between.

        Raises why the new one must not be applied, and `plan-stale` where it holds more
        than the one that was shown.
        """
        found = await asyncio.to_thread(ledger_of, self.opened.kubernetes, self.install)
        if found.version == self.ledger.version:
            return self
        with run.phase("again", "Looking again: another run has changed something in between"):
            fresh = await plan(self.request, run)
        if fresh.problem:
            raise fresh.problem
        difference = self._saved.unlike(fresh.plan, fresh.install, fresh.clouds.plane.host)
        if difference:
            raise errors.CliError(
                errors.PLAN_STALE,
                "What was shown no longer fits: another run has changed something in between",
                cause=difference[0],
                evidence=tuple(difference[1:]),
                fix="run the same command again, and look at what it would do now",
            )
        return fresh


def exposure(spec: CloudSpec) -> str:
    """Empty where users come in by a way that is not ours to expose."""
    if brings_way_in(spec):
        return ""
    return "PUBLIC" if spec.network.expose == "public" else "internal"


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
        words = setup_command(settings_of(loaded), None, "anyscale cloud plan")
        again = f"{words} --out {shlex.quote(str(request.saved_plan))}"
        saved.check_covers(made.plan, install, clouds.plane.host, again)
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
        if request.upgrade:
            computed = await with_parts(computed)
        unknown = await _look_for_chart(side, computed, loaded.spec.operator.values)
    if any(item.resource is side.record for item in computed.refusals):
        await asyncio.to_thread(_check_not_elsewhere, request, loaded, opened, install, side.record)
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
    request: SetupRequest,
    loaded: LoadedSpec,
    opened: OpenCluster,
    install: Install,
    record: RegisteredCloud,
) -> None:
    """Raise `cloud-elsewhere` where the record is one's own, from another namespace.

    To add to it would register the same cluster twice.
    """
    for other in installs_in(opened.kubernetes).values():
        if other.cloud == install.cloud and record.has(other):
            said = {**settings_of(loaded), "namespace": other.namespace}
            raise errors.CliError(
                errors.CLOUD_ELSEWHERE,
                f"{install.cloud} is your own cloud, on {other.provider}/{other.cluster_name} "
                f"in namespace {other.namespace}",
                cause=f"a cloud does not move to another namespace ({install.namespace})",
                fix=f"{setup_command(said, request.file)}\n"
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


async def side_of(
    request: SetupRequest,
    wanted: CloudSpec,
    provider: Provider,
    opened: OpenCluster,
    install: Install,
    clouds: Clouds,
    dropped: Mapping[str, str],
    run: Run,
) -> Side:
    """Everything that should be, for a spec on a cluster that is open. Reads only."""
    outside = outside_of(request, wanted, provider, opened.cluster, install, clouds, dropped)
    cloud, registration = outside.cloud, outside.registration
    token = sign_in(wanted, provider, ServiceAccounts(clouds.plane), install)
    balancer: LoadBalancer | None = None
    if not brings_way_in(wanted):
        balancer = await asyncio.to_thread(
            load_balancer_of, provider, wanted, opened.cluster, install, opened.kubernetes
        )
    context = cluster_context(
        opened,
        wanted,
        provider,
        install,
        clouds,
        request,
        run,
        upgrade=request.upgrade,
        dropped_tags=dropped,
    )
    inside = await asyncio.to_thread(
        cluster_side,
        context,
        cloud,
        registration,
        balancer,
        lambda addresses: provider.load_balancer_left(install, addresses),
        token,
    )
    made = inside.token.token if inside.token else None
    return Side(
        cloud,
        outside.record,
        registration,
        inside,
        lambda: operator_values(context, cloud, registration, inside.way_in, made),
        TokenCheck(token, partial(installed_tokens, opened.kubernetes, install.namespace))
        if token
        else None,
        Stage(context, cloud, registration, inside, balancer),
    )


def _check_same_cluster(made: SetupPlan) -> None:
    """Refuse when live objects of ours belong to another cluster of the same name."""
    if made.request.replace_cluster or made.side.registration.observed is None:
        return
    others = [
        item
        for item in made.plan.changes
        if item.observed is not None
        and item.observed.owner is not None
        and item.observed.owner.id == made.install.id
        and item.observed.owner.cluster_uid not in ("", made.opened.uid)
    ]
    if others:
        first = others[0].observed
        assert first is not None and first.owner is not None  # noqa: PT018, S101
        raise errors.CliError(
            errors.OTHER_CLUSTER,
            f"{made.install.cloud} is registered for another cluster of this name",
            cause=f"{others[0].resource.title} is for the cluster with UID "
            f"{first.owner.cluster_uid}, this one has {made.opened.uid}",
            evidence=tuple(item.resource.key for item in others),
            fix="if the cluster was rebuilt, add --replace-cluster; the bucket is kept",
        )
