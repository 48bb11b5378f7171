"""Tells in each quota's status what is used of it."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import KindController
from anyscale_k8s_cli.sandbox.kubernetes.quotas import told, used
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event


class QuotaController(KindController):
    resource = "resourcequotas"

    def wants(self, event: Event) -> bool:
        return event.key == self.resource or bool(self.store.items(self.resource))

    def reconcile(self, obj: Object) -> float | None:
        hard = obj["spec"].get("hard") or {}
        status = {"hard": dict(hard), "used": told(used(self.store, obj))}
        self.store.set_status(self.resource, obj, status, MANAGER)
        return None
