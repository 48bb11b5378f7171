"""Garbage collection: dependents follow their owners."""

from __future__ import annotations

from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    is_terminating,
    name_of,
    namespace_of,
    owner_uids,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Deletion

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"


class GarbageCollector:
    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, event: Event) -> bool:
        return (
            event.kind == "DELETED"
            or is_terminating(event.object)
            or (event.kind == "ADDED" and bool(owner_uids(event.object)))
        )

    def objects(self) -> Iterable[Object]:
        """Owners, each as an object or as a mere uid if it is gone; then those that wait."""
        storage = self._store.storage
        gone: list[Object] = [
            {"metadata": {"uid": uid}} for uid in storage.owners() if storage.by_uid(uid) is None
        ]
        waiting = [
            obj
            for _, obj in storage.everything()
            if is_terminating(obj)
            and {_FOREGROUND, _ORPHAN} & set(obj["metadata"].get("finalizers") or ())
        ]
        return [*gone, *waiting]

    def reconcile(self, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        dependents = self._store.dependents(uid)
        finalizers = owner["metadata"].get("finalizers") or ()
        if "name" not in owner["metadata"]:
            for resource, obj in dependents:
                self._lose_owner(resource, obj, uid)
        elif _ORPHAN in finalizers:
            for resource, obj in dependents:
                self._disown(resource, obj, uid)
            self._finish(owner, _ORPHAN)
        elif _FOREGROUND in finalizers:
            for resource, obj in dependents:
                if not is_terminating(obj):
                    deletion = Deletion(propagation="Foreground")
                    self._store.delete(resource, namespace_of(obj), name_of(obj), deletion)
            blocking = [obj for _, obj in self._store.dependents(uid) if _blocks(obj, uid)]
            if not blocking:
                self._finish(owner, _FOREGROUND)

    def _lose_owner(self, resource: Resource, obj: Object, uid: str) -> None:
        storage = self._store.storage
        if any(storage.by_uid(other) for other in owner_uids(obj) - {uid}):
            self._disown(resource, obj, uid)
        elif not is_terminating(obj):
            self._store.delete(resource, namespace_of(obj), name_of(obj))

    def _disown(self, resource: Resource, obj: Object, uid: str) -> None:
        free = clone(obj)
        references = free["metadata"]["ownerReferences"]
        free["metadata"]["ownerReferences"] = [r for r in references if r["uid"] != uid]
        self._store.update(resource, free, write=BY_CONTROLLER)

    def _finish(self, owner: Object, finalizer: str) -> None:
        resource = self._store.registry.by_kind(owner["apiVersion"], owner["kind"])
        if resource is not None:
            self._store.remove_finalizer(resource, owner, finalizer)


def _blocks(obj: Object, uid: str) -> bool:
    return any(
        reference["uid"] == uid and reference.get("blockOwnerDeletion")
        for reference in obj["metadata"].get("ownerReferences") or ()
    )
