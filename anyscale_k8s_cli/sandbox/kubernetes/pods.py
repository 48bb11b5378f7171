"""Runs pods: what the kubelets of all nodes do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from anyscale_k8s_cli.sandbox.kubernetes.cluster_events import record_event
from anyscale_k8s_cli.sandbox.kubernetes.containers import ContainerState, PodState
from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import logins_of
from anyscale_k8s_cli.sandbox.kubernetes.logs import ContainerLog
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    dig,
    is_terminating,
    name_of,
    namespace_of,
)
from anyscale_k8s_cli.sandbox.kubernetes.pod_environment import (
    MissingReference,
    container_named,
    environment,
    missing_volumes,
)
from anyscale_k8s_cli.sandbox.kubernetes.pod_view import KUBELET, PodView, Surroundings
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Workload
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.writes import Deletion

# Images with these words in their name misbehave, whatever workloads there are.
NEVER_READY = "never-ready"
ALWAYS_FAILS = "always-fails"

_LONGEST_BACKOFF = 10.0
# How long workloads may take to clean up when the whole stand-in stops, in seconds.
_LAST_WORDS = 2.0
_DONE = ("Succeeded", "Failed")
_MOUNTED = ("configmaps", "secrets", "persistentvolumeclaims")
_log = logging.getLogger(__name__)


class PodRunner:
    """The life of one pod on its node, from mounts to the last exit code."""

    def __init__(self, around: Surroundings, pod: Object) -> None:
        self._around = around
        self._store = around.store
        self._pod = pod
        self._state = PodState.of(pod, around.store.addresses.pod_ip())
        self._logs: dict[str, ContainerLog] = {}
        self._changed = asyncio.Event()

    def notice_change(self) -> None:
        """Something that the pod may wait for has changed: a mount, an image."""
        self._changed.set()

    async def run(self) -> None:
        """Returns when all containers have ended for good."""
        self._publish()
        await self._mount()
        await asyncio.sleep(self._around.pace)
        for container in self._state.init:
            await self._run_container(container, init=True)
            if container.exit_code:
                return
        async with asyncio.TaskGroup() as group:
            for container in self._state.main:
                group.create_task(self._run_container(container, init=False))

    def close(self) -> None:
        self._around.ports.close(self._pod["metadata"]["uid"])
        for log in self._logs.values():
            log.close()

    async def _mount(self) -> None:
        while missing := list(missing_volumes(self._store, self._pod)):
            for message in missing:
                self._tell("FailedMount", message, warning=True)
            await self._next_change()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _run_container(self, container: ContainerState, *, init: bool) -> None:
        policy = self._pod["spec"]["restartPolicy"]
        if init and policy == "Always":
            policy = "OnFailure"
        while True:
            await self._pull(container)
            await self._configure(container)
            code = await self._execute(container, init=init)
            container.end(code)
            self._logs[container.spec["name"]].close()
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                self._publish()
                return
            await self._back_off(container)

    def _refresh(self, container: ContainerState) -> None:
        """Take over the container's spec as it is now: its image may have been changed."""
        live = self._store.find("pods", namespace_of(self._pod), name_of(self._pod))
        if live is not None:
            container.spec = container_named(live, container.spec["name"])

    async def _pull(self, container: ContainerState) -> None:
        first = True
        pulls, logins = self._around.pulls, logins_of(self._store, self._pod)
        while why := pulls.refusal(image := str(container.spec.get("image", "")), logins):
            self._tell("Failed", f'Failed to pull image "{image}": {why}', warning=True)
            container.wait("ErrImagePull", why)
            if first:
                self._publish()
                await asyncio.sleep(self._around.pace)
                first = False
            message = f'Back-off pulling image "{image}"'
            self._tell("BackOff", message)
            self._tell("Failed", "Error: ImagePullBackOff", warning=True)
            container.wait("ImagePullBackOff", message)
            self._publish()
            await self._next_change()
            self._refresh(container)
            logins = logins_of(self._store, self._pod)
        self._tell("Pulled", f'Container image "{image}" already present on machine')

    async def _configure(self, container: ContainerState) -> None:
        """Wait until everything that the container's variables refer to is there."""
        while True:
            try:
                environment(self._store, self._pod, container.spec["name"])
            except MissingReference as missing:
                self._tell("Failed", f"Error: {missing}", warning=True)
                container.wait("CreateContainerConfigError", str(missing))
                self._publish()
                await self._next_change()
            else:
                return

    async def _execute(self, container: ContainerState, *, init: bool) -> int:
        name, image = container.spec["name"], str(container.spec.get("image", ""))
        log = self._around.logs.start(self._pod["metadata"]["uid"], name)
        self._logs[name] = log
        workload = self._around.workload_for(image)
        probed = workload is not None and "readinessProbe" in container.spec
        container.start(ready=not init and not probed and NEVER_READY not in image)
        self._publish()
        self._tell("Started", f"Started container {name}")
        if ALWAYS_FAILS in image:
            log.append("this image always fails")
            await asyncio.sleep(self._around.pace)
            return 1
        if workload is not None:
            return await self._run_workload(workload, name, log)
        if init or self._pod["spec"]["restartPolicy"] != "Always":
            await asyncio.sleep(self._around.pace)
            return 0
        forever: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await forever

    async def _run_workload(self, workload: Workload, name: str, log: ContainerLog) -> int:
        view = PodView(self._around, self._pod, name, self._logs, self._set_ready)
        try:
            return await workload.run(view)
        except Exception as error:  # noqa: BLE001 (a crash of the program in the container)
            _log.debug("workload in %s crashed", name_of(self._pod), exc_info=True)
            log.append(f"panic: {type(error).__name__}: {error}")
            return 2

    async def _back_off(self, container: ContainerState) -> None:
        name = container.spec["name"]
        pause = min(self._around.pace * 2**container.restarts, _LONGEST_BACKOFF)
        where = f"{name_of(self._pod)}_{namespace_of(self._pod)}"
        where += f"({self._pod['metadata']['uid']})"
        message = f"back-off restarting failed container={name} pod={where}"
        self._tell(
            "BackOff", f"Back-off restarting failed container {name} in pod {where}", warning=True
        )
        container.again("CrashLoopBackOff", message)
        self._publish()
        await asyncio.sleep(pause)
        self._refresh(container)

    async def _set_ready(self, ready: bool, reason: str, message: str) -> None:
        for container in self._state.main:
            container.ready = ready and container.running
        self._state.reason, self._state.message = reason, message
        if not ready and message:
            self._tell("Unhealthy", f"Readiness probe failed: {message}", warning=True)
        self._publish()

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        record_event(self._store, self._pod, reason, message, component=KUBELET, warning=warning)

    def _publish(self) -> None:
        live = self._store.find("pods", namespace_of(self._pod), name_of(self._pod))
        if live is None or live["metadata"]["uid"] != self._pod["metadata"]["uid"]:
            return
        status = self._state.as_status(live.get("status") or {})
        self._store.set_status("pods", live, status, KUBELET)


