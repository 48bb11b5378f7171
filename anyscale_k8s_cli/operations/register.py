"""Register: what a person made by hand is looked at and registered, and nothing else is written.

A plan as setup's, of what is brought and of Anyscale's record alone. It writes to the
control plane and nowhere else: there is no ledger of it, and no lock. What is then to be
done in the cluster is handed over as values, manifests and commands (`handing_over.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import RegistersUnplaced
from anyscale_k8s_cli.addons import values_file, wording
from anyscale_k8s_cli.addons.adopted_gateway import AdoptedGateway
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.file_storage import file_storage
from anyscale_k8s_cli.checks import BoundCheck, Need, Report, When, declared, run_checks
from anyscale_k8s_cli.checks.cluster import cluster_checks
from anyscale_k8s_cli.checks.registry import declared_by, refuse_slips
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.origin import user_data_domain
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations import planning
from anyscale_k8s_cli.operations.clouds import by_id
from anyscale_k8s_cli.operations.handing_over import HandOver, Place, hand_over
from anyscale_k8s_cli.operations.journal import Unjournaled
from anyscale_k8s_cli.operations.reach import from_here
from anyscale_k8s_cli.operations.registering import Outside, outside_of
from anyscale_k8s_cli.operations.requests import RegisterRequest
from anyscale_k8s_cli.operations.setup_plan import SetupPlan, exposure
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
    load_spec,
    names_cluster,
    open_clouds,
    open_cluster,
    with_used,
)
from anyscale_k8s_cli.plan import Plan, compute
from anyscale_k8s_cli.provider import Cluster, Provider, Verb, install_on
from anyscale_k8s_cli.resource import LOAD_BALANCED, Claim, Resource, Rights
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import LoadedSpec

REGISTER_SCHEMA = "anyscale-k8s/register/v1"
_BUCKET, _IDENTITY = "--cloud-storage-bucket-name", "--anyscale-operator-iam-identity"
_NO_CLUSTER = "no cluster was named"
_BY_PODS_ALONE = "only pods in the cluster reach it"


@dataclass(frozen=True)
class Unasked:
    """What was not looked at, and why."""

    title: str
    reason: str

    def as_json(self) -> dict[str, str]:
        return {"title": self.title, "reason": self.reason}


@dataclass(frozen=True)
class RegisterPlan:
    """What would be registered, with all that is needed to do it."""

    request: RegisterRequest
    loaded: LoadedSpec
    provider: Provider
    install: Install
    cluster: Cluster
    opened: OpenCluster | None
    clouds: Clouds
    outside: Outside
    plan: Plan
    preflight: Report
    unasked: tuple[Unasked, ...]
    started: float

    @property
    def spec(self) -> CloudSpec:
        return self.loaded.spec

    @property
    def header(self) -> dict[str, Any]:
        """Whose account and which cluster, as far as it is known."""
        cluster = self.cluster
        return {
            "cloud": self.install.cloud,
            "provider": self.install.provider,
            "account": cluster.account,
            "region": cluster.region,
            "cluster": cluster.name or None,
            "endpoint": cluster.access.endpoint or None,
            "cluster_uid": self.opened.uid if self.opened else None,
            "namespace": self.install.namespace,
            "exposure": exposure(self.spec),
            "allow_cidrs": list(self.spec.network.allow_cidrs),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.preflight.warnings

    @property
    def problem(self) -> errors.CliError | None:
        """Why nothing must be registered, if so."""
        try:
            self.preflight.raise_for_failure()
            self.plan.raise_for_refusals()
        except errors.CliError as problem:
            return problem
        return None

    def as_json(self) -> dict[str, Any]:
        header = self.header
        document = {
            "schema": REGISTER_SCHEMA,
            **{name: header[name] for name in ("cloud", "provider", "account", "region")},
            **{name: header[name] for name in ("cluster", "endpoint", "cluster_uid")},
            "install": self.install.id,
            "operator_namespace": self.install.namespace,
            "summary": self.plan.summary(),
            "resources": [item.as_json() for item in self.plan.changes],
            "checks": [result.as_json() for result in self.preflight.results],
            "left_out": [item.as_json() for item in self.unasked],
            "warnings": list(self.warnings),
        }
        if self.problem:
            document["error"] = self.problem.as_json()
        return document

    @property
    def context(self) -> InstallContext:
        """What values and manifests are written from."""
        host = self.clouds.plane.host
        return InstallContext(
            spec=self.spec,
            install=self.install,
            provider=self.provider,
            cluster=self.cluster,
            nodes=self.opened.nodes if self.opened else (),
            control_plane_url=host,
            user_domain=user_data_domain(host),
        )


@dataclass(frozen=True)
class RegisterReport:
    """What was registered and what is handed over; `error` is why it did not get that far."""

    made: RegisterPlan
    applied: engine.Applied | None
    handed: HandOver | None
    error: errors.CliError | None
    seconds: float

    @property
    def header(self) -> dict[str, Any]:
        """The plan's, with the texts that people may want to copy."""
        texts = self.handed.texts() if self.handed else {}
        return {**self.made.header, "texts": texts}

    def as_json(self) -> dict[str, Any]:
        record, registration = self.made.outside.record, self.made.outside.registration
        document = {
            **self.made.as_json(),
            "cloud_id": record.observed.id if record.observed else None,
            "cloud_resource_id": registration.observed.id if registration.observed else None,
            "health": None,
            "seconds": round(self.seconds, 1),
        }
        if self.applied:
            done = {item.change.resource.key: item.as_json() for item in self.applied.outcomes}
            document["resources"] = [done.get(item["key"], item) for item in document["resources"]]
        if self.handed:
            document |= self.handed.as_json(self.made.request)
        if self.error:
            document["error"] = self.error.as_json()
        return document


