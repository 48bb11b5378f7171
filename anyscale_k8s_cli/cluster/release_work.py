"""What is done with one Helm release, whoever owns it: look, compare, install, wait, remove."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster import additions, rollouts
from anyscale_k8s_cli.cluster.charts import ChartArchive, Charts
from anyscale_k8s_cli.cluster.comparing import (
    Difference,
    applied_by,
    changed_by,
    differences,
    without,
)
from anyscale_k8s_cli.cluster.diagnosis import Diagnosis, diagnose_workload
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.kubernetes import FIELD_MANAGER, Kubernetes
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.cluster.release_records import (
    ManifestObject,
    ReleaseRecord,
    last_good_revision,
    newest,
)
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import MANAGED_BY, MARK_PREFIX, Install
from anyscale_k8s_cli.resource import FieldChange, fingerprint
from anyscale_k8s_cli.run import Run, StillWaiting

MANAGED_BY_RELEASE_LABEL = f"{MARK_PREFIX}/managed-by"

# Requests at the same time when the objects of a release are read.
_READERS = 8

Values = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class HelmTools:
    """What a release is worked on with."""

    kubernetes: Kubernetes
    helm: Helm
    charts: Charts
    run: Run


@dataclass(frozen=True)
class Release:
    """What should be installed.

    `values` are asked for late; those at the dotted keys in `open_values` are no secret of
    anybody's, and a plan shows them. `version` is what the user said outright; without
    it a new release gets the pinned version and an existing one keeps its own,
    unless `upgrade`. `source` is the user's own place of the chart. `apart` are
    objects of its manifest that are resources of their own, and compared as such.
    `addition` is, for each workload of its manifest, the `spec` for which the chart has no
    value (empty where there is none): applied beside helm, which leaves it alone. Seconds
    are for coming up and for going.
    """

    name: str
    namespace: str
    chart: str
    values: Values
    version: str | None = None
    source: str | None = None
    skip_crds: bool = False
    upgrade: bool = False
    apart: frozenset[Reference] = frozenset()
    addition: Callable[[Document], Document] | None = None
    open_values: frozenset[str] = frozenset()
    seconds: float = 300
    deletion_seconds: float = 300

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def told(self) -> Mapping[str, str]:
        """What it is made with; the chart's version where it is not that of the pins."""
        version = {"chart version": self.version} if self.version else {}
        source = {"chart source": self.source} if self.source else {}
        return {"chart": self.chart, **version, **source, "values": fingerprint(self.values())}


@dataclass(frozen=True)
class Found:
    """A release as it is: its record, and what became of the objects in its manifest."""

    record: ReleaseRecord
    live: Mapping[Reference, Document] = field(default_factory=dict)
    missing: tuple[Reference, ...] = ()
    changed: tuple[tuple[Reference, Difference], ...] = ()

    @property
    def settled(self) -> bool:
        """Whether it is deployed and every workload of it is up."""
        if self.record.status != "deployed" or self.missing:
            return False
        try:
            for document in self.live.values():
                rollouts.rolled_out(document)
        except StillWaiting:
            return False
        return True


