"""ReplicaSets: as many pods as asked for."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import (
    KindController,
    is_active,
    ready_count,
)
from anyscale_k8s_cli.sandbox.kubernetes.disruption import is_ready
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    condition_of,
    is_terminating,
    with_condition,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object

_RETRY_REFUSED = 1.0


class ReplicaSetController(KindController):
    resource = "replicasets.apps"
    owns = frozenset({"pods"})

    def reconcile(self, owner: Object) -> float | None:
        if is_terminating(owner):
            return None
        wanted = owner["spec"]["replicas"]
        pods = [pod for pod in self.pods_of(owner) if is_active(pod)]
        # Unready pods are the first to go.
        for pod in sorted(pods, key=is_ready)[: max(len(pods) - wanted, 0)]:
            self.delete_pod(pod)
        refused = False
        for _ in range(wanted - len(pods)):
            refused = self.make_pod(owner, owner["spec"]["template"]) is None
            if refused:
                break
        self._report(owner, refused)
        return _RETRY_REFUSED if refused else None

    def _report(self, owner: Object, refused: bool) -> None:
        pods = [pod for pod in self.pods_of(owner) if is_active(pod)]
        ready = ready_count(pods)
        status: Object = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": owner["metadata"]["generation"],
        }
        if refused or condition_of(owner, "ReplicaFailure"):
            events = self.store.items("events", owner["metadata"]["namespace"])
            uid = owner["metadata"]["uid"]
            told = [
                event["message"].removeprefix("Error creating: ")
                for event in events
                if event["involvedObject"]["uid"] == uid and event["reason"] == "FailedCreate"
            ]
            if refused:
                status["conditions"] = with_condition(
                    (owner.get("status") or {}).get("conditions"),
                    "ReplicaFailure",
                    status=True,
                    reason="FailedCreate",
                    message=told[-1] if told else "",
                )
        self.store.set_status(self.resource, owner, status, MANAGER)
