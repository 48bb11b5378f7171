"""Another key for the operator: made, given to it, used by it, and only then the old one revoked.

Nothing is ever without a valid key: the old one ends when Anyscale has heard of the
operator with the new one. A run that is cut off anywhere leaves two keys at most
that anybody could use; the next rotation, or setup, revokes what the release does
not hold.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.names import OPERATOR_CHART, OPERATOR_RELEASE, SERVICE_ACCOUNT
from anyscale_k8s_cli.addons.operator import unhealthy
from anyscale_k8s_cli.addons.token_values import installed_tokens, is_ours, token_values
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.release_records import in_force
from anyscale_k8s_cli.cluster.release_work import HelmTools, Release
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.ledger import Ledger, LedgerContent, ledger_of
from anyscale_k8s_cli.lock import InstallLock, lease_seconds
from anyscale_k8s_cli.operations.health import Health, last_report, wait_healthy
from anyscale_k8s_cli.operations.journal import LockedLedger
from anyscale_k8s_cli.operations.requests import DeleteRequest, RotateRequest
from anyscale_k8s_cli.operations.said import located, on_install, setup_command, spec_of
from anyscale_k8s_cli.operations.search import FoundInstall, Registered, Searcher
from anyscale_k8s_cli.operations.workbench import (
    ENVIRONMENT,
    OpenCluster,
    check_same_cluster,
    helm_tools,
    open_clouds,
    open_cluster,
)
from anyscale_k8s_cli.operator_token import OperatorToken, SignIn, TokenParts
from anyscale_k8s_cli.plan import Plan, compute
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import load_scope

ROTATE_SCHEMA = "anyscale-k8s/rotate-token/v1"


@dataclass(frozen=True)
class Rotation:
    """What would be done, with all that is needed to do it."""

    request: RotateRequest
    target: FoundInstall
    registered: Registered
    opened: OpenCluster
    clouds: Clouds
    token: TokenParts
    plan: Plan
    spec: CloudSpec
    started: float

    @property
    def header(self) -> dict[str, Any]:
        install, cluster = self.target.install, self.opened.cluster
        return {
            "cloud": install.cloud,
            "provider": install.provider,
            "account": cluster.account,
            "region": cluster.region,
            "cluster": cluster.name,
            "endpoint": cluster.access.endpoint,
            "cluster_uid": self.opened.uid,
            "namespace": install.namespace,
        }

    @property
    def problem(self) -> errors.CliError | None:
        try:
            self.plan.raise_for_refusals()
        except errors.CliError as problem:
            return problem
        return None

    def as_json(self) -> dict[str, Any]:
        """The plan, before anything is changed."""
        document: dict[str, Any] = {
            "schema": ROTATE_SCHEMA,
            **{name: self.header[name] for name in ("cloud", "provider", "region", "cluster")},
            "cloud_id": self.registered.cloud.id,
            "operator_namespace": self.target.install.namespace,
            "summary": self.plan.summary(),
            "resources": [item.as_json() for item in self.plan.changes],
            "key": None,
            "revoked": [],
        }
        if self.problem:
            document["error"] = self.problem.as_json()
        return document


async def find(request: RotateRequest, run: Run) -> Rotation:
    """Find the install and plan the rotation. Performs reads only."""
    started = time.monotonic()
    clouds = open_clouds(request, run)
    with run.phase("find", "Looking for the cloud and its operator"):
        target, registered = await asyncio.to_thread(_target, request, clouds, run)
        install, provider = target.install, target.provider
        opened = await open_cluster(provider, provider.locate(install), run)
        check_same_cluster(install, opened)
        ledger = await asyncio.to_thread(ledger_of, opened.kubernetes, install)
        spec = _spec_of(request, target, ledger)
        sign_in = SignIn(
            ServiceAccounts(clouds.plane),
            install,
            spec.operator.service_account,
            request.days or spec.operator.token_lifetime,
            renew=True,
        )
        release, token = await _release(request, sign_in, opened, spec, run)
        plan = await compute((*token.resources, release), ledger.rights, run)
    return Rotation(request, target, registered, opened, clouds, token, plan, spec, started)


def _spec_of(request: RotateRequest, target: FoundInstall, ledger: LedgerContent) -> CloudSpec:
    """What setup was told, and what variables of ours say now, which nobody keeps."""
    said = dict(ledger.said or located(target.provider.locate(target.install)))
    for path, names in ENVIRONMENT.items():
        value = next(
            (request.environment[name] for name in names if name in request.environment), None
        )
        if value and path not in said:
            said[path] = value
    return spec_of(said)


def _target(request: RotateRequest, clouds: Clouds, run: Run) -> tuple[FoundInstall, Registered]:
    search = DeleteRequest(
        environment=request.environment,
        home=request.home,
        name=request.name,
        cloud_id=request.cloud_id,
        flags=request.flags,
    )
    findings = Searcher(search, clouds, run, "anyscale cloud rotate-token").find()
    if not findings.installs:
        raise errors.CliError(
            errors.CLOUD_NOT_FOUND,
            f"Nothing of a cloud named {findings.name!r} was found",
            evidence=(
                *(f"searched: {line}" for line in findings.searched),
                *(f"not searched: {line}" for line in findings.unsearched),
            ),
            fix="narrow or widen the search with --provider, --region and --cluster-name",
        )
    target = findings.installs[0]
    install, provider = target.install, target.provider
    if provider.workload_identity:
        raise errors.CliError(
            errors.NO_OPERATOR_TOKEN,
            f"The operator of {install.cloud} signs in with an identity of its platform",
            cause=f"on {provider.name} no token is made for it, so there is none to replace",
            fix=f"anyscale cloud status {install.cloud}",
        )
    if target.registered is None:
        raise errors.CliError(
            errors.CLOUD_NOT_FOUND,
            f"The cloud {install.cloud} is not registered any more",
            cause=f"its operator is still meant for {install.cluster}",
            fix=on_install("anyscale cloud status", provider, install, load_scope(request.flags)),
        )
    return target, target.registered


async def _release(
    request: RotateRequest, sign_in: SignIn, opened: OpenCluster, spec: CloudSpec, run: Run
) -> tuple[HelmRelease, TokenParts]:
    """The release as it is but for the token, and the parts of the token."""
    install, kubernetes = sign_in.install, opened.kubernetes
    record = await asyncio.to_thread(in_force, kubernetes, install.namespace, OPERATOR_RELEASE)
    if record is None or not is_ours(record.values):
        raise errors.CliError(
            errors.NO_OPERATOR_TOKEN,
            f"The operator of {install.cloud} holds no key that this tool made"
            if record
            else f"The operator of {install.cloud} is not installed",
            cause=f"the release {install.namespace}/{OPERATOR_RELEASE} "
            + ("has a token of yours" if record else "is not there"),
            fix="change the token where you gave it, and run setup again"
            if record
            else setup_command(located(spec)),
        )
    helm, charts = helm_tools(opened, spec, request, run)
    installed = partial(installed_tokens, kubernetes, install.namespace)
    token = await asyncio.to_thread(sign_in.token, installed)
    account = Reference("v1", "ServiceAccount", SERVICE_ACCOUNT, install.namespace)
    values = record.values
    release = Release(
        name=OPERATOR_RELEASE,
        namespace=install.namespace,
        chart=OPERATOR_CHART,
        values=lambda: merged(values, token_values(token.token.output)),
        source=spec.operator.chart,
        apart=frozenset({account}),
        seconds=spec.timeouts.operator,
    )
    tools = HelmTools(kubernetes, helm, charts, run)
    return HelmRelease(
        tools,
        release,
        install,
        title="Anyscale operator",
        needs=(token.token,),
        explain=unhealthy,
    ), token


@dataclass(frozen=True)
class RotationReport:
    """What was done. `key` is the one in use; `revoked` are the ids of those that ended."""

    rotation: Rotation
    applied: engine.Applied
    key: OperatorToken | None
    health: Health | None
    revoked: tuple[str, ...]
    error: errors.CliError | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        document = {
            **self.rotation.as_json(),
            "key": _key(self.key),
            "revoked": list(self.revoked),
            "health": self.health.verdict if self.health else None,
            "seconds": round(self.seconds, 1),
        }
        if self.applied.outcomes:
            document["resources"] = [outcome.as_json() for outcome in self.applied.outcomes]
        if self.error:
            document["error"] = self.error.as_json()
        return document


def _key(token: OperatorToken | None) -> dict[str, Any] | None:
    if token is None:
        return None
    expires: datetime | None = token.expires_at
    return {"id": token.key_id, "expires_at": expires.isoformat() if expires else None}


async def apply(rotation: Rotation, run: Run) -> RotationReport:
    """Do it. A failure is in the report, with what was done by then."""
    applied = engine.Applied(())
    key: OperatorToken | None = None
    health: Health | None = None
    revoked: tuple[str, ...] = ()
    error = rotation.problem
    install, kubernetes = rotation.target.install, rotation.opened.kubernetes
    seconds = lease_seconds(rotation.request.environment)
    if error is None:
        try:
            with InstallLock(kubernetes, install, run, seconds) as lock:
                ledger = Ledger(kubernetes, install)
                with run.phase("apply", "Giving the operator a new key"):
                    await asyncio.to_thread(ledger.open, rotation.plan.changes)
                    journal = LockedLedger(ledger, lock)
                    applied = await engine.forwards(rotation.plan, run, journal)
                if applied.error:
                    raise applied.error
                key = rotation.token.token.output
                with run.phase("verify", "Waiting until Anyscale hears of the operator with it"):
                    health = await asyncio.to_thread(_wait_healthy, rotation, run)
                with run.phase("revoke", "Revoking what it replaces"):
                    lock.guard()
                    revoked = await asyncio.to_thread(rotation.token.retire)
        except errors.CliError as problem:
            error = problem
    took = time.monotonic() - rotation.started
    return RotationReport(rotation, applied, key, health, revoked, error, took)


def _wait_healthy(rotation: Rotation, run: Run) -> Health:
    """All pods are new by now, so any report from now on is of one with the new key."""
    clouds, registered = rotation.clouds, rotation.registered
    registration = Registration(registered.cloud.id, registered.resource.cloud_resource_id)
    name = registered.resource.name
    return wait_healthy(
        clouds,
        registration,
        name,
        last_report(clouds, registration, name),
        run,
        rotation.spec.timeouts.operator,
    )
