"""A namespace, which others may have made and may use too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from anyscale_k8s_cli.cluster.admission import ENFORCE
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.managers import MANAGED_BY_LABEL, manager_of
from anyscale_k8s_cli.cluster.objects import Surroundings, object_key
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.install import MANAGED_BY, Install, marks
from anyscale_k8s_cli.resource import (
    NO_TAGS,
    Claim,
    FieldChange,
    Observed,
    Resource,
    SharedResource,
    Unfit,
    Users,
    differences,
    stale,
    unmarked,
)
from anyscale_k8s_cli.run import StillWaiting

_PRIVILEGED = "privileged"

# What somebody else may run in a namespace that we made. Pods are left out:
# each belongs to one of these, or to the operator that is gone by then.
_TENANTS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("v1", "PersistentVolumeClaim"),
)


class Namespace(SharedResource[Document]):
    """Made when it is missing; used as it is when it was there before us.

    `privileged`: pods in it need Pod Security level privileged. A namespace of
    ours gets the label; one of others that forbids it is unfit. `ours` tells of an
    object in it whether it goes with this install; `in_use_by` names who else
    depends on what runs in it. One that is made `early`, before a lock is held in it, gets
    the user's tags only when it is updated: another run may have made it with others.
    """

    kind: ClassVar[str] = "k8s:namespace"

    def __init__(
        self,
        surroundings: Surroundings,
        name: str,
        *,
        ours: Callable[[Document], bool],
        in_use_by: Callable[[], Users] = Users,
        privileged: bool = False,
        early: bool = False,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        self.reference = Reference("v1", "Namespace", name)
        super().__init__(
            key=object_key(self.reference),
            title=f"Namespace {name}",
            install=surroundings.install,
            needs=needs,
            claim=Claim.SHARE,
        )
        self.name = name
        self._surroundings = surroundings
        self._kubernetes: Kubernetes = surroundings.kubernetes
        self._ours = ours
        self._in_use_by = in_use_by
        self._privileged = privileged
        self._early = early

    def read(self) -> Observed[Document] | None:
        found = self._kubernetes.get("v1", "Namespace", self.name)
        return None if found is None else self._observed(found)

    def diff(self, observed: Observed[Document]) -> Sequence[FieldChange]:
        metadata = observed.output["metadata"]
        going = metadata.get("deletionTimestamp")
        if going:
            return [FieldChange("metadata.deletionTimestamp", going, None)]
        changes = []
        if self.install.mark not in observed.marks:
            changes.append(unmarked(self.install))
        enforced = (metadata.get("labels") or {}).get(ENFORCE)
        if self._privileged and enforced != _PRIVILEGED:
            changes.append(FieldChange(f'metadata.labels["{ENFORCE}"]', enforced, _PRIVILEGED))
        if observed.owner is None:
            changes.append(FieldChange("locator", None, self.install.id))
        elif self._is_ours(observed):
            found = metadata.get("annotations") or {}
            tags, dropped = self._surroundings.fit_tags(), self._surroundings.dropped
            changes += differences("tag", found, tags, dropped)
        return changes

    def _is_ours(self, observed: Observed[Document]) -> bool:
        """Whether it was this install that made it, of those that share it."""
        return observed.owner is not None and observed.owner.id == self.install.id

    def written(self, observed: Observed[Document] | None) -> Iterable[Trial]:
        return (Trial(self._manifest(), new=observed is None),)

    def _manifest(self, *, tagged: bool = True) -> Document:
        around = self._surroundings
        manifest = (around if tagged else replace(around, tags=NO_TAGS)).marked(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        )
        manifest["metadata"]["annotations"][self.install.mark] = "true"
        if self._privileged:
            manifest["metadata"]["labels"][ENFORCE] = _PRIVILEGED
        return manifest

    def create(self) -> Observed[Document]:
        found = self._kubernetes.get("v1", "Namespace", self.name)
        if found is not None and found["metadata"].get("deletionTimestamp"):
            self._wait_gone(found["metadata"]["uid"])
            found = None
        if found is not None:
            return self._adapt(self._observed(found), tagged=not self._early)
        try:
            manifest = self._manifest(tagged=not self._early)
            return self._observed(self._kubernetes.create(manifest))
        except KubernetesError as problem:
            if problem.reason != "AlreadyExists":
                raise
        # Another install was faster by a moment.
        return self.create()

    def update(
        self, observed: Observed[Document], changes: Sequence[FieldChange]
    ) -> Observed[Document]:
        del changes
        if observed.output["metadata"].get("deletionTimestamp"):
            return self.create()
        return self._adapt(observed, tagged=True)

    def _adapt(self, observed: Observed[Document], *, tagged: bool) -> Observed[Document]:
        """Write our mark on a namespace that this tool made; leave all others alone."""
        if not observed.made_by_us:
            return observed
        annotations: dict[str, str | None] = {self.install.mark: "true"}
        ours = self._is_ours(observed)
        if observed.owner is None:
            annotations |= self.install.locator()
        if tagged and (ours or observed.owner is None):
            there = observed.output["metadata"].get("annotations") or {}
            tags = self._surroundings.fit_tags()
            annotations |= dict.fromkeys(dict(stale(there, tags, self._surroundings.dropped)))
            annotations |= tags
        labels = {ENFORCE: _PRIVILEGED} if self._privileged else {}
        patch = {"metadata": {"annotations": annotations, "labels": labels}}
        # A merge patch leaves the marks of others alone; server-side apply under
        # our one name would take them away.
        patched = self._kubernetes.patch_merge(self.reference, patch)
        return self.create() if patched is None else self._observed(patched)

    def delete(self, observed: Observed[Document]) -> None:
        self._kubernetes.delete(self.reference, uid=observed.id)
        self._wait_gone(observed.id)

    def ready(self, observed: Observed[Document]) -> Observed[Document]:
        if observed.settled:
            return observed

        def active(found: Document | None) -> Document:
            if found is None or _phase(found) != "Active":
                raise StillWaiting(_phase(found) if found else "it does not exist")
            return found

        found = self._kubernetes.watch_until(
            self.reference, active, what=f"{self.title} to be active", timeout=60
        )
        return self._observed(found)

    def others(self, observed: Observed[Document]) -> Users:
        """Who depends on what runs in it; workloads and volumes that are not this install's."""
        del observed
        strangers = tuple(
            f"{kind} {found['metadata']['name']}"
            for api_version, kind in _TENANTS
            for found in self._kubernetes.list(api_version, kind, self.name, metadata_only=True)
            if not self._ours(found)
        )
        kinds = ",".join(f"{kind.lower()}s" for _, kind in _TENANTS)
        look = self._kubernetes.access.kubectl(f"get {kinds} -n {self.name}")
        return self._in_use_by() or Users(strangers, look)

    def unmark(self, observed: Observed[Document]) -> None:
        del observed
        self._kubernetes.patch_merge(
            self.reference, {"metadata": {"annotations": {self.install.mark: None}}}
        )

    def wait_if_going(self) -> None:
        """Return once a namespace that this tool made and that is being deleted is gone."""
        found = self._kubernetes.get("v1", "Namespace", self.name)
        if found is not None and _phase(found) == "Terminating":
            observed = self._observed(found)
            if observed.made_by_us:
                self._wait_gone(observed.id)

    def _wait_gone(self, uid: str) -> None:
        self._kubernetes.wait_gone(
            self.reference, timeout=self._surroundings.deletion_seconds, uid=uid
        )

    def _observed(self, found: Document) -> Observed[Document]:
        metadata = found["metadata"]
        annotations = metadata.get("annotations") or {}
        return Observed(
            id=metadata["uid"],
            output=found,
            owner=Install.from_locator(annotations),
            manager=manager_of(found),
            marks=marks(annotations),
            made_by_us=made_by_us(found),
            settled=_phase(found) == "Active",
            unfit=self._unfit(found),
        )

    def _unfit(self, found: Document) -> tuple[Unfit, ...]:
        if _phase(found) == "Terminating":
            return (Unfit(f"the namespace {self.name} is being deleted", "wait until it is gone"),)
        level = (found["metadata"].get("labels") or {}).get(ENFORCE, _PRIVILEGED)
        if not self._privileged or level == _PRIVILEGED:
            return ()
        return (
            Unfit(
                f"the namespace {self.name} enforces Pod Security level {level}, "
                "and the pods in it need privileged",
                self._kubernetes.access.kubectl(
                    f"label namespace {self.name} {ENFORCE}={_PRIVILEGED} --overwrite"
                ),
            ),
        )


def made_by_us(found: Document) -> bool:
    """Whether this tool made the namespace, for whichever install, and keeps it."""
    labels = found["metadata"].get("labels") or {}
    return not manager_of(found) and labels.get(MANAGED_BY_LABEL) == MANAGED_BY


def _phase(found: Document) -> str:
    if found["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str(found.get("status", {}).get("phase", "Active"))
