"""What a teardown would remove and what would stay: find what is ours, in the order it goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import ClusterContext, ClusterSide, cluster_side
from anyscale_k8s_cli.addons.traces import traces
from anyscale_k8s_cli.cloud_side import Identity, Storage
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import LedgerContent, installs_in, ledger_of
from anyscale_k8s_cli.operations.removal import BROUGHT_BUCKET, Judge, Kept, brought
from anyscale_k8s_cli.operations.removal_rights import in_cloud, in_cluster
from anyscale_k8s_cli.operations.requests import DeleteRequest
from anyscale_k8s_cli.operations.said import on_install
from anyscale_k8s_cli.operations.search import Findings, FoundInstall, Searcher
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
    check_same_cluster,
    cluster_context,
    open_clouds,
    open_cluster,
    searched_spec,
)
from anyscale_k8s_cli.operator_token import SignIn
from anyscale_k8s_cli.plan import PlannedChange, raising_first
from anyscale_k8s_cli.provider import ClusterState, Verb
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import Change, DataResource, Ownership, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import load_scope

DELETE_SCHEMA = "anyscale-k8s/delete/v1"
RAY_PODS = "ray-node-type"


@dataclass(frozen=True)
class Parts:
    """The planned removals, by the five parts of the order."""

    registration: tuple[PlannedChange, ...] = ()
    inside: tuple[PlannedChange, ...] = ()
    sign_in: tuple[PlannedChange, ...] = ()
    namespace: PlannedChange | None = None
    outside: tuple[PlannedChange, ...] = ()

    @property
    def all(self) -> tuple[PlannedChange, ...]:
        middle = (self.namespace,) if self.namespace else ()
        return (*self.registration, *self.inside, *self.sign_in, *middle, *self.outside)

    @property
    def removals(self) -> tuple[PlannedChange, ...]:
        return tuple(item for item in self.all if item.change is Change.DELETE)

    @property
    def ours(self) -> tuple[PlannedChange, ...]:
        """What is removed, and what is kept of ours: without any, there is no such cloud."""
        return tuple(
            item
            for item in self.all
            if item.change is Change.DELETE or item.decision.ownership is Ownership.OURS
        )

    @property
    def in_cluster(self) -> bool:
        """Whether there is anything to do in the cluster."""
        inside = (*self.inside, *((self.namespace,) if self.namespace else ()))
        return any(item.change is Change.DELETE or engine.kept_with_marks(item) for item in inside)

    @property
    def anything(self) -> bool:
        """Whether there is anything to do: to remove, or to take our marks off."""
        return bool(self.removals) or any(engine.kept_with_marks(item) for item in self.all)


@dataclass(frozen=True)
class Teardown:
    """What was found, what would be removed and what would stay."""

    request: DeleteRequest
    findings: Findings
    clouds: Clouds
    target: FoundInstall | None
    parts: Parts
    kept: tuple[Kept, ...] = ()
    opened: OpenCluster | None = None
    cluster_state: ClusterState = ClusterState.UNKNOWN
    active: tuple[str, ...] = ()
    denied: errors.CliError | None = None
    has_ledger: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def header(self) -> dict[str, Any]:
        if self.target is None:
            return {"cloud": self.findings.name}
        install = self.target.install
        return {
            "cloud": install.cloud,
            "provider": install.provider,
            "account": install.account,
            "region": install.region,
            "cluster": install.cluster,
            "endpoint": self.opened.cluster.access.endpoint if self.opened else None,
            "cluster_uid": self.opened.uid if self.opened else None,
            "namespace": install.namespace,
            "delete_bucket": self.request.delete_bucket,
            "skip_cluster": self.request.skip_cluster,
        }

    @property
    def problem(self) -> errors.CliError | None:
        """Why nothing may be removed, if so."""
        if not self.parts.ours and not self.parts.anything:
            if self.findings.registered:
                return self._registered_still()
            if not self.request.ignore_not_found:
                return self._nothing_to_remove()
        if self._other_bucket:
            return errors.CliError(
                errors.NOT_FOUND,
                f"{self.request.delete_bucket} is no bucket that was made for cloud "
                f"{self.findings.name!r}",
                cause=self._other_bucket,
                fix="leave --delete-bucket out, or give the name of the cloud's own bucket",
            )
        for item in self.parts.registration:
            resource = item.resource
            if isinstance(resource, RegisteredResource) and item.change is Change.DELETE:
                refused = item.observed and resource.refusal(item.observed)
                if refused:
                    return refused
        if self.active and not self.request.ignore_active_workloads:
            return errors.CliError(
                errors.ACTIVE_WORKLOADS,
                f"{len(self.active)} Ray pods still run",
                cause="workloads would be lost",
                evidence=self.active[:10],
                fix="stop them in the console, or add --ignore-active-workloads",
            )
        return self.denied

    @property
    def _other_bucket(self) -> str:
        """Why the named bucket is not deleted; empty when it is, or is gone already."""
        named = self.request.delete_bucket
        if not named:
            return ""
        brought = [kept.id or "" for kept in self.kept if kept.ownership == Ownership.ADOPTED]
        if any(found.endswith(f"/{named}") for found in brought):
            return "you brought it, and what you brought is never deleted"
        own = [item.resource for item in self.parts.all if isinstance(item.resource, DataResource)]
        names = [resource.key.partition("/")[2] for resource in own]
        if names:
            return "" if named in names else f"its own is {', '.join(names)}"
        buckets = [kept.title for kept in self.kept if kept.kind == BROUGHT_BUCKET]
        return f"none was made for it: it uses {', '.join(buckets)}" if buckets else ""

    def _registered_still(self) -> errors.CliError:
        """Not found, and not gone either: Anyscale has a registration that we made."""
        return errors.CliError(
            errors.CLOUD_ELSEWHERE,
            f"{self.findings.name} is registered, and where it was looked nothing of it was found",
            cause=f"Anyscale has it as {', '.join(self.findings.registered)}",
            evidence=self._looked,
            fix="give the credentials of the account that it is in, and its cluster with "
            "--provider, --region and --cluster-name",
        )

    @property
    def _looked(self) -> tuple[str, ...]:
        return (
            *(f"searched: {line}" for line in self.findings.searched),
            *(f"not searched: {line}" for line in self.findings.unsearched),
        )

    def _nothing_to_remove(self) -> errors.CliError:
        looked = self._looked
        if not self.kept:
            return errors.CliError(
                errors.CLOUD_NOT_FOUND,
                f"Nothing of a cloud named {self.findings.name!r} was found",
                evidence=looked,
                fix="narrow or widen the search with --provider, --region and --cluster-name, "
                "or add --ignore-not-found",
            )
        return errors.CliError(
            errors.CLOUD_NOT_FOUND,
            f"Nothing of cloud {self.findings.name!r} is left",
            cause="what is still there is not its own, or not its alone: "
            + ", ".join(kept.title for kept in self.kept),
            evidence=looked,
            # Not what removes the kept: that is data, or what somebody uses.
            fix="add --ignore-not-found to take that for success",
        )

    def as_json(self) -> dict[str, Any]:
        """The list before anything is removed."""
        document: dict[str, Any] = {
            "schema": DELETE_SCHEMA,
            **self._where(),
            "remove": [removal_item(planned) for planned in self.parts.removals],
            "removed": [],
            "kept": [kept.as_json() for kept in self.kept],
            "left": [],
        }
        if self.problem:
            document["error"] = self.problem.as_json()
        return document

    def _where(self) -> dict[str, Any]:
        registered = self.target.registered if self.target else None
        return {
            "cloud": self.findings.name,
            "cloud_id": registered.cloud.id if registered else None,
            "cluster_state": self.cluster_state.value,
            "searched": list(self.findings.searched),
            "unsearched": list(self.findings.unsearched),
        }


def removal_item(planned: PlannedChange) -> dict[str, Any]:
    """A removal, as the JSON of a teardown has it."""
    document = planned.as_json()
    del document["change"]
    return {**document, "command": None}


async def find(request: DeleteRequest, run: Run) -> Teardown:
    """Find what is ours. Performs reads only."""
    clouds = open_clouds(request, run)
    with run.phase("find", "Looking for what belongs to the cloud"):
        try:
            findings = await asyncio.to_thread(Searcher(request, clouds, run).find)
        except errors.CliError as problem:
            # Of a cloud that is known by its id alone nothing can be looked for.
            if problem.code is not errors.CLOUD_NOT_FOUND or not request.ignore_not_found:
                raise
            findings = Findings(request.name or request.cloud_id or "", (), (), (), ())
        if not findings.installs:
            return Teardown(request, findings, clouds, None, Parts())
        return await _survey(request, findings, clouds, run)


async def _survey(request: DeleteRequest, findings: Findings, clouds: Clouds, run: Run) -> Teardown:
    target = findings.installs[0]
    install, provider = target.install, target.provider
    placed = bool(install.cluster)
    state = ClusterState.UNKNOWN
    if placed:
        state = await asyncio.to_thread(provider.cluster_state, install)
    opened: OpenCluster | None = None
    if not placed:
        alone = "it was registered without a cluster: the registration is all that is removed"
        run.emit(Notice(level="info", text=alone))
    elif state is ClusterState.DELETED:
        gone = f"{install.cluster} is deleted: what was in it went with it, its steps are skipped"
        run.emit(Notice(level="info", text=gone))
    elif request.skip_cluster:
        skipped = f"{install.cluster} is not looked at: what is in it stays there"
        run.emit(Notice(level="warning", text=skipped))
    else:
        opened = await _open(request, target, run)
        check_same_cluster(install, opened)
    record = RegisteredCloud(
        clouds,
        install,
        provider=provider.control_plane_name,
        cloud_id=target.registered.cloud.id if target.registered else None,
        force=request.ignore_active_workloads,
        only_ours=True,
    )
    registration = RegisteredResource(record, install, dict)
    registered: tuple[Resource[Any], ...] = (record, registration)
    outside: Sequence[Resource[Any]] = ()
    if placed:
        outside = await asyncio.to_thread(provider.find_owned, load_scope(request.flags), install)
    inside: list[Resource[Any]] = []
    side: ClusterSide | None = None
    context: ClusterContext | None = None
    ledger = LedgerContent(install, {})
    neighbours: Mapping[str, Install] = {}
    if opened is not None:
        context = cluster_context(
            opened,
            _spec_of(request, target),
            provider,
            install,
            clouds,
            request,
            run,
            teardown=True,
        )
        side = await _cluster_side(context, target, registration)
        inside += [item for item in side.resources if item is not side.namespace]
        ledger = await asyncio.to_thread(ledger_of, opened.kubernetes, install)
        neighbours = await asyncio.to_thread(installs_in, opened.kubernetes)
    sign_in = _sign_in(target, clouds, ledger)
    judge = Judge(
        ledger.rights, partial(deletion_of, request, target), neighbours, request.delete_bucket
    )
    planned = await _decide(
        [*registered, *inside, *sign_in, *([side.namespace] if side else []), *outside], judge
    )
    parts = Parts(
        tuple(planned[item] for item in registered if item in planned),
        tuple(planned[item] for item in inside if item in planned),
        tuple(planned[item] for item in sign_in if item in planned),
        planned.get(side.namespace) if side else None,
        tuple(planned[item] for item in outside if item in planned),
    )
    if context and any(item.resource.kind == HelmRelease.kind for item in parts.removals):
        await context.helm.found()
    kept = (
        *(
            _untouched(target, judge)
            if placed and opened is None and state is not ClusterState.DELETED
            else ()
        ),
        *(Kept.of(item) for item in parts.all if item.change is Change.KEEP),
        *_brought(target, parts, ledger.said),
    )
    for item in parts.all:
        _warn_of_last_chance(item, run)
    active = await asyncio.to_thread(_ray_pods, opened, install) if opened else ()
    denied = await asyncio.to_thread(_denied, target, opened, parts, run)
    return Teardown(
        request,
        findings,
        clouds,
        target,
        parts,
        kept,
        opened,
        state,
        active,
        denied,
        has_ledger=bool(ledger.version),
    )


def _denied(
    target: FoundInstall, opened: OpenCluster | None, parts: Parts, run: Run
) -> errors.CliError | None:
    """What would stop it half-way: in the cluster first, since its objects go first."""
    install, provider = target.install, target.provider
    inside = (*parts.inside, *((parts.namespace,) if parts.namespace else ()))
    there = opened and in_cluster(opened.kubernetes, provider.name, install, inside, run)
    return there or in_cloud(provider, install, parts.outside, run)


def _warn_of_last_chance(item: PlannedChange, run: Run) -> None:
    """Of data that stays and that no later deletion finds: before anybody says yes."""
    resource = item.resource
    if item.change is Change.KEEP and isinstance(resource, DataResource):
        if resource.deleted_later:
            return
        text = f"{resource.title} stays: {item.decision.reason}. What opens it goes with the cloud"
        run.emit(Notice(level="warning", text=text))


def _sign_in(
    target: FoundInstall, clouds: Clouds, ledger: LedgerContent
) -> tuple[Resource[Any], ...]:
    """Service account and keys; none where the platform vouches for the operator."""
    if target.provider.workload_identity or not target.install.cluster:
        return ()
    named = ledger.said.get("operator.service_account")
    return SignIn(ServiceAccounts(clouds.plane), target.install, named).removals()


async def _open(request: DeleteRequest, target: FoundInstall, run: Run) -> OpenCluster:
    try:
        return await open_cluster(target.provider, _spec_of(request, target), run, Verb.DELETE)
    except errors.CliError as problem:
        if problem.code not in (errors.CLUSTER_UNREACHABLE, errors.CLUSTER_UNAUTHENTICATED):
            raise
        way_out = "if it is lost for good, add --skip-cluster: all else goes, what is in it stays"
        raise replace(problem, fix="\n".join(filter(None, (problem.fix, way_out)))) from problem


def _untouched(target: FoundInstall, judge: Judge) -> list[Kept]:
    """What stays in a cluster that nobody asked."""
    return [
        Kept(
            key=trace.key,
            kind=trace.key.partition("/")[0],
            title=trace.title,
            id=None,
            ownership=trace.ownership.value,
            reason="not looked at (--skip-cluster); it stays if it is there",
            command=judge.deletion(target.install),
        )
        for trace in traces(target.install)
    ]


def _spec_of(request: DeleteRequest, target: FoundInstall) -> CloudSpec:
    """The spec that finds the cluster again, by the credentials and the context that were named."""
    return searched_spec(target.provider.locate(target.install), load_scope(request.flags))


async def _cluster_side(
    context: ClusterContext, target: FoundInstall, registration: RegisteredResource
) -> ClusterSide:
    install, provider = target.install, target.provider
    return await asyncio.to_thread(
        cluster_side,
        context,
        None,
        registration,
        None,
        lambda addresses: provider.load_balancer_left(install, addresses),
    )


async def _decide(
    resources: Sequence[Resource[Any]], judge: Judge
) -> dict[Resource[Any], PlannedChange]:
    """What is there, and what becomes of it. Records are read before what is in them."""
    planned: dict[Resource[Any], PlannedChange] = {}

    def look(resource: Resource[Any]) -> PlannedChange | None:
        observed = resource.read()
        resource.observed = observed
        if observed is None:
            return None
        return PlannedChange(resource, judge.decide(resource, observed), observed)

    first = [item for item in resources if isinstance(item, RegisteredCloud)]
    rest = [item for item in resources if item not in first]
    for group in (first, rest):
        looked = await raising_first(
            asyncio.gather(*(asyncio.to_thread(look, item) for item in group))
        )
        planned |= {item.resource: item for item in looked if item is not None}
    return planned


def deletion_of(request: DeleteRequest, target: FoundInstall, install: Install) -> str:
    """The command that deletes an install beside or of the target, with no registration too."""
    return on_install("anyscale cloud delete", target.provider, install, load_scope(request.flags))


def _brought(target: FoundInstall, parts: Parts, said: Mapping[str, Any]) -> list[Kept]:
    if target.registered is None:
        return []
    outputs = [item.observed.output for item in parts.all if item.observed]
    ours = {item.url for item in outputs if isinstance(item, Storage)}
    ours |= {item.registered for item in outputs if isinstance(item, Identity)}
    return brought(target.registered.resource, target.install, ours, said)


def _ray_pods(opened: OpenCluster, install: Install) -> tuple[str, ...]:
    pods = opened.kubernetes.list("v1", "Pod", install.namespace, label_selector=RAY_PODS)
    return tuple(
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods
        if (pod.get("status") or {}).get("phase") in ("Pending", "Running")
    )
