"""Binds pods to nodes, or says why it cannot."""

from __future__ import annotations

from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.cluster_events import record_event
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    dig,
    is_terminating,
    name_of,
    namespace_of,
    with_condition,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.scheduling import choose_node
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write

_NAME = "default-scheduler"
_BY_SCHEDULER = Write(manager="kube-scheduler")


class Scheduler:
    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, event: Event) -> bool:
        return event.key in ("nodes", "pods")

    def objects(self) -> Iterable[Object]:
        return [
            pod
            for pod in self._store.items("pods")
            if not pod["spec"].get("nodeName") and not is_terminating(pod)
        ]

    def reconcile(self, pod: Object) -> None:
        node, message = choose_node(pod, self._store.items("nodes"), self._store.items("pods"))
        if node:
            bound = clone(pod)
            bound["spec"]["nodeName"] = node
            pod = self._store.update("pods", bound, write=_BY_SCHEDULER)
            text = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
            record_event(self._store, pod, "Scheduled", text, component=_NAME)
        elif dig(pod, "status", "conditions", 0, "message") != message:
            record_event(
                self._store, pod, "FailedScheduling", message, component=_NAME, warning=True
            )
        conditions = with_condition(
            dig(pod, "status", "conditions"),
            "PodScheduled",
            status=bool(node),
            reason="" if node else "Unschedulable",
            message=message,
        )
        status = {**pod["status"], "conditions": conditions}
        self._store.set_status("pods", pod, status, "kube-scheduler")
