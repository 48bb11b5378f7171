"""Namespaces: what each has from the start, and how it is emptied in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER, MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    is_terminating,
    name_of,
    namespace_of,
    with_condition,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

_OWN_FINALIZER = "kubernetes"


class NamespaceController:
    def __init__(self, store: Store, ca_pem: str) -> None:
        self._store = store
        self._ca_pem = ca_pem

    def wants(self, event: Event) -> bool:
        if event.key == "namespaces":
            return True
        # Something left a namespace, which may be the last thing that held it.
        return event.kind == "DELETED" and bool(namespace_of(event.object))

    def objects(self) -> Iterable[Object]:
        return self._store.items("namespaces")

    def reconcile(self, namespace: Object) -> None:
        if is_terminating(namespace):
            self._empty(namespace)
        else:
            self._furnish(name_of(namespace))

    def _furnish(self, name: str) -> None:
        furniture = {
            "serviceaccounts": {"metadata": {"name": "default"}},
            "configmaps": {
                "metadata": {"name": "kube-root-ca.crt"},
                "data": {"ca.crt": self._ca_pem},
            },
        }
        for resource, obj in furniture.items():
            if self._store.find(resource, name, str(obj["metadata"]["name"])) is None:
                self._store.create(resource, obj, namespace=name, write=BY_CONTROLLER)

    def _empty(self, namespace: Object) -> None:
        name = name_of(namespace)
        kinds = [resource for resource in self._store.registry.stored() if resource.namespaced]
        for resource in kinds:
            for obj in self._store.items(resource, name):
                if not is_terminating(obj):
                    self._store.delete(resource, name, name_of(obj))
        remaining = [obj for resource in kinds for obj in self._store.items(resource, name)]
        if remaining:
            self._tell(namespace, remaining)
            return
        done = clone(self._store.find("namespaces", "", name) or namespace)
        done["spec"]["finalizers"] = [f for f in done["spec"]["finalizers"] if f != _OWN_FINALIZER]
        self._store.update("namespaces", done, write=BY_CONTROLLER)

    def _tell(self, namespace: Object, remaining: list[Object]) -> None:
        held = Counter(f for obj in remaining for f in obj["metadata"].get("finalizers") or ())
        listed = ", ".join(f"{f} in {n} resource instances" for f, n in sorted(held.items()))
        conditions = with_condition(
            (namespace.get("status") or {}).get("conditions"),
            "NamespaceFinalizersRemaining",
            status=bool(held),
            reason="SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            message=f"Some content in the namespace has finalizers remaining: {listed}"
            if held
            else "All content-preserving finalizers finished",
        )
        status = {**namespace["status"], "conditions": conditions}
        self._store.set_status("namespaces", namespace, status, MANAGER)
