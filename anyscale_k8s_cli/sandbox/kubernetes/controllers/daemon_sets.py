"""DaemonSets: one pod on each node that takes it."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import (
    KindController,
    ready_count,
    template_hash,
)
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    dig,
    is_terminating,
    labels_of,
    name_of,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.scheduling import matches_node, untolerated_taint

_REVISION = "controller-revision-hash"
# A daemon runs on nodes that are in trouble, too.
_BORN_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": effect}
    for trouble, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


class DaemonSetController(KindController):
    resource = "daemonsets.apps"
    owns = frozenset({"pods", "nodes"})

    def reconcile(self, owner: Object) -> None:
        if is_terminating(owner):
            return
        template = clone(owner["spec"]["template"])
        revision = template_hash(template)
        template["metadata"].setdefault("labels", {})[_REVISION] = revision
        spec = template["spec"]
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *_BORN_TOLERATIONS]
        nodes = [n for n in self.store.items("nodes") if _suits(template, n)]
        pods = {_node_of(pod): pod for pod in self.owned("pods", owner)}
        for node in nodes:
            pod = pods.pop(name_of(node), None)
            if pod is None:
                changes = {"affinity": _only_on(name_of(node), spec.get("affinity"))}
                self.make_pod(owner, template, changes=changes)
            elif labels_of(pod).get(_REVISION) != revision or _is_done(pod):
                self._replace(pod)
        for pod in pods.values():
            self._replace(pod)
        self._report(owner, len(nodes), revision)

    def _replace(self, pod: Object) -> None:
        if not is_terminating(pod):
            self.delete_pod(pod)

    def _report(self, owner: Object, wanted: int, revision: str) -> None:
        pods = self.pods_of(owner)
        ready = ready_count(pods)
        status: Object = {
            "observedGeneration": owner["metadata"]["generation"],
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": wanted,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "updatedNumberScheduled": sum(labels_of(p).get(_REVISION) == revision for p in pods),
        }
        if wanted > ready:
            status["numberUnavailable"] = wanted - ready
        self.store.set_status(self.resource, owner, status, MANAGER)


def _suits(template: Object, node: Object) -> bool:
    return matches_node(template, node) and untolerated_taint(template, node) is None


def _is_done(pod: Object) -> bool:
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")


def _only_on(node: str, affinity: Object | None) -> Object:
    """Node affinity for one node, which is how the real controller places its pods."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {**(affinity or {}), "nodeAffinity": required}


def _node_of(pod: Object) -> str:
    terms = dig(
        pod,
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )
    return str(dig(terms, 0, "matchFields", 0, "values", 0) or "")