async def plan(request: RegisterRequest, run: Run) -> RegisterPlan:
    """Look at everything that was brought, and at what is registered. Performs reads only."""
    started = time.monotonic()
    loaded, provider = load_spec(
        request.flags, request.file, request.environment, run, adopting=True
    )
    spec = loaded.spec
    wording.check(spec)
    if spec.pods.ca_bundle and not request.install_operator:
        wording.refuse_bundle()
    refuse_slips("--waive", spec.waive, When.REGISTER)
    check_brought(spec, provider)
    clouds = open_clouds(request, run)
    if request.cloud_id:
        await asyncio.to_thread(by_id, clouds, spec.name, request.cloud_id)
    with run.phase("discover", "Looking at the cloud account"):
        _, (cluster, opened) = await asyncio.gather(
            asyncio.to_thread(clouds.user), _whereabouts(spec, provider, run)
        )
    install = install_on(cluster, spec, opened.uid if opened else "")
    if opened is None:
        install = install.unplaced
    if request.values_file and not request.overwrite:
        values_file.check_writable(request.values_file, install)
    outside = outside_of(request, spec, provider, cluster, install, clouds, whole=True)
    _check_all_brought(outside)
    with run.phase("plan", "Looking at what you bring, and at what is registered"):
        checks = [
            declared.CONTROL_PLANE_REACHABLE.bind(partial(from_here, clouds.plane)),
            *_checks(spec, provider, cluster, opened),
        ]
        checking = asyncio.create_task(run_checks(checks, run, spec.waive))
        resources = (*outside.cloud.resources, outside.record, outside.registration)
        inside = _brought_inside(spec, provider, install, cluster, opened, clouds)
        try:
            computed = await compute((*resources, *inside), Rights(), run)
        except errors.CliError:
            # A check that failed says why, and what mends it.
            (await checking).raise_for_failure()
            raise
        preflight = await checking
    return RegisterPlan(
        request,
        loaded,
        provider,
        install,
        cluster,
        opened,
        clouds,
        outside,
        computed,
        preflight,
        tuple(_unasked(spec, provider, outside, opened)),
        started,
    )


async def plan_with_operator(request: RegisterRequest, run: Run) -> SetupPlan:
    """What setup would do with what was brought. Raises where it would make more outside."""
    loaded, provider = load_spec(
        request.flags, request.file, request.environment, run, adopting=True
    )
    if not names_cluster({f"cluster.{name}": value for name, value in loaded.spec.cluster}):
        raise errors.CliError(
            errors.MISSING_INPUT,
            "--install-operator needs a cluster",
            fix="name it with --cluster-name, or with --context",
        )
    check_brought(loaded.spec, provider)
    made = await planning.plan(replace(request, flags=with_used(request.flags, provider)), run)
    _check_all_made(made.side.cloud.resources)
    return made


def check_brought(spec: CloudSpec, provider: Provider) -> None:
    """Raise `missing-input` where setup would make what a person is to bring."""
    missing = []
    if not spec.existing.bucket:
        missing.append(_BUCKET)
    if provider.workload_identity and not spec.existing.identity:
        missing.append(_IDENTITY)
    if missing:
        raise errors.CliError(
            errors.MISSING_INPUT,
            f"Missing: {', '.join(missing)}",
            cause="what is registered was made by hand; nothing is created in the cloud",
            fix="name what you have made, or let `anyscale cloud setup` make it",
        )


def _check_all_brought(outside: Outside) -> None:
    """Whatever is not the user's own would have to be made: that is setup's."""
    _check_all_made(outside.cloud.resources)
    if outside.cloud.token_audience:
        raise errors.CliError(
            errors.INVALID_SPEC,
            "An identity in place of the store's keys cannot be handed over as Helm values",
            cause="the operator's pods need a token of their own, for which its chart has no value",
            fix="add --install-operator, which gives it to them",
        )


