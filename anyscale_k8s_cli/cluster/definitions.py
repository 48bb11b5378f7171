"""Definitions of custom resources (CRDs) of one API group, which a cluster has only once.

They are applied one by one and are no Helm release: the record of a release
with the definitions of a whole API does not fit in a Secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster import rollouts
from anyscale_k8s_cli.cluster.charts import CHART_VERSION
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.managers import MANAGED_BY_LABEL, manager_of
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.install import MANAGED_BY, MARK_PREFIX, marks
from anyscale_k8s_cli.resource import (
    Claim,
    FieldChange,
    Observed,
    Resource,
    SharedResource,
    Unfit,
    Users,
    unmarked,
)

API, KIND = "apiextensions.k8s.io/v1", "CustomResourceDefinition"

# On the first definition: which ones were made with it, and from which chart.
_MADE = f"{MARK_PREFIX}/definitions"
_VERSION = f"{MARK_PREFIX}/chart-version"


@dataclass(frozen=True)
class DefinitionSet:
    """The definitions of a group.

    `required` are the plurals without which nothing works; the first of them
    carries the marks. `render` gives the whole set of a version of the chart. `version` is
    the pinned one, `is_older` says whether another is older. `judge` says why definitions
    that are not ours will not do.
    """

    group: str
    required: tuple[str, ...]
    render: Callable[[str], Sequence[Document]]
    version: str
    is_older: Callable[[str], bool]
    judge: Callable[[Documents], tuple[Unfit, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{plural}.{self.group}" for plural in self.required)


class Definitions(SharedResource[Documents]):
    """All definitions of a group at once; the output is their metadata.

    `ours` tells of an object of these kinds whether it goes with this install.
    """

    kind: ClassVar[str] = "k8s:definitions"

    def __init__(
        self,
        surroundings: Surroundings,
        wanted: DefinitionSet,
        *,
        title: str,
        needs: Sequence[Resource[Any]] = (),
        claim: Claim = Claim.SHARE,
        upgrade: bool = False,
        ours: Callable[[Document], bool],
    ) -> None:
        super().__init__(
            key=f"k8s:definitions/{wanted.group}",
            title=title,
            install=surroundings.install,
            needs=needs,
            claim=claim,
        )
        self._surroundings = surroundings
        self._kubernetes = surroundings.kubernetes
        self._wanted = wanted
        self._anchor = Reference(API, KIND, wanted.names[0])
        self._upgrade = upgrade
        self._ours = ours

    def read(self) -> Observed[Documents] | None:
        found = self._present()
        return self._observed(found) if found else None

    def diff(self, observed: Observed[Documents]) -> Sequence[FieldChange]:
        changes = []
        if self.install.mark not in observed.marks:
            changes.append(unmarked(self.install))
        changes += [FieldChange(name, "missing", "present") for name in self._missing(observed)]
        annotations = self._annotations(observed.output)
        version = annotations.get(_VERSION)
        if self._version_for(version) != version:
            changes.append(FieldChange(CHART_VERSION, version, self._wanted.version))
        return changes

    def written(self, observed: Observed[Documents] | None) -> Iterable[Trial]:
        if observed is None or self._lacks_more_than_mark(self.diff(observed)):
            yield from map(Trial, self._manifests())

    def _version_for(self, installed: str | None) -> str:
        """What is installed stays, whatever is pinned by now; an upgrade takes nothing back."""
        wanted = self._wanted
        if installed is None or (self._upgrade and wanted.is_older(installed)):
            return wanted.version
        return installed

    def _manifests(self) -> Iterator[Document]:
        version = self._version_for(self._annotations(self._present()).get(_VERSION))
        rendered = sorted(
            self._wanted.render(version),
            # The anchor first: it says what the others are, should this be cut off.
            key=lambda item: item["metadata"]["name"] != self._anchor.name,
        )
        theirs = {item["metadata"]["name"] for item in self._present() if not _is_ours(item)}
        names = ",".join(item["metadata"]["name"] for item in rendered)
        for item in rendered:
            if item["metadata"]["name"] in theirs:
                # Somebody else looks after it by now, and it is there.
                continue
            marked = self._surroundings.marked(item)
            if item["metadata"]["name"] == self._anchor.name:
                marked["metadata"]["annotations"] |= {
                    _MADE: names,
                    _VERSION: version,
                }
            yield marked

    def create(self) -> Observed[Documents]:
        for manifest in self._manifests():
            self._kubernetes.apply(manifest)
        self._mark("true")
        observed = self.read()
        if observed is None:
            raise errors.CliError(
                errors.CLUSTER_FAILED, f"{self.title} vanished while they were made"
            )
        return observed

    def update(
        self, observed: Observed[Documents], changes: Sequence[FieldChange]
    ) -> Observed[Documents]:
        if self._lacks_more_than_mark(changes):
            return self.create()
        self._mark("true")
        return self.read() or observed

    def _lacks_more_than_mark(self, changes: Sequence[FieldChange]) -> bool:
        return any(change != unmarked(self.install) for change in changes)

    def delete(self, observed: Observed[Documents]) -> None:
        ours = [Reference.of(item) for item in observed.output if _is_ours(item)]
        # The anchor last: it says what is left, should this be cut off.
        ours.sort(key=lambda reference: reference.name == self._anchor.name)
        for reference in ours:
            self._kubernetes.delete(reference)
        for reference in ours:
            self._kubernetes.wait_gone(reference, timeout=self._surroundings.deletion_seconds)

    def ready(self, observed: Observed[Documents]) -> Observed[Documents]:
        if not observed.made_by_us:
            return observed

        def late(reference: Reference, seen: str) -> errors.CliError:
            return errors.CliError(
                errors.TIMED_OUT,
                f"{reference} is not served",
                cause=seen,
                fix="run the same command again to go on",
            )

        references = [Reference.of(item) for item in observed.output]
        rollouts.wait_all(self._kubernetes, references, timeout=60, expired=late)
        return observed

    def others(self, observed: Observed[Documents]) -> Users:
        """Objects of these kinds that this install did not make."""
        found = {
            item["metadata"]["name"]: [
                str(Reference.of(instance))
                for instance in self._instances(item["metadata"]["name"])
                if not self._ours(instance)
            ]
            for item in observed.output
            if _is_ours(item)
        }
        names = tuple(name for instances in found.values() for name in instances)
        kinds = ",".join(name for name, instances in found.items() if instances)
        return Users(names, self._kubernetes.access.kubectl(f"get {kinds} -A"))

    def unmark(self, observed: Observed[Documents]) -> None:
        del observed
        self._mark(None)

    def _present(self) -> Documents:
        suffix = f".{self._wanted.group}"
        everything = self._kubernetes.list(API, KIND, metadata_only=True)
        return [item for item in everything if item["metadata"]["name"].endswith(suffix)]

    def _mark(self, value: str | None) -> None:
        # Never by apply: that would take away the marks of the other installs.
        patch = {"metadata": {"annotations": {self.install.mark: value}}}
        self._kubernetes.patch_merge(self._anchor, patch)

    def _instances(self, name: str) -> Documents:
        definition = self._kubernetes.get(API, KIND, name)
        if definition is None:
            return []
        spec = definition["spec"]
        served = next((item["name"] for item in spec["versions"] if item.get("served")), None)
        if served is None:
            return []
        kind = spec["names"]["kind"]
        return self._kubernetes.list(f"{spec['group']}/{served}", kind, metadata_only=True)

    def _missing(self, observed: Observed[Documents]) -> list[str]:
        present = {item["metadata"]["name"] for item in observed.output}
        made = self._annotations(observed.output).get(_MADE, "")
        wanted = {*self._wanted.names, *filter(None, made.split(","))}
        return sorted(wanted - present)

    def _annotations(self, found: Documents) -> dict[str, str]:
        for item in found:
            if item["metadata"]["name"] == self._anchor.name:
                return item["metadata"].get("annotations") or {}
        return {}

    def _observed(self, found: Documents) -> Observed[Documents]:
        anchor = next(
            (item for item in found if item["metadata"]["name"] == self._anchor.name), None
        )
        # The anchor is what we mark: whoever looks after it looks after them all.
        ours = _is_ours(anchor) if anchor else any(_is_ours(item) for item in found)
        anchor = anchor or found[0]
        return Observed(
            id=anchor["metadata"]["uid"],
            output=found,
            manager="" if ours else manager_of(anchor),
            marks=marks(self._annotations(found)),
            made_by_us=ours,
            unfit=() if ours else self._unfit(found),
        )

    def _unfit(self, found: Documents) -> tuple[Unfit, ...]:
        present = {item["metadata"]["name"] for item in found}
        missing = sorted(set(self._wanted.names) - present)
        if missing:
            return (
                Unfit(
                    f"definitions of {self._wanted.group} are there, but not {', '.join(missing)}",
                    "complete them with the tool that installed the others",
                ),
            )
        return self._wanted.judge(found)


def _is_ours(item: Document) -> bool:
    labels = item["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY_LABEL) == MANAGED_BY and not manager_of(item)
