"""Plan and setup: read the world, compute the difference, do it, prove it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import ClusterContext, ClusterSide, cluster_side, values_file
from anyscale_k8s_cli.addons.operator import operator_values
from anyscale_k8s_cli.addons.token_values import installed_tokens
from anyscale_k8s_cli.checks import Report, Status, run_checks
from anyscale_k8s_cli.checks.cluster import cluster_checks
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.origin import console_origin, user_data_domain
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.events import PhaseFinished, PhaseStarted
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import Ledger, LedgerContent, installs_in, ledger_of
from anyscale_k8s_cli.lock import InstallLock, lease_seconds
from anyscale_k8s_cli.operations.health import (
    UNKNOWN,
    Health,
)
from anyscale_k8s_cli.operations.left_out import (
    LeftOut,
    check_bucket,
    dropped_tags,
    exposure_change,
    left_out,
)
from anyscale_k8s_cli.operations.losses import losses, registered_bucket, url_of, with_lost_data
from anyscale_k8s_cli.operations.registering import registered_members
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.said import settings_of, setup_command
from anyscale_k8s_cli.operations.token_check import TokenCheck
from anyscale_k8s_cli.operations.verify import Verification
from anyscale_k8s_cli.operations.whereabouts import whereabouts
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
    PlaneFacts,
    helm_tools,
    load_spec,
    open_clouds,
    open_cluster,
    sign_in,
)
from anyscale_k8s_cli.plan import Plan, PlannedChange, compute
from anyscale_k8s_cli.provider import CloudSide, Provider, install_on
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import Change, Claim, Decision, Observed, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.saved_plan import SavedPlan
from anyscale_k8s_cli.spec import CloudSpec, flags_by_path, leaves
from anyscale_k8s_cli.spec_loading import LoadedSpec, Source

PLAN_SCHEMA = "anyscale-k8s/plan/v1"
SETUP_SCHEMA = "anyscale-k8s/setup/v1"


@contextmanager
def phase(run: Run, name: str, title: str) -> Iterator[None]:
    """Report a part of the command."""
    run.emit(PhaseStarted(phase=name, title=title))
    started = time.monotonic()
    yield
    run.emit(PhaseFinished(phase=name, seconds=time.monotonic() - started))


@dataclass(frozen=True)
class Side:
    """Everything that should be: the cloud's objects, the registration, the cluster's."""

    cloud: CloudSide
    record: RegisteredCloud
    registration: RegisteredResource
    cluster: ClusterSide
    operator_values: Callable[[], Mapping[str, Any]]
    token_check: TokenCheck | None

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
            "exposure": "PUBLIC" if self.spec.network.expose == "public" else "internal",
            "allow_cidrs": list(self.spec.network.allow_cidrs),
            "environment": self._from_environment(),
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
        moves = exposure_change(self.ledger.said, self.loaded)
        return (*self.left_out.notes(), *dropped, *moves, *self._losses)

    def _check_left_out(self) -> None:
        file = self.request.file
        self.left_out.check(self.request.flags, file)
        if not self.ledger.said:
            registered = registered_bucket(self.side.registration)
            check_bucket(self.loaded, registered, url_of(self.side.cloud.storage), file)

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
            _check_same_cluster(self)
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
        saved = self.spec.model_dump(mode="json", exclude_unset=True)
        made = SavedPlan.of(self.plan, self.install, self.clouds.plane.host, saved)
        made.write(path, overwrite=self.request.overwrite)


async def plan(request: SetupRequest, run: Run) -> SetupPlan:
    """Compute what setup would do. Performs reads only."""
    started = time.monotonic()
    saved = SavedPlan.read(request.saved_plan) if request.saved_plan else None
    if saved:
        request = replace(request, flags=dict(leaves(saved.spec)))
    loaded, provider = load_spec(request.flags, request.file, request.environment, run)
    clouds = open_clouds(request, run)
    with phase(run, "discover", "Looking at the cloud account and the cluster"):
        _, opened = await asyncio.gather(
            asyncio.to_thread(clouds.user), open_cluster(provider, loaded.spec, run)
        )
    install = install_on(opened.cluster, loaded.spec, opened.uid)
    if request.values_file and not request.overwrite:
        values_file.check_writable(request.values_file, install)
    told = (await asyncio.to_thread(ledger_of, opened.kubernetes, install)).said
    dropped = dropped_tags(told, loaded.spec)
    side = await _side(request, loaded.spec, provider, opened, install, clouds, dropped, run)
    with phase(run, "plan", "Comparing what is there with what should be"):
        await asyncio.to_thread(_wait_for_namespaces, side)
        ledger = await asyncio.to_thread(ledger_of, opened.kubernetes, install)
        checks = (
            *cluster_checks(loaded.spec, opened.cluster, opened.kubernetes, opened.nodes),
            *provider.checks(loaded.spec, opened.cluster),
            *((side.token_check.before(),) if side.token_check else ()),
        )
        preflight, computed = await asyncio.gather(
            run_checks(checks, run, loaded.spec.waive),
            compute(side.resources, ledger.rights, run),
        )
    if any(item.resource is side.record for item in computed.refusals):
        await asyncio.to_thread(_check_not_elsewhere, request, loaded, opened, install, side.record)
    registered = registered_bucket(side.registration)
    computed = with_lost_data(computed, side.cloud.storage, registered, ledger.rights)
    made = SetupPlan(
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
    )
    if saved:
        saved.check_covers(computed, install, clouds.plane.host)
    return made


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
                "or choose another --name for a second cloud, or delete this one first",
            )


def _wait_for_namespaces(side: Side) -> None:
    """What is in a namespace that is being deleted tells nothing of what will be in the next."""
    for resource in side.resources:
        if isinstance(resource, Namespace):
            resource.wait_if_going()


async def _side(
    request: SetupRequest,
    wanted: CloudSpec,
    provider: Provider,
    opened: OpenCluster,
    install: Install,
    clouds: Clouds,
    dropped: Mapping[str, str],
    run: Run,
) -> Side:
    host = clouds.plane.host
    cloud = provider.cloud_side(wanted, opened.cluster, install, PlaneFacts(clouds), dropped)
    adopt = request.add_to_cloud or request.cloud_id is not None
    record = RegisteredCloud(
        clouds,
        install,
        provider=provider.control_plane_name,
        cloud_id=request.cloud_id,
        claim=Claim.ADOPT if adopt else Claim.OWN,
    )

    named = [item for item in (cloud.storage, cloud.identity) if item]

    def payload() -> Mapping[str, Any]:
        return registered_members(provider, wanted, opened.cluster, cloud)

    registration = RegisteredResource(record, install, payload, named)
    token = sign_in(wanted, provider, ServiceAccounts(clouds.plane), install)
    helm, charts = await helm_tools(opened, wanted, request, run)
    balancer = await asyncio.to_thread(
        provider.load_balancer, wanted, opened.cluster, install, opened.kubernetes
    )
    context = ClusterContext(
        spec=wanted,
        install=install,
        provider=provider,
        cluster=opened.cluster,
        kubernetes=opened.kubernetes,
        helm=helm,
        charts=charts,
        run=run,
        nodes=opened.nodes,
        control_plane_url=host,
        user_domain=user_data_domain(host),
        upgrade=request.upgrade,
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
        record,
        registration,
        inside,
        lambda: operator_values(context, cloud, registration, inside.gateway, made),
        TokenCheck(token, partial(installed_tokens, opened.kubernetes, install.namespace))
        if token
        else None,
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


@dataclass(frozen=True)
class SetupReport:
    """What setup has done; `error` is why it did not get to its end."""

    made: SetupPlan
    applied: engine.Applied | None
    health: Health | None
    warnings: tuple[str, ...]
    error: errors.CliError | None
    seconds: float

    @property
    def header(self) -> dict[str, Any]:
        """The plan's, and where people find what is there now."""
        side = self.made.side
        return {
            **self.made.header,
            **whereabouts(side.cloud, side.cluster),
            "console": console_origin(self.made.clouds.plane.host),
        }

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
            "seconds": round(self.seconds, 1),
            "warnings": list(self.warnings),
        }
        if outcomes:
            document["resources"] = [outcome.as_json() for outcome in outcomes]
        if self.error:
            document["error"] = self.error.as_json()
        return document


