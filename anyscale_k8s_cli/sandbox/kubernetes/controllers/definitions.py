"""CustomResourceDefinitions: served while they are there, emptied before they go."""

from __future__ import annotations

from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER, MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.custom_resources import resources_of
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    dig,
    is_terminating,
    name_of,
    namespace_of,
    with_condition,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class DefinitionController:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._served: dict[str, int] = {}

    def wants(self, event: Event) -> bool:
        return event.key in (CRDS, *self._served)

    def objects(self) -> Iterable[Object]:
        definitions = self._store.items(CRDS)
        for gone in self._served.keys() - {name_of(crd) for crd in definitions}:
            self._store.registry.remove_crd(gone)
            del self._served[gone]
        return definitions

    def reconcile(self, crd: Object) -> None:
        if is_terminating(crd):
            self._empty(crd)
            return
        name, generation = name_of(crd), crd["metadata"]["generation"]
        finalized = CLEANUP in (crd["metadata"].get("finalizers") or ())
        if self._served.get(name) == generation and finalized:
            return
        self._serve(crd)
        if not finalized:
            crd = clone(crd)
            crd["metadata"].setdefault("finalizers", []).append(CLEANUP)
            crd = self._store.update(CRDS, crd, write=BY_CONTROLLER)
        conditions = dig(crd, "status", "conditions")
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ):
            conditions = with_condition(
                conditions, kind, status=True, reason=reason, message=message
            )
        stored = {version["name"] for version in crd["spec"]["versions"] if version["storage"]}
        status = {
            "acceptedNames": crd["spec"]["names"],
            "conditions": conditions,
            "storedVersions": sorted({*(dig(crd, "status", "storedVersions") or ()), *stored}),
        }
        self._store.set_status(CRDS, crd, status, MANAGER)
        self._served[name] = generation

    def _serve(self, crd: Object) -> None:
        self._store.registry.remove_crd(name_of(crd))
        for resource in resources_of(crd):
            self._store.registry.add(resource)

    def _empty(self, crd: Object) -> None:
        name = name_of(crd)
        if name in self._served:
            resource = self._store.resource(name)
            for obj in self._store.items(name):
                if not is_terminating(obj):
                    self._store.delete(resource, namespace_of(obj), name_of(obj))
        if not self._store.items(name):
            self._store.remove_finalizer(CRDS, crd, CLEANUP)
