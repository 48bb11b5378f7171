"""Why something in the cluster does not come up: the first blocking object and what it says.

Looks at what is there when a wait has failed, so that nobody has to run the
command again with a debugger. Looking must not fail in turn: what cannot be
read is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.admission import Denial, denial_in, way_on
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.image_pulls import FailedPull, failed_pull
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.scale_up import ANSWERS, Answer, answer_for

EVENTS = 3
LOG_LINES = 10
# As the scheduler words what keeps a pod from nodes.
_TAINT = re.compile(r"untolerated taint(?:\(s\))? \{([^:}]+): ?([^}]*)\}")
_SELECTOR = "didn't match Pod's node affinity/selector"
_NO_PLACE = "Unschedulable: "
_NOT_MADE = "FailedCreate: "


@dataclass(frozen=True)
class Diagnosis:
    """`cause` is one line: the blocking object and its state.

    `answer` is what those that add nodes say to a pod that no node takes, `denial` whose rule
    lets a pod not be made at all, and `way` what is to be done about that. `pull` is what is
    wrong with an image that a node does not get.
    """

    cause: str
    conditions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    answer: Answer | None = None
    denial: Denial | None = None
    way: str = ""
    pull: FailedPull | None = None

    @property
    def refused(self) -> bool:
        """Whether a pod will not get what it lacks: a node, leave to be made, or its image."""
        return bool(self.lacks)

    @property
    def lacks(self) -> str:
        """What will not come of itself, in words about a pod; empty where anything still may."""
        if self.denial is not None:
            return "may not be made"
        if self.pull is not None:
            return "does not get its image" if self.pull.final else ""
        return "gets no node" if self.answer is not None and not self.answer.adds else ""

    @property
    def waiting(self) -> str:
        """What a pod that is not there, or lacks a node or an image, waits for; else empty."""
        if self.denial is not None:
            return f"a pod may not be made: {self.denial}"
        if self.pull is not None:
            return self.cause.replace(str(self.pull), self.pull.shortly)
        if _NO_PLACE not in self.cause:
            return ""
        pod, _, seen = self.cause.partition(f": {_NO_PLACE}")
        if self.answer is None:
            return f"{pod} waits for a node: {seen}"
        adds = "one is being added" if self.answer.adds else "none is added for it"
        return f"{pod} waits for a node, and {adds}: {self.answer.words}"

    @property
    def complaint(self) -> str:
        """The program's own last complaint, where its log has one."""
        return next((line for line in reversed(self.log) if "ERROR" in line.upper()), "")

    @property
    def told(self) -> str:
        """The one line to tell: the program knows better than its pod."""
        if self.answer is not None and not self.answer.adds:
            return f"{self.cause} No node is added for it: {self.answer.words}"
        return self.complaint or self.cause

    @property
    def mend(self) -> str:
        """What lets a pod be made, or gives one a place or an image that it lacks; empty where
        that is not it."""
        if self.denial is not None:
            return self.way
        if self.pull is not None:
            again = "then run the same command again, with what is new"
            return "\n".join((self.pull.mend, again)) if self.pull.mend else ""
        if _NO_PLACE not in self.cause:
            return ""
        ways = [
            f"let the pods tolerate it: --toleration {shlex.quote(f'{key}={value}')}"
            if value
            else f"let the pods tolerate it: --toleration {shlex.quote(key)}"
            for key, value in dict.fromkeys(_TAINT.findall(self.cause))
        ]
        if _SELECTOR in self.cause:
            ways.append("name labels that nodes have with --node-selector, or leave it out")
        if "Insufficient" in self.cause or not ways:
            ways.append("add a node that has room")
        return "\n".join((*ways, "then run the same command again, with what is new"))

    @property
    def evidence(self) -> tuple[str, ...]:
        """Lines for `CliError.evidence`, beside `told`: what that says is not said again."""
        return (
            *((self.cause,) if self.complaint else ()),
            *(f"condition {line}" for line in self.conditions if self._is_new(line)),
            *(f"event {line}" for line in self.events if self._is_new(line)),
            *(f"log {line}" for line in self.log if line != self.told),
        )

    def _is_new(self, line: str) -> bool:
        """Whether more is said than what is told, be it by another reason."""
        message = line.partition(": ")[2] or line
        rest = self.told.split(": ", 2)[-1]
        return not (message in self.told or message.endswith(rest))


