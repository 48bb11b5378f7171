"""StatefulSets: numbered pods, one after the other, each with its claims."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER, MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import (
    KindController,
    ready_count,
    template_hash,
)
from anyscale_k8s_cli.sandbox.kubernetes.disruption import is_ready
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object

_REVISION = "controller-revision-hash"


class StatefulSetController(KindController):
    resource = "statefulsets.apps"
    owns = frozenset({"pods"})

    def reconcile(self, owner: Object) -> None:
        if is_terminating(owner):
            return
        revision = f"{name_of(owner)}-{template_hash(owner['spec']['template'])}"
        pods = {name_of(pod): pod for pod in self.owned("pods", owner)}
        names = [f"{name_of(owner)}-{index}" for index in range(owner["spec"]["replicas"])]
        one_by_one = owner["spec"]["podManagementPolicy"] == "OrderedReady"
        for index, name in enumerate(names):
            pod = pods.get(name)
            if pod is None:
                self._make(owner, name, index, revision)
            elif labels_of(pod).get(_REVISION) != revision and not is_terminating(pod):
                self.delete_pod(pod)
            if one_by_one and (pod is None or not is_ready(pod)):
                break
        for name, pod in pods.items():
            if name not in names and not is_terminating(pod):
                self.delete_pod(pod)
        self._report(owner, revision)

    def _make(self, owner: Object, name: str, index: int, revision: str) -> None:
        template = clone(owner["spec"]["template"])
        labels = template["metadata"].setdefault("labels", {})
        labels.update(
            {
                _REVISION: revision,
                "apps.kubernetes.io/pod-index": str(index),
                "statefulset.kubernetes.io/pod-name": name,
            }
        )
        volumes = list(template["spec"].get("volumes") or ())
        for claim in owner["spec"].get("volumeClaimTemplates") or ():
            claim_name = f"{name_of(claim)}-{name}"
            volumes.append(
                {"name": name_of(claim), "persistentVolumeClaim": {"claimName": claim_name}}
            )
            if self.store.find("persistentvolumeclaims", namespace_of(owner), claim_name) is None:
                made = {"metadata": {"name": claim_name}, "spec": clone(claim["spec"])}
                self.store.create(
                    "persistentvolumeclaims",
                    made,
                    namespace=namespace_of(owner),
                    write=BY_CONTROLLER,
                )
        changes: Object = {"hostname": name, "subdomain": owner["spec"]["serviceName"]}
        if volumes:
            changes["volumes"] = volumes
        self.make_pod(owner, template, name=name, changes=changes)

    def _report(self, owner: Object, revision: str) -> None:
        pods = self.pods_of(owner)
        fresh = [pod for pod in pods if labels_of(pod).get(_REVISION) == revision]
        ready = ready_count(pods)
        status = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": len(fresh),
            "updatedReplicas": len(fresh),
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        self.store.set_status(self.resource, owner, status, MANAGER)
