"""One Kubernetes object as a resource of the graph."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.comparing import abandoned, differences
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.kubernetes import FIELD_MANAGER, Kubernetes
from anyscale_k8s_cli.cluster.managers import MANAGED_BY_LABEL, manager_of
from anyscale_k8s_cli.install import MANAGED_BY, MARK_PREFIX, Install
from anyscale_k8s_cli.resource import (
    OTHER_NAMESPACE,
    Claim,
    FieldChange,
    Observed,
    Resource,
    fingerprint,
)
from anyscale_k8s_cli.run import StillWaiting

INSTALL_LABEL = f"{MARK_PREFIX}/install"

Manifest = Callable[[], Mapping[str, Any]]

# https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/
_ANNOTATION_KEY = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)


@dataclass(frozen=True)
class Surroundings:
    """What all objects of one install share.

    `dropped` are tags that an earlier setup wrote and this one does not want.
    `deletion_seconds`: how long one may take to go.
    """

    kubernetes: Kubernetes
    install: Install
    tags: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    deletion_seconds: float = 900

    def labels(self) -> dict[str, str]:
        return {MANAGED_BY_LABEL: MANAGED_BY, INSTALL_LABEL: self.install.id}

    def annotations(self) -> dict[str, str]:
        """The locator, and the user's tags."""
        return self.fit_tags() | self.install.locator()

    def fit_tags(self) -> dict[str, str]:
        """The user's tags as far as Kubernetes admits their keys."""
        return {key: value for key, value in self.tags.items() if _ANNOTATION_KEY.fullmatch(key)}

    def marked(self, manifest: Mapping[str, Any]) -> Document:
        """The manifest with labels and annotations of ours; its own ones win."""
        marked = copy.deepcopy(dict(manifest))
        metadata = marked["metadata"] = dict(marked["metadata"])
        metadata["labels"] = self.labels() | (metadata.get("labels") or {})
        metadata["annotations"] = self.annotations() | (metadata.get("annotations") or {})
        return marked


@dataclass(frozen=True)
class Readiness:
    """When an object is of use.

    `done` returns the object once it is, and raises `StillWaiting` with what is
    missing. `expired` makes the error of the last thing seen and the object.
    """

    done: Callable[[Document], None]
    what: str
    seconds: float
    expired: Callable[[str, Document | None], errors.CliError]