def diagnose_workload(kubernetes: Kubernetes, reference: Reference) -> Diagnosis | None:
    """What blocks a Deployment, StatefulSet, DaemonSet or Job; None when nothing can be seen."""
    try:
        workload = kubernetes.get(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )
        if workload is None:
            return Diagnosis(f"{reference} does not exist")
        return _diagnose_found(kubernetes, reference, workload)
    except errors.CliError:
        # Interrupted, or the cluster is out of reach: the first failure counts.
        return None


def events_about(kubernetes: Kubernetes, reference: Reference) -> tuple[str, ...]:
    """The last warnings about one object, oldest first; normal events where there are none."""
    return _last(_events(kubernetes, reference))


def _last(found: Documents) -> tuple[str, ...]:
    return _told([event for event in found if _matters(event)] or found)


def warnings_about(kubernetes: Kubernetes, reference: Reference) -> tuple[str, ...]:
    """The last warnings about one object, oldest first."""
    found = _events(kubernetes, reference)
    return _told([event for event in found if event.get("type") == "Warning"])


def _matters(event: Document) -> bool:
    return event.get("type") == "Warning" or event.get("reason") in ANSWERS


def _events(kubernetes: Kubernetes, reference: Reference) -> Documents:
    found = kubernetes.list(
        "v1",
        "Event",
        reference.namespace or "default",
        field_selector=f"involvedObject.kind={reference.kind},involvedObject.name={reference.name}",
    )
    found.sort(key=_event_time)
    return found


def _told(events: Documents) -> tuple[str, ...]:
    return tuple(
        f"{event.get('reason', '')}: {str(event.get('message', '')).strip()}"
        for event in events[-EVENTS:]
    )


def conditions_of(document: Document) -> tuple[str, ...]:
    """Each condition as `Type=Status Reason: message`."""
    return tuple(
        f"{item.get('type')}={item.get('status')} "
        f"{item.get('reason', '')}: {item.get('message', '')}".rstrip(": ")
        for item in (document.get("status") or {}).get("conditions") or []
    )


def blocking_pod(pods: Documents) -> Document | None:
    """The pod to look at: one that is not ready, the newest first; a Job's may have failed."""
    unready = [pod for pod in pods if not _is_ready(pod)]
    unready.sort(key=lambda pod: pod["metadata"].get("creationTimestamp") or "", reverse=True)
    return unready[0] if unready else None


def blocking_container(pod: Document) -> tuple[str, str]:
    """The container that is in the way and its state; empty names when there is none."""
    statuses = _statuses(pod)
    for container in statuses:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            return container["name"], _words(waiting)
        if ended and ended.get("exitCode"):
            return container["name"], f"{_words(ended)} (exit code {ended['exitCode']})"
    for container in statuses:
        if not container.get("ready") and "running" in (container.get("state") or {}):
            return container["name"], "running and not ready"
    return "", ""


def _statuses(pod: Document) -> Documents:
    """Those of its containers, in the order in which they start."""
    status = pod.get("status") or {}
    return [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]


def _diagnose_found(kubernetes: Kubernetes, reference: Reference, workload: Document) -> Diagnosis:
    namespace = reference.namespace or "default"
    labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = kubernetes.list("v1", "Pod", namespace, label_selector=selector) if selector else []
    pod = blocking_pod(pods)
    if pod is not None:
        return _diagnose_pod(kubernetes, pod)
    found = _without_pods(kubernetes, reference, workload, selector)
    if pods and found.denial is None:
        return Diagnosis(
            f"{reference}: its pods are ready by now", conditions=conditions_of(workload)
        )
    return found


