"""ReplicaSets: as many pods as asked for."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import (
    KindController,
    is_active,
    ready_count,
)
from anyscale_k8s_cli.sandbox.kubernetes.disruption import is_ready
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, is_terminating, with_condition
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
        refusal = ""
        for _ in range(wanted - len(pods)):
            refusal = self.make_pod(owner, owner["spec"]["template"])
            if refusal:
                break
        self._report(owner, refusal)
        return _RETRY_REFUSED if refusal else None

    def _report(self, owner: Object, refusal: str) -> None:
        pods = [pod for pod in self.pods_of(owner) if is_active(pod)]
        ready = ready_count(pods)
        status: Object = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": owner["metadata"]["generation"],
        }
        if refusal:
            status["conditions"] = with_condition(
                dig(owner, "status", "conditions"),
                "ReplicaFailure",
                status=True,
                reason="FailedCreate",
                message=refusal,
            )
        self.store.set_status(self.resource, owner, status, MANAGER)
