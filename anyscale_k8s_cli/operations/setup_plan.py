"""A plan of setup: what it tells, why it must not be applied, and what it leaves in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import (
    values_file,
)
from anyscale_k8s_cli.addons.ways_in import removals
from anyscale_k8s_cli.checks import Report
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import LedgerContent
from anyscale_k8s_cli.operations.left_out import (
    LeftOut,
    check_bucket,
    check_exposure,
    exposure_by_annotations,
    exposure_change,
    left_out,
    unused,
    way_in_change,
)
from anyscale_k8s_cli.operations.losses import losses, registered_bucket, url_of
from anyscale_k8s_cli.operations.rehearsing import Trials
from anyscale_k8s_cli.operations.rendering import pod_notes, taken_back
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.said import command_of
from anyscale_k8s_cli.operations.side import Side
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
)
from anyscale_k8s_cli.plan import Plan
from anyscale_k8s_cli.provider import Provider
from anyscale_k8s_cli.resource import NotYetKnown
from anyscale_k8s_cli.saved_plan import SavedPlan
from anyscale_k8s_cli.spec import CloudSpec, brings_way_in, flags_by_path
from anyscale_k8s_cli.spec_loading import LoadedSpec, Source

PLAN_SCHEMA = "anyscale-k8s/plan/v1"


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
    # What a saved plan was to make and is there by now.
    meanwhile: tuple[str, ...] = ()

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
            *taken_back(self.plan),
            *self._unknown(),
            *pod_notes(self.side.stage.context, self.plan),
        )
        left = unused(self.ledger.entries, self.plan)
        return (*self.meanwhile, *notes, *dropped, *moves, *left, *self._losses)

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
        typed = command_of(self.request)
        self.left_out.check(typed, self.request.file, upgrade=self.request.upgrade)
        if not self.ledger.said:
            registered = registered_bucket(self.side.registration)
            check_bucket(self.loaded, registered, url_of(self.side.cloud.storage), typed)
            if self.narrowed:
                check_exposure(self.loaded, typed)

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
        self.saved.write(path, overwrite=self.request.overwrite)

    @property
    def saved(self) -> SavedPlan:
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


def exposure(spec: CloudSpec) -> str:
    """Empty where users come in by a way that is not ours to expose."""
    if brings_way_in(spec):
        return ""
    return "PUBLIC" if spec.network.expose == "public" else "internal"


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
