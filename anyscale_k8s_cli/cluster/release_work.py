"""What is done with one Helm release, whoever owns it: look, compare, install, wait, remove."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster import additions, rollouts, scale_up
from anyscale_k8s_cli.cluster.charts import CHART_VERSION, ChartArchive, Charts
from anyscale_k8s_cli.cluster.comparing import (
    Difference,
    applied_by,
    drift,
    without,
)
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.kubernetes import FIELD_MANAGER, Kubernetes
from anyscale_k8s_cli.cluster.managers import manager_of
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL
from anyscale_k8s_cli.cluster.release_failures import (
    Explain,
    ReleaseFailures,
    left_failed,
    taken_back,
)
from anyscale_k8s_cli.cluster.release_records import (
    ManifestObject,
    ReleaseRecord,
    last_good,
    newest,
)
from anyscale_k8s_cli.cluster.rendering import Secrecy, changed_values, part_changes
from anyscale_k8s_cli.events import Notice, StepWaiting
from anyscale_k8s_cli.install import MANAGED_BY, MARK_PREFIX, Install
from anyscale_k8s_cli.parts import PartChange
from anyscale_k8s_cli.resource import FieldChange, fingerprint
from anyscale_k8s_cli.run import Run, StillWaiting, current_step

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

    `values` are asked for late; what is at or below the dotted keys in `open_values` is no
    secret of anybody's, and a plan shows it also where it goes; what is at those in
    `secret_values` it never shows. `version` is what the user said outright; without
    it a new release gets the pinned version and an existing one keeps its own,
    unless `upgrade`. `source` is the user's own place of the chart. `apart` are
    objects of its manifest that are resources of their own, and compared as such.
    `private` is what of the values the user wrote, and nobody else is shown.
    `addition` is, for each workload of its manifest, the `spec` for which the chart has no
    value (empty where there is none): applied beside helm, which leaves it alone. Seconds
    are for coming up, for going, and for how long nobody must be willing to add a node for it.
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
    secret_values: frozenset[str] = frozenset()
    private: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 300
    deletion_seconds: float = 300
    settled_seconds: float = scale_up.SETTLED

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def told(self) -> Mapping[str, str]:
        """What it is made with; the chart's version where it is not that of the pins."""
        version = {CHART_VERSION: self.version} if self.version else {}
        source = {"chart source": self.source} if self.source else {}
        return {"chart": self.chart, **version, **source, "values": fingerprint(self.values())}


