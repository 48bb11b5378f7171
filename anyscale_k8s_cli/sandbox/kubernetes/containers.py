"""The status of a pod's containers, and of the pod that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, timestamp, with_condition
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object


@dataclass
class ContainerState:
    """One container: what it does now, what it did before."""

    spec: Object
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The exit code, if it has ended and is not going to be started again."""
        code: int | None = dig(self.state, "terminated", "exitCode")
        return code

    def wait(self, reason: str, message: str = "") -> None:
        self.ready = False
        waiting = {"reason": reason}
        if message:
            waiting["message"] = message
        self.state = {"waiting": waiting}

    def start(self, *, ready: bool) -> None:
        self.ready = ready
        self.state = {"running": {"startedAt": timestamp()}}

    def end(self, code: int) -> None:
        self.ready = False
        started = dig(self.state, "running", "startedAt") or timestamp()
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": "Error" if code else "Completed",
                "startedAt": started,
                "finishedAt": timestamp(),
            }
        }

    def again(self, reason: str, message: str) -> None:
        """Wait for the next start, remembering how the last one ended."""
        self.last = self.state
        self.restarts += 1
        self.wait(reason, message)

    def as_status(self) -> Object:
        image = str(self.spec.get("image", ""))
        return {
            "name": self.spec["name"],
            "image": image,
            "imageID": f"sandbox://{image}" if self.running else "",
            "ready": self.ready,
            "started": self.running,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


@dataclass
class PodState:
    """All containers of a pod, and what a workload has said about its readiness."""

    pod: Object
    address: str
    init: list[ContainerState]
    main: list[ContainerState]
    started: str = field(default_factory=timestamp)
    reason: str = ""
    message: str = ""

    @classmethod
    def of(cls, pod: Object, address: str) -> PodState:
        spec = pod["spec"]
        init = [ContainerState(container) for container in spec.get("initContainers") or ()]
        for state in init[:1] or ():
            state.wait("PodInitializing")
        return cls(pod, address, init, [ContainerState(c) for c in spec["containers"]])

    @property
    def phase(self) -> str:
        policy = self.pod["spec"]["restartPolicy"]
        codes = [container.exit_code for container in self.main]
        if policy != "Always" and all(code is not None for code in codes):
            return "Failed" if any(codes) else "Succeeded"
        if policy == "Never" and any(container.exit_code for container in self.init):
            return "Failed"
        begun = any(c.running or c.last or c.exit_code is not None for c in self.main)
        return "Running" if begun else "Pending"

    def as_status(self, before: Object) -> Object:
        """The pod's status; `before` keeps what others (the scheduler) have written."""
        phase = self.phase
        unready = [c.spec["name"] for c in self.main if not c.ready]
        initialized = all(container.exit_code == 0 for container in self.init)
        conditions = before.get("conditions")
        reason = message = ""
        if phase == "Succeeded":
            reason = "PodCompleted"
        elif unready:
            reason = self.reason or "ContainersNotReady"
            message = self.message or f"containers with unready status: [{' '.join(unready)}]"
        for kind, holds in (
            ("Initialized", initialized),
            ("ContainersReady", not unready),
            ("Ready", not unready),
        ):
            about = ("", "") if kind == "Initialized" else (reason, message)
            conditions = with_condition(
                conditions, kind, status=holds, reason=about[0], message=about[1]
            )
        status: Object = {
            **before,
            "phase": phase,
            "conditions": conditions,
            "startTime": self.started,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "containerStatuses": [container.as_status() for container in self.main],
        }
        if self.init:
            status["initContainerStatuses"] = [c.as_status() for c in self.init]
        return status
