"""Jobs: pods until enough have succeeded or too many have failed."""

from __future__ import annotations

from datetime import UTC, datetime

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import KindController, is_active
from anyscale_k8s_cli.sandbox.kubernetes.disruption import is_ready
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    condition_of,
    dig,
    is_terminating,
    parse_timestamp,
    timestamp,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object

_RETRY_REFUSED = 1.0


class JobController(KindController):
    resource = "jobs.batch"
    owns = frozenset({"pods"})

    def reconcile(self, owner: Object) -> float | None:
        if is_terminating(owner) or _finished(owner):
            return None
        spec = owner["spec"]
        pods = self.owned("pods", owner)
        active = [pod for pod in pods if is_active(pod)]
        succeeded = sum(dig(pod, "status", "phase") == "Succeeded" for pod in pods)
        failed = sum(dig(pod, "status", "phase") == "Failed" for pod in pods)
        restarts = sum(_restarts(pod) for pod in pods)
        wanted = spec.get("completions") or 1
        status: Object = {
            "startTime": dig(owner, "status", "startTime") or timestamp(),
            "active": len(active),
            "ready": sum(map(is_ready, active)),
            "succeeded": succeeded,
            "failed": failed,
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        deadline = _time_left(owner, status["startTime"])
        if succeeded >= wanted:
            self._finish(owner, status, "Complete", "CompletionsReached", "Job completed")
        elif failed + restarts > spec["backoffLimit"]:
            message = "Job has reached the specified backoff limit"
            self._fail(owner, status, active, "BackoffLimitExceeded", message)
        elif deadline is not None and deadline <= 0:
            message = "Job was active longer than specified deadline"
            self._fail(owner, status, active, "DeadlineExceeded", message)
        else:
            missing = min(spec["parallelism"], wanted - succeeded) - len(active)
            for _ in range(0 if spec["suspend"] else missing):
                if not self.make_pod(owner, spec["template"]):
                    status["active"] += 1
            self.store.set_status(self.resource, owner, status, MANAGER)
            short = not spec["suspend"] and status["active"] < len(active) + missing
            return _RETRY_REFUSED if short else deadline
        return None

    def _fail(
        self, owner: Object, status: Object, active: list[Object], reason: str, message: str
    ) -> None:
        for pod in active:
            self.delete_pod(pod)
        self._finish(owner, status, "Failed", reason, message)

    def _finish(self, owner: Object, status: Object, kind: str, reason: str, message: str) -> None:
        done = kind == "Complete"
        now = timestamp()
        first = "SuccessCriteriaMet" if done else "FailureTarget"
        status.update(active=0, ready=0)
        if done:
            status["completionTime"] = now
        status["conditions"] = [
            {
                "type": type_,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastProbeTime": now,
                "lastTransitionTime": now,
            }
            for type_ in (first, kind)
        ]
        self.store.set_status(self.resource, owner, status, MANAGER)
        reason = "Completed" if done else reason
        self.tell(owner, reason, message, warning=not done)


def _finished(job: Object) -> bool:
    return any(condition_of(job, kind) for kind in ("Complete", "Failed"))


def _restarts(pod: Object) -> int:
    statuses = dig(pod, "status", "containerStatuses") or ()
    return sum(status.get("restartCount", 0) for status in statuses)


def _time_left(job: Object, start: str) -> float | None:
    seconds = job["spec"].get("activeDeadlineSeconds")
    if seconds is None:
        return None
    passed = (datetime.now(UTC) - parse_timestamp(start)).total_seconds()
    return float(seconds) - passed