async def apply(made: SetupPlan, run: Run) -> SetupReport:
    """Make the plan true and prove it. A failure is in the report, with what was done by then."""
    applied: engine.Applied | None = None
    health: Health | None = None
    warnings: list[str] = [
        *made.warnings,
        *(
            f"{result.check.title}: {result.finding.detail}"
            for result in made.preflight.results
            if result.finding.status in (Status.WARN, Status.UNKNOWN)
        ),
    ]
    error = made.problem
    if error is None:
        try:
            # A run that died may have made the last object and not told of it.
            if made.plan.writes or made.ledger.lacks(made.plan.changes):
                with phase(run, "apply", "Making the changes"):
                    applied = await _apply_locked(made, run)
            elif made.plan.unsettled:
                with phase(run, "apply", "Waiting for what is there and not of use yet"):
                    applied = await engine.forwards(made.plan, run, Unjournaled())
            if applied and applied.error:
                raise applied.error
            with phase(run, "verify", "Asking the control plane whether it works"):
                health = await _verify(made, run, warnings)
                if made.side.cluster.token:
                    await asyncio.to_thread(made.side.cluster.token.retire)
            if made.request.values_file:
                _write_values(made, made.request.values_file)
        except errors.CliError as problem:
            error = problem
    seconds = time.monotonic() - made.started
    return SetupReport(made, applied, health, tuple(warnings), error, seconds)