def _without_pods(
    kubernetes: Kubernetes, reference: Reference, workload: Document, selector: str
) -> Diagnosis:
    """No pod was admitted, or not all: a quota, a policy or a webhook. The ReplicaSet knows."""
    blockers: list[tuple[Reference, Document]] = [(reference, workload)]
    if reference.kind == "Deployment":
        for found in kubernetes.list(
            "apps/v1", "ReplicaSet", reference.namespace, label_selector=selector
        ):
            blockers.insert(0, (Reference.of(found), found))
    for where, document in blockers:
        failing = _failing_conditions(document)
        if failing:
            events = events_about(kubernetes, where)
            denial, way = _kept_out(kubernetes, reference, failing[0])
            return Diagnosis(
                f"{where}: {failing[0]}", conditions_of(document), events, denial=denial, way=way
            )
    events = tuple(line for where, _ in blockers for line in events_about(kubernetes, where))
    last = events[-1] if events else ""
    # Of Jobs and their like events alone tell.
    denial, way = _kept_out(kubernetes, reference, last)
    cause = f"{reference}: {last}" if denial else f"{reference} has no pods"
    return Diagnosis(cause, conditions_of(workload), events[-EVENTS:], denial=denial, way=way)


def _kept_out(kubernetes: Kubernetes, workload: Reference, said: str) -> tuple[Denial | None, str]:
    """Whose rule keeps a pod from being made, and what to do; a webhook may answer yet."""
    denial = denial_in(said, workload.namespace or "") if said.startswith(_NOT_MADE) else None
    if denial is None or denial.passing:
        return None, ""
    return denial, way_on(denial, kubernetes.access.kubectl)


def _failing_conditions(document: Document) -> list[str]:
    conditions = (document.get("status") or {}).get("conditions") or []
    return [
        f"{item.get('reason')}: {item.get('message')}"
        for item in conditions
        if item.get("type") == "ReplicaFailure" and item.get("status") == "True"
    ]


def _diagnose_pod(kubernetes: Kubernetes, pod: Document) -> Diagnosis:
    reference = Reference.of(pod)
    container, state = blocking_container(pod)
    events = _events(kubernetes, reference)
    pull = next(filter(None, (failed_pull(item, events) for item in _statuses(pod))), None)
    if pull is not None:
        cause = f"{reference}, container {pull.container}: {pull}"
    elif container:
        cause = f"{reference}, container {container}: {state}"
    else:
        cause = f"{reference}: {_pod_state(pod)}"
    log = tuple(_log(kubernetes, pod, container)) if container and pull is None else ()
    unmet = [line for line in conditions_of(pod) if "=False" in line]
    answer = answer_for(events) if _NO_PLACE in cause else None
    return Diagnosis(cause, tuple(unmet), _last(events), log, answer, pull=pull)


def _pod_state(pod: Document) -> str:
    status = pod.get("status") or {}
    for item in status.get("conditions") or []:
        if item.get("type") == "PodScheduled" and item.get("status") == "False":
            return f"{item.get('reason')}: {item.get('message')}"
    return str(status.get("message") or status.get("phase") or "in an unknown state")


def _log(kubernetes: Kubernetes, pod: Document, container: str) -> Sequence[str]:
    metadata = pod["metadata"]
    for previous in (False, True):
        # A container that waits to be restarted has its last words in the log before.
        text = kubernetes.pod_log(
            metadata["namespace"],
            metadata["name"],
            container=container,
            tail=LOG_LINES,
            previous=previous,
        )
        if text.strip():
            return text.strip().splitlines()[-LOG_LINES:]
    return ()


def _is_ready(pod: Document) -> bool:
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return True
    return any(
        item.get("type") == "Ready" and item.get("status") == "True"
        for item in status.get("conditions") or []
    )


def _words(state: Document) -> str:
    message = str(state.get("message") or "").strip().splitlines()
    return ": ".join(part for part in (state.get("reason", ""), *message[:1]) if part)


def _event_time(event: Document) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