def _check_all_made(resources: Sequence[Resource[Any]]) -> None:
    made = [item for item in resources if item.claim is not Claim.ADOPT]
    if made:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{made[0].title} would have to be made",
            cause="nothing is created in the cloud for what is only registered",
            evidence=tuple(item.key for item in made[1:]),
            fix="let `anyscale cloud setup` make it, with the same options",
        )


async def _whereabouts(
    spec: CloudSpec, provider: Provider, run: Run
) -> tuple[Cluster, OpenCluster | None]:
    """The cluster, open where one was named."""
    if spec.cluster.name or spec.cluster.context:
        opened = await open_cluster(provider, spec, run, Verb.REGISTER)
        return opened.cluster, opened
    assert isinstance(provider, RegistersUnplaced), "asked before"  # noqa: S101
    return await asyncio.to_thread(provider.unplaced, spec), None


def _checks(
    spec: CloudSpec, provider: Provider, cluster: Cluster, opened: OpenCluster | None
) -> Iterator[BoundCheck]:
    if opened is not None:
        asked = cluster_checks(spec, cluster, opened.kubernetes, opened.nodes, Verb.REGISTER)
        yield from (bound for bound in asked if When.REGISTER in bound.check.when)
    # A way in is handed over where none is brought, and nothing else is new.
    brought = spec.existing.gateway or spec.network.kind == "none"
    new = frozenset() if brought else LOAD_BALANCED
    for bound in provider.checks(spec, cluster):
        seen = opened is not None or Need.CLUSTER not in bound.check.needs
        if seen and bound.check.adds <= new and When.REGISTER in bound.check.when:
            yield bound


def _brought_inside(
    spec: CloudSpec,
    provider: Provider,
    install: Install,
    cluster: Cluster,
    opened: OpenCluster | None,
    clouds: Clouds,
) -> Sequence[Resource[Any]]:
    """Gateway and shared storage in the cluster. Certificates are told of when there is an id."""
    if opened is None:
        return ()
    found: list[Resource[Any]] = [*file_storage(spec, install, opened.kubernetes)]
    if spec.existing.gateway:
        host = clouds.plane.host
        context = InstallContext(
            spec, install, provider, cluster, opened.nodes, host, user_data_domain(host)
        )
        gateway = AdoptedGateway(context, opened.kubernetes, spec.existing.gateway, None)
        found.append(gateway)
    return found


def _unasked(
    spec: CloudSpec, provider: Provider, outside: Outside, opened: OpenCluster | None
) -> Iterator[Unasked]:
    """By title, so that nobody takes for checked what was not."""
    existing = spec.existing
    if opened is None:
        for check in declared_by(provider.name):
            # No token is made, so there is none to look at.
            asked = When.REGISTER in check.when and check is not declared.OPERATOR_TOKEN
            if asked and Need.CLUSTER in check.needs:
                yield Unasked(check.title, _NO_CLUSTER)
        if outside.cloud.identity is not None:
            title = f"{outside.cloud.identity.title} admits the operator of the cluster"
            yield Unasked(title, _NO_CLUSTER)
        if existing.gateway:
            yield Unasked(f"Gateway {existing.gateway} serves sessions and services", _NO_CLUSTER)
        files = existing.file_storage
        if named := files.persistent_volume_claim or files.csi_ephemeral_volume_driver:
            yield Unasked(f"Shared storage {named} is there and can be shared", _NO_CLUSTER)
    for target in existing.file_storage.nfs_mount_targets:
        yield Unasked(f"The NFS server {target} answers", _BY_PODS_ALONE)
    if spec.network.kind == "none":
        yield Unasked("Your own way in leads to the cluster", "nothing is known of it")
    if existing.redis_endpoint:
        yield Unasked(f"Redis answers at {existing.redis_endpoint}", _BY_PODS_ALONE)


async def apply(made: RegisterPlan, run: Run) -> RegisterReport:
    """Register it, and hand over the rest. A failure is in the report."""
    applied: engine.Applied | None = None
    handed: HandOver | None = None
    error = made.problem
    if error is None:
        try:
            recorded = (made.outside.record, made.outside.registration)
            writes = Plan(tuple(item for item in made.plan.changes if item.resource in recorded))
            if writes.writes:
                with run.phase("apply", "Registering"):
                    applied = await engine.forwards(writes, run, Unjournaled())
                if applied.error:
                    raise applied.error
            with run.phase("hand-over", "Writing values and manifests"):
                handed = await asyncio.to_thread(_hand_over, made)
        except errors.CliError as problem:
            error = problem
    return RegisterReport(made, applied, handed, error, time.monotonic() - made.started)


def _hand_over(made: RegisterPlan) -> HandOver:
    opened = made.opened
    place = Place(
        made.context,
        made.outside.cloud,
        made.outside.registration,
        opened.kubernetes if opened else None,
    )
    handed = hand_over(place)
    handed.write(made.request)
    return handed
