"""Deployments: a ReplicaSet for each template, rolled from the old to the new."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER, MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import (
    KindController,
    template_hash,
)
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    annotations_of,
    clone,
    condition_of,
    dig,
    is_terminating,
    name_of,
    namespace_of,
    owned_by,
    parse_timestamp,
    timestamp,
    with_condition,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


class DeploymentController(KindController):
    resource = "deployments.apps"
    owns = frozenset({"replicasets.apps"})

    def reconcile(self, owner: Object) -> float | None:
        if is_terminating(owner) or owner["spec"].get("paused"):
            return None
        current = self._current(owner)
        others = [
            s for s in self.owned("replicasets.apps", owner) if name_of(s) != name_of(current)
        ]
        self._roll(owner, current, others)
        self._forget_old(owner, others)
        return self._report(owner, current)

    def _current(self, owner: Object) -> Object:
        """The ReplicaSet of the template, made or brought back if need be."""
        digest = template_hash(owner["spec"]["template"])
        name = f"{name_of(owner)}-{digest}"
        sets = self.owned("replicasets.apps", owner)
        last = max((int(annotations_of(s).get(REVISION, 0)) for s in sets), default=0)
        found = next((s for s in sets if name_of(s) == name), None)
        if found is None:
            found = self._make(owner, name, digest, last + 1)
        elif int(annotations_of(found).get(REVISION, 0)) < last:
            # A roll-back makes an old template the newest revision.
            found = clone(found)
            found["metadata"].setdefault("annotations", {})[REVISION] = str(last + 1)
            found = self.store.update("replicasets.apps", found, write=BY_CONTROLLER)
        revision = annotations_of(found)[REVISION]
        if annotations_of(owner).get(REVISION) != revision:
            marked = clone(owner)
            marked["metadata"].setdefault("annotations", {})[REVISION] = revision
            marked["metadata"].pop("resourceVersion")
            self.store.update(self.resource, marked, write=BY_CONTROLLER)
        return found

    def _make(self, owner: Object, name: str, digest: str, revision: int) -> Object:
        template = clone(owner["spec"]["template"])
        labels = template["metadata"].setdefault("labels", {})
        labels[_HASH] = digest
        selector = clone(owner["spec"]["selector"])
        selector.setdefault("matchLabels", {})[_HASH] = digest
        recreate = dig(owner, "spec", "strategy", "type") == "Recreate"
        first = not self.owned("replicasets.apps", owner)
        made = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {REVISION: str(revision)},
                "ownerReferences": [owned_by(owner, self.kind())],
            },
            "spec": {
                "replicas": owner["spec"]["replicas"] if first and not recreate else 0,
                "selector": selector,
                "template": template,
            },
        }
        namespace = namespace_of(owner)
        return self.store.create("replicasets.apps", made, namespace=namespace, write=BY_CONTROLLER)

    def _roll(self, owner: Object, current: Object, others: list[Object]) -> None:
        wanted = owner["spec"]["replicas"]
        old_pods = sum(s["spec"]["replicas"] for s in others)
        if dig(owner, "spec", "strategy", "type") == "Recreate":
            for other in others:
                self._scale(owner, other, 0)
            still = sum(dig(s, "status", "replicas") or 0 for s in others)
            self._scale(owner, current, wanted if not still else current["spec"]["replicas"])
            return
        surge, unavailable = _limits(owner)
        room = wanted + surge - old_pods
        have = current["spec"]["replicas"]
        target = wanted if have > wanted else max(min(wanted, room), have)
        self._scale(owner, current, target)
        available = sum(dig(s, "status", "availableReplicas") or 0 for s in (current, *others))
        spare = available - (wanted - unavailable)
        for other in sorted(others, key=lambda s: s["metadata"]["creationTimestamp"]):
            replicas = other["spec"]["replicas"]
            unready = replicas - min(dig(other, "status", "availableReplicas") or 0, replicas)
            step = min(replicas, unready + max(spare, 0))
            self._scale(owner, other, replicas - step)
            spare -= max(step - unready, 0)

    def _scale(self, owner: Object, replica_set: Object, replicas: int) -> None:
        before = replica_set["spec"]["replicas"]
        if before == replicas:
            return
        changed = clone(replica_set)
        changed["spec"]["replicas"] = replicas
        changed["metadata"].pop("resourceVersion")
        self.store.update("replicasets.apps", changed, write=BY_CONTROLLER)
        direction = "up" if replicas > before else "down"
        name = name_of(replica_set)
        message = f"Scaled {direction} replica set {name} from {before} to {replicas}"
        self.tell(owner, "ScalingReplicaSet", message)

    def _forget_old(self, owner: Object, others: list[Object]) -> None:
        idle = [s for s in others if not s["spec"]["replicas"] and not dig(s, "status", "replicas")]
        idle.sort(key=lambda s: int(annotations_of(s).get(REVISION, 0)))
        for other in idle[: max(len(idle) - owner["spec"]["revisionHistoryLimit"], 0)]:
            self.store.delete("replicasets.apps", namespace_of(other), name_of(other))

    def _report(self, owner: Object, current: Object) -> float | None:
        sets = self.owned("replicasets.apps", owner)
        current = next(s for s in sets if name_of(s) == name_of(current))
        wanted = owner["spec"]["replicas"]
        total, ready, available = (
            sum(dig(s, "status", name) or 0 for s in sets)
            for name in ("replicas", "readyReplicas", "availableReplicas")
        )
        updated = dig(current, "status", "replicas") or 0
        status: Object = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": available,
        }
        if total > available or wanted > available:
            status["unavailableReplicas"] = max(wanted, total) - available
        enough = available >= wanted - _limits(owner)[1]
        done = updated == wanted == total == available
        progressing, wait = _progress(owner, current, status, done=done)
        status["conditions"] = [
            _condition(
                owner,
                "Available",
                status=enough,
                reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
                message=f"Deployment {'has' if enough else 'does not have'} minimum availability.",
            ),
            progressing,
        ]
        if failure := condition_of(current, "ReplicaFailure"):
            status["conditions"].append(failure)
        self.store.set_status(self.resource, owner, status, MANAGER)
        return wait


def _progress(
    owner: Object, current: Object, status: Object, *, done: bool
) -> tuple[Object, float | None]:
    """The Progressing condition, and when to look whether the deadline has passed."""
    name = name_of(current)
    before = condition_of(owner, "Progressing")
    counts = ("updatedReplicas", "readyReplicas", "observedGeneration")
    moved = not before or any(dig(owner, "status", c) != status[c] for c in counts)
    since = timestamp() if moved else before["lastUpdateTime"]
    passed = (datetime.now(UTC) - parse_timestamp(since)).total_seconds()
    left = owner["spec"]["progressDeadlineSeconds"] - passed
    late = not done and left <= 0
    if done:
        reason = "NewReplicaSetAvailable"
        message = f'ReplicaSet "{name}" has successfully progressed.'
    elif late:
        reason = "ProgressDeadlineExceeded"
        message = f'ReplicaSet "{name}" has timed out progressing.'
    else:
        reason, message = "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'
    condition = _condition(owner, "Progressing", status=not late, reason=reason, message=message)
    condition["lastUpdateTime"] = since
    return condition, None if done or late else left


def _condition(owner: Object, kind: str, *, status: bool, reason: str, message: str) -> Object:
    before = condition_of(owner, kind)
    conditions = with_condition(
        [before] if before else [], kind, status=status, reason=reason, message=message
    )
    return {"lastUpdateTime": before.get("lastUpdateTime") or timestamp(), **conditions[0]}


def _limits(owner: Object) -> tuple[int, int]:
    """maxSurge (rounded up) and maxUnavailable (rounded down) as numbers of pods."""
    wanted = owner["spec"]["replicas"]
    rolling = dig(owner, "spec", "strategy", "rollingUpdate") or {}
    surge = math.ceil(_share(rolling.get("maxSurge", "25%"), wanted))
    unavailable = math.floor(_share(rolling.get("maxUnavailable", "25%"), wanted))
    # With both at zero nothing could ever move.
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(value: int | str, whole: int) -> float:
    return whole * int(value.rstrip("%")) / 100 if isinstance(value, str) else value