class KubernetesObject(Resource[Document]):
    """An object that is made whole from a manifest.

    The manifest is asked for late, since it may need outputs that are not known
    yet; `reference` alone is enough to read and delete. `own_release` is a Helm
    release of ours that takes the object over. `prove` shows, once the object is
    there, that it can be used; it raises with the cause if not. `let_go` removes
    what would keep the object from going after somebody has deleted it.
    """

    kind: ClassVar[str] = "k8s:object"
    way_around: ClassVar[str] = OTHER_NAMESPACE

    def __init__(
        self,
        surroundings: Surroundings,
        reference: Reference,
        manifest: Manifest,
        *,
        title: str = "",
        needs: Sequence[Resource[Any]] = (),
        claim: Claim = Claim.OWN,
        readiness: Readiness | None = None,
        own_release: tuple[str, str] | None = None,
        prove: Callable[[], None] | None = None,
        let_go: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            key=object_key(reference),
            title=title or str(reference),
            install=surroundings.install,
            needs=needs,
            claim=claim,
        )
        self.reference = reference
        self._surroundings = surroundings
        self._kubernetes = surroundings.kubernetes
        self._manifest = manifest
        self._readiness = readiness
        self._own_release = own_release
        self._prove = prove
        self._let_go = let_go

    def desired(self) -> Document:
        """The manifest with our marks. May raise `NotYetKnown`."""
        return self._surroundings.marked(self._manifest())

    def told(self) -> Mapping[str, str]:
        return {"manifest": fingerprint(self.desired())}

    def read(self) -> Observed[Document] | None:
        found = self._get()
        return None if found is None else self._observed(found)

    def diff(self, observed: Observed[Document]) -> Sequence[FieldChange]:
        found = observed.output
        if going(found):
            return [
                FieldChange(
                    "metadata.deletionTimestamp", found["metadata"]["deletionTimestamp"], None
                )
            ]
        wanted = self.desired()
        hide = self.reference.kind == "Secret"
        return [
            item.as_change(hide=hide)
            for item in (
                *differences(wanted, found),
                *abandoned(wanted, found, FIELD_MANAGER),
            )
        ]

    def written(self, observed: Observed[Document] | None) -> Iterable[Trial]:
        del observed  # the whole of it is applied
        return (Trial(self.desired()),)

    def create(self) -> Observed[Document]:
        found = self._get()
        if found is not None and going(found):
            if self._let_go is not None:
                self._let_go()
            self._wait_gone(found["metadata"]["uid"])
            found = None
        if found is None:
            return self._observed(self._kubernetes.apply(self.desired(), force=False))
        observed = self._observed(found)
        if observed.manager or observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"{self.reference} appeared meanwhile and is not ours",
                cause=f"it belongs to {observed.manager or 'someone else'}",
                fix="run the same command again and look at the plan",
            )
        return self._observed(self._kubernetes.apply(self.desired()))

    def update(
        self, observed: Observed[Document], changes: Sequence[FieldChange]
    ) -> Observed[Document]:
        del changes  # server-side apply writes the whole of what we manage
        if going(observed.output):
            return self.create()
        return self._observed(self._kubernetes.apply(self.desired()))

    def delete(self, observed: Observed[Document]) -> None:
        self._kubernetes.delete(self.reference, uid=observed.id)
        self._wait_gone(observed.id)

    def ready(self, observed: Observed[Document]) -> Observed[Document]:
        reached = self._reach(observed)
        self.prove()
        return reached

    def prove(self) -> None:
        """Show that it can be used; raises with the cause if not."""
        if self._prove is not None:
            self._prove()

    def _reach(self, observed: Observed[Document]) -> Observed[Document]:
        readiness = self._readiness
        if readiness is None:
            return observed
        last: list[Document | None] = [observed.output]

        def done(found: Document | None) -> Document:
            last[0] = found
            if found is None:
                raise StillWaiting("it does not exist")
            readiness.done(found)
            return found

        found = self._kubernetes.watch_until(
            self.reference,
            done,
            what=readiness.what,
            timeout=readiness.seconds,
            expired=lambda seen: readiness.expired(seen, last[0]),
        )
        return self._observed(found)

    def _get(self) -> Document | None:
        ref = self.reference
        return self._kubernetes.get(ref.api_version, ref.kind, ref.name, ref.namespace)

    def _wait_gone(self, uid: str) -> None:
        self._kubernetes.wait_gone(
            self.reference, timeout=self._surroundings.deletion_seconds, uid=uid
        )

    def _observed(self, found: Document) -> Observed[Document]:
        metadata = found["metadata"]
        return Observed(
            id=metadata["uid"],
            output=found,
            owner=Install.from_locator(metadata.get("annotations") or {}),
            manager=manager_of(found, self._own_release),
            settled=self._is_settled(found),
        )

    def _is_settled(self, found: Document) -> bool:
        if self._readiness is None:
            return True
        try:
            self._readiness.done(found)
        except StillWaiting:
            return False
        return True


def going(found: Document) -> bool:
    """Whether somebody has deleted the object: it cannot be kept, only made again."""
    return bool(found["metadata"].get("deletionTimestamp"))


def object_key(reference: Reference) -> str:
    """`k8s:gateway/ray/gateway`, `k8s:namespace/ray`."""
    place = f"{reference.namespace}/" if reference.namespace else ""
    return f"k8s:{reference.kind.lower()}/{place}{reference.name}"