def _write_values(made: SetupPlan, path: Path) -> None:
    values = made.side.operator_values()
    if made.request.overwrite:
        path.unlink(missing_ok=True)
    values_file.write(path, values, made.install)


@dataclass(frozen=True)
class LockedLedger:
    """The journal of an apply: the ledger, guarded by the lock."""

    ledger: Ledger
    lock: InstallLock

    def guard(self) -> None:
        self.lock.guard()

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        self.ledger.done(resource, observed)

    def removed(self, resource: Resource[Any]) -> None:
        self.ledger.removed(resource)


async def _apply_locked(made: SetupPlan, run: Run) -> engine.Applied:
    """The namespace first, then the lock, then the intent, then everything."""
    namespace = made.side.cluster.namespace
    planned = next(item for item in made.plan.changes if item.resource is namespace)
    said = settings_of(made.loaded)
    # Until they are gone the dropped tags stay known: the next run goes on where this one ends.
    dropped = dropped_tags(made.ledger.said, made.spec)
    until_done = {**said, "rules.tags": {**dropped, **made.spec.rules.tags}} if dropped else said
    ledger = Ledger(made.opened.kubernetes, made.install, until_done)
    plan = made.plan
    first = engine.Applied(())
    if planned.change is Change.CREATE:
        first = await engine.forwards(Plan((planned,)), run, Unjournaled())
        if first.error:
            return first
        plan = _with_result(made.plan, planned)
    seconds = lease_seconds(made.request.environment)
    with InstallLock(made.opened.kubernetes, made.install, run, seconds) as lock:
        await asyncio.to_thread(ledger.open, plan.changes)
        applied = await engine.forwards(plan, run, LockedLedger(ledger, lock))
        if dropped and not applied.error:
            await asyncio.to_thread(ledger.tell, said)
    created = {outcome.change.resource: outcome for outcome in first.outcomes}
    return engine.Applied(
        tuple(created.get(item.change.resource, item) for item in applied.outcomes)
    )


class Unjournaled:
    """For the namespace itself, which the ledger needs, and for runs that write nothing."""

    def guard(self) -> None:
        """Nothing is held yet."""

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        """It is written once there is a ledger."""

    def removed(self, resource: Resource[Any]) -> None:
        """Nothing is removed here."""


def _with_result(plan: Plan, done: PlannedChange) -> Plan:
    """The plan with one creation already made."""
    observed = done.resource.observed
    decision = Decision(Change.NONE, done.decision.ownership, "created before the lock")
    settled = PlannedChange(done.resource, decision, observed)
    return Plan(tuple(settled if item is done else item for item in plan.changes))


async def _verify(made: SetupPlan, run: Run, notes: list[str]) -> Health:
    verification = Verification(
        made.clouds,
        made.install,
        made.side.registration.output,
        prove_identity=made.side.cluster.service_account.prove,
        wiring=lambda: _wiring(made),
        seconds=made.spec.timeouts.operator,
        changed=bool(made.plan.writes),
        cors=made.side.cloud.storage.output.cors,
    )
    return await asyncio.to_thread(verification.run, run, notes)


def _wiring(made: SetupPlan) -> Wiring | None:
    """The install as it stands at the end, to be looked at where it does not work."""
    resource = made.clouds.find_resource(
        made.side.registration.output.cloud_id, made.install.resource_name
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
        again="run the same command again",
    )
