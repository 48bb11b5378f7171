"""A Job that runs once to be read: made, followed to its end, and taken away again."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.diagnosis import diagnose_workload, warnings_about
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.run import StillWaiting

LOG_LINES = 1000
# Where no second look helps: https://kubernetes.io/docs/concepts/containers/images/
_NO_IMAGE = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_NO_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_REFUSED = "FailedCreate: "


@dataclass(eq=False)
class Unfinished(errors.CliError):
    """The Job was made and did not come to a good end, for a reason of the cluster's."""


@dataclass(frozen=True)
class OneOff:
    """A Job of one pod with one container of ours, and `beside` it what the pod mounts.

    All of them carry our marks and have fixed names: what a run has left that was killed is
    found by the next, or by a teardown. `no_image` is the fix where the image cannot be had;
    `seconds` is how long all of it may take.
    """

    kubernetes: Kubernetes
    install: Install
    job: Document
    beside: Sequence[Document]
    no_image: str
    seconds: float

    def run(self) -> str:
        """The log of the container, once it has ended well.

        Raises `foreign-object` where a name is taken, and `Unfinished` (`timed-out`, or
        `cluster-failed`) with what keeps the pod from coming up or made it fail.
        """
        self._clear()
        try:
            for document in self.beside:
                self.kubernetes.create(document)
            return self._follow(self.kubernetes.create(self.job))
        finally:
            # Whatever came of it; what cannot be removed now is by the next who finds it.
            with contextlib.suppress(errors.CliError):
                self._remove()

    # -- made and taken away -------------------------------------------------------

    def _clear(self) -> None:
        """What an earlier run has left is gone afterwards."""
        for reference, uid in self._remove():
            self.kubernetes.wait_gone(reference, timeout=self.seconds, uid=uid)

    def _remove(self) -> list[tuple[Reference, str]]:
        removed = []
        for reference in map(Reference.of, (self.job, *self.beside)):
            for found in self._found(reference):
                uid = str(found["metadata"]["uid"])
                # In the foreground the Job goes after its pod.
                self.kubernetes.delete(reference, propagation="Foreground", uid=uid)
                removed.append((reference, uid))
        return removed

    def _found(self, reference: Reference) -> list[Document]:
        found = self.kubernetes.list(
            reference.api_version,
            reference.kind,
            reference.namespace,
            field_selector=f"metadata.name={reference.name}",
        )
        for item in found:
            owner = Install.from_locator(item["metadata"].get("annotations") or {})
            if owner is None or owner.id != self.install.id:
                raise errors.CliError(
                    errors.FOREIGN_OBJECT,
                    f"{reference} is there already and not ours",
                    cause="another cloud's run uses it, or somebody else made it",
                    fix="wait until that run has ended, or remove it",
                )
        return found

    # -- followed ------------------------------------------------------------------

    def _follow(self, job: Document) -> str:
        reference = Reference.of(self.job)

        def done(found: Document | None) -> tuple[str, int]:
            if found is None or found["metadata"]["uid"] != job["metadata"]["uid"]:
                raise self._failed("somebody has removed it, or another run has begun")
            return self._ended(found, reference)

        pod, code = self.kubernetes.watch_until(
            reference,
            done,
            what=f"{reference} to answer",
            timeout=self.seconds,
            expired=lambda seen: self._late(reference, seen),
        )
        container = self.job["spec"]["template"]["spec"]["containers"][0]["name"]
        log = self.kubernetes.pod_log(
            str(reference.namespace), pod, container=container, tail=LOG_LINES
        )
        if code:
            last = log.strip().splitlines()[-5:]
            raise self._failed(f"its program ended with exit code {code}", tuple(last))
        return log

    def _ended(self, job: Document, reference: Reference) -> tuple[str, int]:
        """The pod and its exit code. Raises `StillWaiting`, and what will not become better."""
        labels = (job["spec"].get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = self.kubernetes.list("v1", "Pod", reference.namespace, label_selector=selector)
        if not pods:
            self._check_admitted(reference)
            raise StillWaiting("it has no pod yet")
        # Not by the pod's phase: what others put beside our container may never end.
        ours = self.job["spec"]["template"]["spec"]["containers"][0]["name"]
        statuses = (pods[0].get("status") or {}).get("containerStatuses") or []
        state = next((item.get("state") or {} for item in statuses if item["name"] == ours), {})
        if "terminated" in state:
            return pods[0]["metadata"]["name"], int(state["terminated"].get("exitCode", 0))
        self._check_starts(state.get("waiting") or {})
        for item in (job.get("status") or {}).get("conditions") or []:
            if item.get("type") == "Failed" and item.get("status") == "True":
                raise self._failed(f"{item.get('reason')}: {item.get('message')}")
        raise StillWaiting(_seen(pods[0], state))

    def _check_admitted(self, reference: Reference) -> None:
        """A quota, the namespace's Pod Security or a webhook refuses the pod: only events tell."""
        for line in warnings_about(self.kubernetes, reference):
            if line.startswith(_REFUSED):
                raise self._failed(
                    line.removeprefix(_REFUSED), fix="admit it, or leave the probe out"
                )

    def _check_starts(self, waiting: Document) -> None:
        reason, said = waiting.get("reason"), str(waiting.get("message") or "")
        if reason in _NO_IMAGE:
            raise self._failed(f"{reason}: {said}", fix=self.no_image)
        if reason in _NO_START:
            raise self._failed(f"{reason}: {said}")

    def _late(self, reference: Reference, seen: str) -> Unfinished:
        diagnosis = diagnose_workload(self.kubernetes, reference)
        return Unfinished(
            errors.TIMED_OUT,
            f"{reference} has given no answer within {self.seconds:.0f} s",
            cause=diagnosis.cause if diagnosis else seen,
            evidence=diagnosis.evidence if diagnosis else (),
            fix="mend that, then run the same command again",
        )

    def _failed(self, cause: str, evidence: tuple[str, ...] = (), fix: str = "") -> Unfinished:
        return Unfinished(
            errors.CLUSTER_FAILED,
            f"{Reference.of(self.job)} could not do its work",
            cause=cause,
            evidence=evidence,
            fix=fix or "mend that, then run the same command again",
        )


def _seen(pod: Document, state: Document) -> str:
    if "running" in state:
        return "it runs"
    for item in (pod.get("status") or {}).get("conditions") or []:
        if item.get("type") == "PodScheduled" and item.get("status") == "False":
            return f"{item.get('reason')}: {item.get('message')}"
    return str((state.get("waiting") or {}).get("reason") or "its pod is starting")
