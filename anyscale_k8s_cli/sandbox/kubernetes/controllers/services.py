"""Services of type LoadBalancer: asks the platform for an address, and gives it back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.cluster_events import record_event
from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER, MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import (
    LoadBalancerError,
    LoadBalancerProvider,
)
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    dig,
    is_terminating,
    name_of,
    namespace_of,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

CLEANUP = "service.kubernetes.io/load-balancer-cleanup"
_COMPONENT = "service-controller"
# Who serves load balancers may itself be a controller that is installed later.
_CONCERNS = ("services", "deployments.apps", "nodes")
_LONGEST_RETRY = 10.0
_RESYNC = 1.0


class ServiceController:
    """One task for each service that is being worked on; the platform's calls take time."""

    def __init__(self, store: Store, provider: LoadBalancerProvider, retry: float) -> None:
        self._store = store
        self._provider = provider
        self._retry = retry
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._settled: dict[str, Object] = {}

    def wants(self, event: Event) -> bool:
        return event.key in _CONCERNS

    def objects(self) -> Iterable[Object]:
        return self._store.items("services")

    def reconcile(self, service: Object) -> float | None:
        uid = service["metadata"]["uid"]
        if uid in self._tasks or not self._is_due(service):
            return None
        task = asyncio.get_running_loop().create_task(self._work(service))
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uid, None))
        # Whoever serves it may come later, or come back.
        return _RESYNC

    def _is_due(self, service: Object) -> bool:
        guarded = CLEANUP in (service["metadata"].get("finalizers") or ())
        if is_terminating(service) or service["spec"]["type"] != "LoadBalancer":
            return guarded
        if not dig(service, "status", "loadBalancer", "ingress"):
            return True
        return self._settled.get(service["metadata"]["uid"]) != _asked(service)

    async def stop(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, service: Object) -> None:
        """Bring one service in line; goes on trying while the platform fails."""
        pause = self._retry
        while True:
            live = self._store.find("services", namespace_of(service), name_of(service))
            if live is None or live["metadata"]["uid"] != service["metadata"]["uid"]:
                return
            try:
                if is_terminating(live) or live["spec"]["type"] != "LoadBalancer":
                    await self._remove(live)
                else:
                    await self._ensure(live)
            except LoadBalancerError as error:
                told = str(error)
                record_event(
                    self._store, live, error.reason, told, component=_COMPONENT, warning=True
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY)
                continue
            return

    async def _remove(self, service: Object) -> None:
        self._settled.pop(service["metadata"]["uid"], None)
        await self._provider.remove(clone(service))
        if not is_terminating(service):
            self._set_ingress(service, [])
        self._store.remove_finalizer("services", service, CLEANUP)

    async def _ensure(self, service: Object) -> None:
        asked = _asked(service)
        ingress = await self._provider.ensure(clone(service))
        live = self._store.find("services", namespace_of(service), name_of(service))
        if live is None or live["metadata"]["uid"] != service["metadata"]["uid"]:
            # Deleted meanwhile, before there was a finalizer to hold it.
            await self._provider.remove(clone(service))
            return
        if ingress is None:
            return
        if CLEANUP not in (live["metadata"].get("finalizers") or ()):
            if is_terminating(live):
                await self._provider.remove(clone(live))
                return
            guarded = clone(live)
            guarded["metadata"].setdefault("finalizers", []).append(CLEANUP)
            live = self._store.update("services", guarded, write=BY_CONTROLLER)
        self._settled[service["metadata"]["uid"]] = asked
        if ingress and dig(live, "status", "loadBalancer", "ingress") != ingress:
            self._set_ingress(live, ingress)
            text = "Ensured load balancer"
            record_event(self._store, live, "EnsuredLoadBalancer", text, component=_COMPONENT)

    def _set_ingress(self, service: Object, ingress: list[Object]) -> None:
        balancer: Object = {"ingress": ingress} if ingress else {}
        self._store.set_status("services", service, {"loadBalancer": balancer}, MANAGER)


def _asked(service: Object) -> Object:
    """What the platform acts on: another look is due when it changes."""
    return {"spec": service["spec"], "annotations": service["metadata"].get("annotations")}
