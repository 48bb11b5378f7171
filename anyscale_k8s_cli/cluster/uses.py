"""Who uses a shared object: a ConfigMap of ours beside it, with one mark per install.

It also says who works on the object just now. Two installs hold two different
locks, so nothing else keeps their runs apart where they share something.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.install import MARK_PREFIX, marks
from anyscale_k8s_cli.run import StillWaiting

WORKING = f"{MARK_PREFIX}/working"


@dataclass(frozen=True)
class Used:
    """What the ConfigMap says."""

    uid: str
    marks: frozenset[str]
    working: str
    document: Document


class Uses:
    """The users of one shared object. `patience`: seconds after which a silent worker is dead."""

    def __init__(
        self, surroundings: Surroundings, namespace: str, name: str, *, patience: float
    ) -> None:
        self._surroundings = surroundings
        self._kubernetes = surroundings.kubernetes
        self._install = surroundings.install
        self._reference = Reference("v1", "ConfigMap", f"{MARK_PREFIX}-{name}", namespace)
        self._patience = patience

    def look(self) -> Used | None:
        """None while nobody has ever claimed it."""
        ref = self._reference
        found = self._kubernetes.get(ref.api_version, ref.kind, ref.name, ref.namespace)
        return None if found is None else _used(found)

    def mark(self) -> None:
        """Say that this install uses it."""
        self._annotate({self._install.mark: "true"})

    def unmark(self) -> None:
        """Take this install's mark away."""
        self._annotate({self._install.mark: None})

    def forget(self) -> None:
        """Remove the ConfigMap: the shared object is gone."""
        self._kubernetes.delete(self._reference)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Be the only one who works on it; waits for another run that does."""
        while not self._claim():
            self._wait_for_other()
        try:
            yield
        finally:
            self._annotate({WORKING: None})

    def _claim(self, *, take_over: bool = False) -> bool:
        used = self.look()
        try:
            if used is None:
                self._kubernetes.create(self.fresh())
                return True
            if used.working not in ("", self._install.id) and not take_over:
                return False
            claimed = used.document
            claimed["metadata"].setdefault("annotations", {})[WORKING] = self._install.id
            # The resourceVersion in it makes the second of two claims fail.
            self._kubernetes.replace(claimed)
        except KubernetesError as problem:
            if problem.reason in ("AlreadyExists", "Conflict"):
                return False
            raise
        return True

    def _wait_for_other(self) -> None:
        worker = (self.look() or _NOBODY).working
        if worker in ("", self._install.id):
            return

        def free(found: Document | None) -> None:
            if found is not None and _used(found).working == worker:
                raise StillWaiting(f"install {worker} works on it")

        try:
            self._kubernetes.watch_until(
                self._reference,
                free,
                what=f"another install to finish with {self._reference.name}",
                timeout=self._patience,
            )
        except errors.CliError as problem:
            if problem.code is not errors.TIMED_OUT:
                raise
            # Longer than any such work is allowed to take: that run is dead.
            self._claim(take_over=True)

    def fresh(self) -> Document:
        """The ConfigMap as it is when somebody claims the object for the first time."""
        reference = self._reference
        manifest = self._surroundings.marked(
            {
                "apiVersion": reference.api_version,
                "kind": reference.kind,
                "metadata": {"name": reference.name, "namespace": reference.namespace},
            }
        )
        manifest["metadata"]["annotations"][WORKING] = self._install.id
        return manifest

    def _annotate(self, annotations: dict[str, str | None]) -> None:
        self._kubernetes.patch_merge(self._reference, {"metadata": {"annotations": annotations}})


_NOBODY = Used("", frozenset(), "", {})


def _used(found: Document) -> Used:
    annotations = found["metadata"].get("annotations") or {}
    return Used(found["metadata"]["uid"], marks(annotations), annotations.get(WORKING, ""), found)