class ReleaseWork:
    """One release and the tools to work on it.

    `explain` makes the error of a failed wait. `after_removal` makes again what the
    release takes over from others, once a half-made one had to be removed with it.
    """

    def __init__(
        self,
        tools: HelmTools,
        release: Release,
        install: Install,
        explain: Callable[[str, Diagnosis | None], errors.CliError] | None = None,
        after_removal: Callable[[], object] | None = None,
    ) -> None:
        self.release = release
        self._after_removal = after_removal
        self._tools = tools
        self._kubernetes = tools.kubernetes
        self._install = install
        self._explain = explain or self._not_up

    # Reading

    def look(self) -> Found | None:
        """The release as it is now; None when there is none."""
        record = newest(self._kubernetes, self.release.namespace, self.release.name)
        if record is None or record.status == "uninstalled":
            return None
        if record.status != "deployed":
            # It will be written again anyway, so its objects tell nothing.
            return Found(record)
        return self._compared(record)

    def changes(self, found: Found, *, with_values: bool = True) -> list[FieldChange]:
        """What an upgrade would mend. May raise `NotYetKnown`."""
        record = found.record
        changes = []
        if record.status != "deployed":
            changes.append(FieldChange("status", record.status, "deployed"))
        version = self._version_wanted(record)
        if version is not None:
            changes.append(FieldChange("chart version", record.chart_version, version))
        if with_values:
            changes += changed_values(
                record.values, self.release.values(), self.release.open_values
            )
            changes += self._changed_additions(found)
        changes += [FieldChange(str(item), "missing", "present") for item in found.missing]
        changes += [
            item.as_change(hide=where.kind == "Secret", prefix=f"{where}: ")
            for where, item in found.changed
        ]
        return changes

    def _compared(self, record: ReleaseRecord) -> Found:
        items = [
            item
            for item in record.objects
            if self._kubernetes.placed(item.reference) not in self.release.apart
        ]
        context = contextvars.copy_context()
        with ThreadPoolExecutor(_READERS) as readers:
            found = list(readers.map(lambda item: context.copy().run(self._live, item), items))
        live: dict[Reference, Document] = {}
        missing: list[Reference] = []
        changed: list[tuple[Reference, Difference]] = []
        for item, document in zip(items, found, strict=True):
            reference = self._kubernetes.placed(item.reference)
            if document is None:
                missing.append(reference)
                continue
            live[reference] = document
            charts_own = self._without_addition(document, item)
            changed += [(reference, difference) for difference in _drift(item, charts_own)]
        return Found(record, live, tuple(missing), tuple(changed))

    # What the chart has no value for

    def _without_addition(self, live: Document, item: ManifestObject) -> Document:
        """What helm alone would have made of it: what we have added is compared by itself."""
        part = self._addition(item)
        if part is None or item.document is None:
            return live
        left: Document = without(live, part, item.document)
        return left

    def _changed_additions(self, found: Found) -> Iterator[FieldChange]:
        for item in found.record.objects:
            part = self._addition(item)
            live = found.live.get(self._kubernetes.placed(item.reference))
            if part is not None and live is not None:
                yield from additions.changed(item.reference, part, live)

    def _write_additions(self, record: ReleaseRecord) -> None:
        for item in record.objects:
            part = self._addition(item)
            live = self._live(item) if part is not None else None
            if part and live is not None and ("spec" in part or applied_by(live, FIELD_MANAGER)):
                self._kubernetes.apply(part)

    def _addition(self, item: ManifestObject) -> Document | None:
        add = self.release.addition
        return additions.part(add, item, self._kubernetes.placed(item.reference)) if add else None

    def _live(self, item: ManifestObject) -> Document | None:
        ref = item.reference
        return self._kubernetes.get(ref.api_version, ref.kind, ref.name, ref.namespace)

    def _version_wanted(self, record: ReleaseRecord) -> str | None:
        """Another chart version than the installed one, where one is wanted.

        What was said outright counts; pins count for an upgrade only, and never
        take a release back.
        """
        release, installed = self.release, record.chart_version
        if release.version is not None:
            wanted = release.version
        elif release.source is not None:
            wanted = self._archive(None).version
        elif release.upgrade:
            wanted = pins().charts[release.chart].version
            if _version_key(wanted) < _version_key(installed):
                return None
        else:
            return None
        return None if wanted.removeprefix("v") == installed.removeprefix("v") else wanted

    # Changing

    def install(self, found: Found | None, *, keep_values: bool = False) -> Found:
        """Install or upgrade to what should be, after recovering what a dead run left.

        Does not wait for workloads: see `wait`. `keep_values` where the values of
        an installed release are not ours to say.
        """
        release = self.release
        record = found.record if found else None
        if record is not None and record.pending:
            record = self._recover(record)
        archive = self._wanted_archive(record)
        values = record.values if keep_values and record else release.values()
        try:
            self._tools.run.await_(
                self._tools.helm.upgrade(
                    release.name,
                    release.namespace,
                    archive,
                    values,
                    timeout=release.seconds,
                    labels={
                        MANAGED_BY_RELEASE_LABEL: MANAGED_BY,
                        INSTALL_LABEL: self._install.id,
                    },
                    wait=False,
                    skip_crds=release.skip_crds,
                )
            )
        except errors.CliError as problem:
            raise self._with_diagnosis(problem) from problem
        written = newest(self._kubernetes, release.namespace, release.name)
        if written is None:
            raise errors.CliError(
                errors.HELM_FAILED,
                f"helm installed {release} and left no record of it",
                fix="run the same command again",
            )
        if not keep_values:
            self._write_additions(written)
        return self._compared(written)

    def wait(self, found: Found) -> Found:
        """Return once every workload of the release is up; raises what `explain` makes."""

        def expired(reference: Reference, seen: str) -> errors.CliError:
            diagnosis = diagnose_workload(self._kubernetes, reference)
            return self._explain(f"{reference}: {seen}", diagnosis)

        references = [self._kubernetes.placed(item.reference) for item in found.record.objects]
        rollouts.wait_all(
            self._kubernetes, references, timeout=self.release.seconds, expired=expired
        )
        return self.look() or found

    def uninstall(self, found: Found) -> None:
        """Remove the release and return once its objects are gone; absent is done."""
        release = self.release
        deadline = time.monotonic() + release.deletion_seconds
        failure: errors.CliError | None = None
        # First, while the record still tells of them.
        self._remove_hooks(found.record, deadline)
        try:
            self._tools.run.await_(
                self._tools.helm.uninstall(
                    release.name, release.namespace, timeout=release.deletion_seconds
                )
            )
        except errors.CliError as problem:
            if problem.code not in (errors.TIMED_OUT, errors.HELM_FAILED):
                raise
            # Which object is in the way is told better by looking at each.
            failure = problem
        for item in found.record.objects:
            if item.kept:
                continue
            live = found.live.get(self._kubernetes.placed(item.reference))
            self._kubernetes.wait_gone(
                self._kubernetes.placed(item.reference),
                timeout=max(1.0, deadline - time.monotonic()),
                uid=live["metadata"]["uid"] if live else None,
            )
        if failure is not None and newest(self._kubernetes, release.namespace, release.name):
            raise failure

    def _remove_hooks(self, record: ReleaseRecord, deadline: float) -> None:
        """Remove what hooks made: helm leaves it behind, webhook configurations too."""
        for item in record.hook_objects:
            live = self._live(item)
            if live is None or item.document is None or _labels(item.document) - _labels(live):
                continue
            reference = self._kubernetes.placed(item.reference)
            uid = live["metadata"]["uid"]
            self._kubernetes.delete(reference, uid=uid)
            left = max(1.0, deadline - time.monotonic())
            self._kubernetes.wait_gone(reference, timeout=left, uid=uid)

    def _recover(self, record: ReleaseRecord) -> ReleaseRecord | None:
        """Get a release out of a state in which helm refuses to work on it."""
        release, helm, run = self.release, self._tools.helm, self._tools.run
        good = None
        if record.status != "uninstalling":
            good = last_good_revision(self._kubernetes, release.namespace, release.name)
        back = f"rolled back to revision {good}" if good else "removed"
        run.emit(
            Notice(
                level="warning",
                text=f"helm release {release} was left {record.status} by a run that ended; "
                f"it is {back} and written again",
            )
        )
        if good is None:
            run.await_(
                helm.uninstall(release.name, release.namespace, timeout=release.deletion_seconds)
            )
            if self._after_removal is not None:
                self._after_removal()
        else:
            run.await_(
                helm.rollback(
                    release.name, release.namespace, good, timeout=release.seconds, wait=False
                )
            )
        return newest(self._kubernetes, release.namespace, release.name)

    def chart(self, found: Found | None) -> ChartArchive:
        """The chart of which it would be installed, fetched. Raises `chart-unavailable`."""
        return self._wanted_archive(found.record if found else None)

    def _wanted_archive(self, record: ReleaseRecord | None) -> ChartArchive:
        release = self.release
        keep = record.chart_version if record and record.chart == release.chart else None
        wanted = self._version_wanted(record) if record else release.version
        return self._archive(wanted or keep)

    def _archive(self, version: str | None) -> ChartArchive:
        return self._tools.run.await_(
            self._tools.charts.fetch(self.release.chart, version, self.release.source)
        )

    # Explaining

    def _with_diagnosis(self, problem: errors.CliError) -> errors.CliError:
        """helm says that a hook failed; the cluster says why. All else helm knows best."""
        if problem.code not in (errors.TIMED_OUT, errors.HELM_FAILED):
            return problem
        diagnosis = next(self._diagnoses(), None)
        if diagnosis is None:
            return problem
        return errors.CliError(
            problem.code,
            problem.message,
            cause=diagnosis.complaint or diagnosis.cause,
            evidence=(diagnosis.cause, *diagnosis.evidence, *problem.evidence),
            fix=problem.fix,
            details=problem.details,
        )

    def _diagnoses(self) -> Iterator[Diagnosis]:
        """What blocks helm: hooks alone, since it does not wait for anything else."""
        try:
            record = newest(self._kubernetes, self.release.namespace, self.release.name)
        except errors.CliError:
            return
        if record is None:
            return
        for item in record.hook_objects:
            if item.reference.kind not in rollouts.watched_kinds():
                continue
            try:
                live = self._live(item)
                if live is not None:
                    rollouts.rolled_out(live)
            except StillWaiting:
                diagnosis = diagnose_workload(self._kubernetes, item.reference)
                if diagnosis is not None:
                    yield diagnosis
            except errors.CliError:
                return

    def _not_up(self, seen: str, diagnosis: Diagnosis | None) -> errors.CliError:
        return errors.CliError(
            errors.TIMED_OUT,
            f"{self.release} did not come up within {self.release.seconds:.0f} s",
            cause=diagnosis.complaint or diagnosis.cause if diagnosis else seen,
            evidence=diagnosis.evidence if diagnosis else (),
            fix="mend what the evidence says and run the same command again",
        )


