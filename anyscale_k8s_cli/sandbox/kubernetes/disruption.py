"""Pod disruption budgets: how many pods may be evicted now."""

from __future__ import annotations

import math

from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    condition_of,
    is_terminating,
    labels_of,
    namespace_of,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.selectors import from_object, matches_labels
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

BUDGETS = "poddisruptionbudgets.policy"


def is_ready(pod: Object) -> bool:
    return condition_of(pod, "Ready").get("status") == "True" and not is_terminating(pod)


def _amount(value: int | str, total: int) -> int:
    """A number, or a percentage of the pods, rounded up."""
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(total * int(value[:-1]) / 100)
    return int(value)


def status_of(store: Store, budget: Object) -> Object:
    """The budget's status for the pods there are now."""
    selector = from_object(budget["spec"].get("selector"))
    pods = [
        pod
        for pod in store.items("pods", namespace_of(budget))
        if matches_labels(selector, labels_of(pod))
    ]
    healthy, total = sum(map(is_ready, pods)), len(pods)
    spec = budget["spec"]
    if "maxUnavailable" in spec:
        desired = total - _amount(spec["maxUnavailable"], total)
    else:
        desired = _amount(spec.get("minAvailable", 1), total)
    return {
        "observedGeneration": budget["metadata"]["generation"],
        "currentHealthy": healthy,
        "desiredHealthy": max(desired, 0),
        "disruptionsAllowed": max(healthy - max(desired, 0), 0),
        "expectedPods": total,
    }


def eviction_allowed(store: Store, pod: Object) -> bool:
    """Whether every budget that selects the pod lets it go."""
    for budget in store.items(BUDGETS, namespace_of(pod)):
        if not matches_labels(from_object(budget["spec"].get("selector")), labels_of(pod)):
            continue
        unhealthy_may_go = budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if unhealthy_may_go and not is_ready(pod):
            continue
        if status_of(store, budget)["disruptionsAllowed"] < 1:
            return False
    return True