class Kubelet:
    """Starts pods that are bound to a node, ends those that are deleted."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._store = around.store
        self._runners: dict[str, PodRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        self._unsubscribe = self._store.subscribe(self._notice)
        for pod in self._store.items("pods"):
            self._sync(pod["metadata"]["uid"])

    async def stop(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()
        tasks = [*self._tasks.values(), *self._endings.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WORDS)

    def _notice(self, event: Event) -> None:
        if event.key == "pods":
            uid = event.object["metadata"]["uid"]
            asyncio.get_running_loop().call_soon(self._sync, uid)
            if event.kind == "DELETED":
                self._around.logs.forget(uid)
            elif event.old and _images(event.old) != _images(event.object):
                self._tell_change(uid)
        elif event.key in _MOUNTED:
            namespace = namespace_of(event.object)
            for pod in self._store.items("pods", namespace):
                self._tell_change(pod["metadata"]["uid"])

    def _tell_change(self, uid: str) -> None:
        if uid in self._runners:
            self._runners[uid].notice_change()

    def _sync(self, uid: str) -> None:
        pod = self._store.storage.by_uid(uid)
        if pod is None or is_terminating(pod):
            self._end(uid, pod)
        elif (
            uid not in self._tasks
            and pod["spec"].get("nodeName")
            and dig(pod, "status", "phase") not in _DONE
        ):
            runner = PodRunner(self._around, pod)
            self._runners[uid] = runner
            self._tasks[uid] = asyncio.get_running_loop().create_task(self._run(runner, pod))

    async def _run(self, runner: PodRunner, pod: Object) -> None:
        try:
            await runner.run()
        finally:
            runner.close()
            self._runners.pop(pod["metadata"]["uid"], None)

    def _end(self, uid: str, pod: Object | None) -> None:
        task = self._tasks.get(uid)
        if pod is None or not pod["metadata"].get("deletionGracePeriodSeconds"):
            if task is not None:
                task.cancel()
            self._tasks.pop(uid, None)
        elif uid not in self._endings:
            ending = asyncio.get_running_loop().create_task(self._finish(task, pod))
            self._endings[uid] = ending
            ending.add_done_callback(lambda _: self._endings.pop(uid, None))

    async def _finish(self, task: asyncio.Task[None] | None, pod: Object) -> None:
        """Stop a pod's containers, then remove it."""
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=pod["metadata"]["deletionGracePeriodSeconds"])
        deletion = Deletion(grace_period=0, uid=pod["metadata"]["uid"])
        try:
            self._store.delete("pods", namespace_of(pod), name_of(pod), deletion)
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise


def _images(pod: Object) -> list[str]:
    return [str(container.get("image")) for container in pod["spec"]["containers"]]