@dataclass(frozen=True)
class Found:
    """A release as it is: its record, and what became of the objects in its manifest.

    `good` is what was deployed last: the record itself, but for an upgrade that failed or
    that nobody ended. None where there never was such a revision. `manager` is another tool
    that looks after some object of it by now, in words. What was `compared` with nothing tells
    of its record alone.
    """

    record: ReleaseRecord
    good: ReleaseRecord | None
    compared: bool = False
    live: Mapping[Reference, Document] = field(default_factory=dict)
    missing: tuple[Reference, ...] = ()
    changed: tuple[tuple[Reference, Difference], ...] = ()
    manager: str = ""

    @property
    def installed(self) -> ReleaseRecord:
        """Which chart and values count as installed."""
        return self.good or self.record

    @property
    def settled(self) -> bool:
        """Whether it is deployed and every workload of it is up."""
        if self.record.status != "deployed" or self.missing or not self.compared:
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
        explain: Explain | None = None,
        after_removal: Callable[[], object] | None = None,
    ) -> None:
        self.release = release
        self._after_removal = after_removal
        self._tools = tools
        self._kubernetes = tools.kubernetes
        self._install = install
        self._failures = ReleaseFailures(
            tools.kubernetes,
            release.namespace,
            release.name,
            explain,
        )

    # Reading

    def look(self) -> Found | None:
        """The release as it is now; None when there is none."""
        record = newest(self._kubernetes, self.release.namespace, self.release.name)
        if record is None or record.status == "uninstalled":
            return None
        if record.status != "deployed":
            # It will be written again anyway, so its objects tell nothing.
            return Found(record, self._last_good(record))
        return self._compared(record)

    def changes(self, found: Found, *, with_values: bool = True) -> list[FieldChange]:
        """What an upgrade would mend. May raise `NotYetKnown`."""
        record = found.record
        changes = []
        if record.status != "deployed":
            changes.append(FieldChange("status", record.status, "deployed"))
        installed = found.installed
        version = self._version_wanted(installed)
        if version is not None:
            changes.append(FieldChange(CHART_VERSION, installed.chart_version, version))
        if with_values:
            values = self.release.values()
            secrecy = self._secrecy(installed, values)
            changes += changed_values(installed.values, values, secrecy)
            changes += self._changed_additions(found)
        changes += [FieldChange(str(item), "missing", "present") for item in found.missing]
        changes += [
            item.as_change(hide=where.kind == "Secret", prefix=f"{where}: ")
            for where, item in found.changed
        ]
        return changes

    def part_changes(self, found: Found, *, with_values: bool = True) -> tuple[PartChange, ...]:
        """What an upgrade makes of each object, against what was rendered last.

        May raise `NotYetKnown`.
        """
        release, tools, installed = self.release, self._tools, found.installed
        values = release.values() if with_values else installed.values
        archive = self.chart(found)
        wanted = tools.run.await_(
            tools.helm.preview(release.name, release.namespace, archive, values)
        )

        def place(document: Document) -> Reference:
            return self._kubernetes.placed(Reference.of(document, release.namespace))

        secrecy = self._secrecy(installed, values)
        return part_changes(installed.documents(), wanted, place, secrecy)

    def _secrecy(self, installed: ReleaseRecord, values: Mapping[str, Any]) -> Secrecy:
        release = self.release
        return Secrecy.of(
            installed.values, values, release.private, release.open_values, release.secret_values
        )

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
            drifted = drift(item.document, charts_own) if item.document else ()
            changed += [(reference, difference) for difference in drifted]
        own = (record.namespace, record.name)
        managers = (manager_of(document, own) for document in live.values())
        manager = next(filter(None, managers), "")
        return Found(record, record, True, live, tuple(missing), tuple(changed), manager)

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

    def _version_wanted(self, installed: ReleaseRecord) -> str | None:
        """Another chart version than the installed one, where one is wanted.

        What was said outright counts; pins count for an upgrade only, and never
        take a release back.
        """
        release, charts = self.release, self._tools.charts
        if release.version is not None:
            wanted = release.version
        elif release.source is not None:
            wanted = self._archive(None).version
        elif release.upgrade and charts.is_older(release.chart, installed.chart_version):
            wanted = charts.pinned_version(release.chart)
        else:
            return None
        same = wanted.removeprefix("v") == installed.chart_version.removeprefix("v")
        return None if same else wanted

    # Changing

    def install(self, found: Found | None, *, keep_values: bool = False) -> Found:
        """Install or upgrade to what should be, after recovering what a dead run left.

        Does not wait for workloads, nor look at any object: see `wait`. But an upgrade to
        another version of the chart is over only once they are up, and is taken back where
        they do not come up.
        `keep_values` where the values of an installed release are not ours to say.
        """
        release = self.release
        if found is not None and found.record.pending:
            found = self._recovered(found)
        archive = self.chart(found)
        values = found.installed.values if keep_values and found else release.values()
        former = found.good if found else None
        if former is not None and former.chart_version == archive.version:
            former = None
        try:
            self._upgrade(archive, values, wait=former is not None)
        except errors.CliError as problem:
            told = self._failures.of_helm(problem, waited=former is not None)
            raise self._taken_back(told, former, archive.version) from problem
        written = newest(self._kubernetes, release.namespace, release.name)
        if written is None:
            raise errors.CliError(
                errors.HELM_FAILED,
                f"helm installed {release} and left no record of it",
                fix="run the same command again",
            )
        if not keep_values:
            self._write_additions(written)
        return Found(written, written)

    def chart(self, found: Found | None) -> ChartArchive:
        """The chart of which it would be installed, fetched. Raises `chart-unavailable`."""
        if found is None:
            return self._archive(self.release.version)
        installed = found.installed
        keep = installed.chart_version if installed.chart == self.release.chart else None
        return self._archive(self._version_wanted(installed) or keep)

    def _upgrade(self, archive: ChartArchive, values: Mapping[str, Any], *, wait: bool) -> None:
        release, run = self.release, self._tools.run
        # What was waited for before is there: now it is helm, with what the chart's hooks run.
        self._tell_of_helm()
        self._failures.begin()
        work = self._tools.helm.upgrade(
            release.name,
            release.namespace,
            archive,
            values,
            timeout=release.seconds,
            labels={
                MANAGED_BY_RELEASE_LABEL: MANAGED_BY,
                INSTALL_LABEL: self._install.id,
            },
            wait=wait,
            skip_crds=release.skip_crds,
        )
        run.await_(self._unless_in_vain(work, waited=wait))

    async def _unless_in_vain(self, work: Coroutine[Any, Any, object], *, waited: bool) -> None:
        """helm, ended where it waits for a pod that will not get what it lacks."""
        patience = scale_up.Patience(self.release.settled_seconds)
        helm, told = asyncio.ensure_future(work), ""
        try:
            while not (await asyncio.wait({helm}, timeout=patience.interval))[0]:
                look = partial(self._failures.awaited, waited=waited)
                seen, problem = await asyncio.to_thread(look)
                if seen != told:
                    self._tell_of_helm(told := seen)
                if patience.over(refused=problem is not None) and problem is not None:
                    raise problem
            helm.result()
        finally:
            helm.cancel()
            await asyncio.wait({helm})

    def _tell_of_helm(self, seen: str = "") -> None:
        what = f"helm to write the release {self.release} and to run its hooks"
        event = StepWaiting(key=current_step.get(), what=what, detail=seen)
        self._tools.run.emit(event)

    def _taken_back(
        self, problem: errors.CliError, former: ReleaseRecord | None, version: str
    ) -> errors.CliError:
        """Make the release again what it was before a failed upgrade; the error tells of it.

        An interrupted run leaves that to the next one.
        """
        release, run = self.release, self._tools.run
        if former is None or run.stopped:
            return problem
        last = newest(self._kubernetes, release.namespace, release.name)
        if last is not None and last.revision == former.revision:
            # helm had not begun.
            return problem
        run.emit(
            Notice(
                level="warning",
                text=f"the upgrade of helm release {release} failed; going back to revision "
                f"{former.revision}, chart {former.chart_version}",
            )
        )
        try:
            self._roll_back(former, wait=True)
        except errors.CliError as why:
            words = f"rollback {release.name} {former.revision} --namespace {release.namespace}"
            return left_failed(problem, former, why, self._kubernetes.access.helm(words))
        return taken_back(problem, f"helm release {release}", former, version)

    def _roll_back(self, former: ReleaseRecord, *, wait: bool) -> None:
        release = self.release
        self._tools.run.await_(
            self._tools.helm.rollback(
                release.name,
                release.namespace,
                former.revision,
                timeout=release.seconds,
                wait=wait,
            )
        )

    def wait(self, found: Found) -> None:
        """Return once every workload of the release is up; raises what `explain` makes."""
        self._failures.begin()
        references = [self._kubernetes.placed(item.reference) for item in found.record.objects]
        rollouts.wait_all(
            self._kubernetes,
            references,
            timeout=self.release.seconds,
            expired=self._failures.not_up,
            settled=self.release.settled_seconds,
        )

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

    def _recovered(self, found: Found) -> Found | None:
        """Get a release out of a state in which helm refuses to work on it.

        None where it had to be removed: it was never deployed, or was being removed.
        """
        release, status = self.release, found.record.status
        good = None if status == "uninstalling" else found.good
        back = f"rolled back to chart {good.chart_version}" if good else "removed"
        self._tools.run.emit(
            Notice(
                level="warning",
                text=f"helm release {release} was left {status} by a run that ended; "
                f"it is {back} and written again",
            )
        )
        if good is not None:
            self._roll_back(good, wait=False)
            return self.look()
        self._tools.run.await_(
            self._tools.helm.uninstall(
                release.name, release.namespace, timeout=release.deletion_seconds
            )
        )
        if self._after_removal is not None:
            self._after_removal()
        return None

    def _last_good(self, record: ReleaseRecord) -> ReleaseRecord | None:
        """What an upgrade that did not end well came from."""
        return last_good(self._kubernetes, record.namespace, record.name)

    def _archive(self, version: str | None) -> ChartArchive:
        return self._tools.run.await_(
            self._tools.charts.fetch(self.release.chart, version, self.release.source)
        )


def ours(found: Found) -> bool:
    """Whether this tool installed the release, and nobody else looks after it by now."""
    return made_by_us(found.record) and not found.manager


def made_by_us(record: ReleaseRecord) -> bool:
    """Whether this tool installed the release, for whichever install."""
    return record.labels.get(MANAGED_BY_RELEASE_LABEL) == MANAGED_BY


def _labels(document: Document) -> set[tuple[str, str]]:
    return set((document["metadata"].get("labels") or {}).items())