def made_by_us(record: ReleaseRecord) -> bool:
    """Whether this tool installed the release, for whichever install."""
    return record.labels.get(MANAGED_BY_RELEASE_LABEL) == MANAGED_BY


def changed_values(
    found: Mapping[str, Any],
    wanted: Mapping[str, Any],
    shown: Collection[str] = (),
    prefix: str = "",
) -> list[FieldChange]:
    """Which values differ, by dotted key; what they are is told of those in `shown` alone.

    Any other may be a secret.
    """
    changes = []
    for key in sorted({*found, *wanted}):
        old, new, path = found.get(key), wanted.get(key), f"{prefix}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += changed_values(old, new, shown, f"{path}.")
        elif (None if old == {} else old) != (None if new == {} else new):
            if path not in shown:
                old, new = _presence(old), _presence(new, "set otherwise")
            changes.append(FieldChange(f"values.{path}", old, new))
    return changes


def _labels(document: Document) -> set[tuple[str, str]]:
    return set((document["metadata"].get("labels") or {}).items())


def _presence(value: Any, present: str = "set") -> str:
    return "not set" if value is None else present


def _drift(item: ManifestObject, live: Document) -> Iterator[Difference]:
    """Fields of the manifest that somebody changed or removed in the cluster."""
    if item.document is None:
        return
    wanted = {
        key: value
        for key, value in item.document.items()
        # A Secret's stringData is write-only.
        if key not in ("apiVersion", "kind", "status", "stringData")
    }
    for difference in differences(wanted, live):
        # Another value that nobody but helm wrote is the API server's spelling.
        if difference.found is None or changed_by(live, difference.path):
            yield difference


def _version_key(version: str) -> list[int]:
    head = version.removeprefix("v").split("-")[0].split("+")[0]
    return [int(part) if part.isdigit() else 0 for part in head.split(".")]
