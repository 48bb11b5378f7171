"""Subresources that are not the object itself: scale, token, log, eviction, proxy."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes import errors, patching
from anyscale_k8s_cli.sandbox.kubernetes.authentication import ServiceAccountTokens
from anyscale_k8s_cli.sandbox.kubernetes.disruption import eviction_allowed
from anyscale_k8s_cli.sandbox.kubernetes.logs import ContainerLog, Logs
from anyscale_k8s_cli.sandbox.kubernetes.objects import clone, dig
from anyscale_k8s_cli.sandbox.kubernetes.ports import Ports
from anyscale_k8s_cli.sandbox.kubernetes.requests import Target
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.selectors import from_object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Deletion, Write
from anyscale_k8s_cli.sandbox.wire import STREAM_STARTED


class Subresources:
    def __init__(
        self, store: Store, accounts: ServiceAccountTokens, logs: Logs, ports: Ports
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._logs = logs
        self._ports = ports

    async def serve(
        self, request: web.Request, target: Target, body: Any, write: Write
    ) -> web.StreamResponse:
        resource = target.resource
        if resource is None:
            raise errors.no_such_endpoint()
        if target.subresource == "proxy":
            return await self._proxy(request, resource, target)
        obj = self._store.get(resource, target.namespace, target.name)
        match target.subresource, request.method:
            case "scale", "GET":
                return web.json_response(_scale_of(obj))
            case "scale", "PUT" | "PATCH":
                return web.json_response(self._scale(request, resource, obj, body, write))
            case "token", "POST":
                return web.json_response(self._accounts.request(obj, body), status=201)
            case "log", "GET":
                return await self._log(request, obj)
            case "eviction", "POST":
                return self._evict(obj, body)
        raise errors.method_not_allowed()

    def _scale(
        self, request: web.Request, resource: Resource, obj: Object, body: Any, write: Write
    ) -> Object:
        scale = _scale_of(obj)
        if request.method == "PUT":
            scale = body
        elif request.content_type == "application/json-patch+json":
            scale = patching.json_patch(scale, body)
        else:
            scale = patching.merge_patch(scale, body)
        changed = clone(obj)
        replicas = dig(scale, "spec", "replicas") or 0
        if not isinstance(replicas, int) or replicas < 0:
            why = "must be greater than or equal to 0"
            cause = errors.invalid_value("spec.replicas", str(replicas), why)
            raise errors.invalid(resource, obj["metadata"]["name"], [cause])
        changed["spec"]["replicas"] = replicas
        if request.method == "PUT" and dig(scale, "metadata", "resourceVersion"):
            changed["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"]
        # The scale subresource writes the object's own spec.
        plain = Write(manager=write.manager, user=write.user, dry_run=write.dry_run)
        return _scale_of(self._store.update(resource, changed, write=plain))

    def _evict(self, pod: Object, body: Any) -> web.Response:
        metadata = pod["metadata"]
        if not eviction_allowed(self._store, pod):
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            raise errors.ApiError(429, "TooManyRequests", message)
        grace = dig(body, "deleteOptions", "gracePeriodSeconds")
        deletion = Deletion(grace_period=grace)
        self._store.delete("pods", metadata["namespace"], metadata["name"], deletion)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return web.json_response({**status, "code": 201}, status=201)

    async def _proxy(
        self, request: web.Request, resource: Resource, target: Target
    ) -> web.Response:
        """What a pod answers at one of its ports: `name:port`."""
        if request.method != "GET":
            raise errors.method_not_allowed()
        name, _, port = target.name.partition(":")
        pod = self._store.get(resource, target.namespace, name)
        answer = self._ports.get(pod["metadata"]["uid"], int(port or 80))
        if answer is None:
            where = f"{dig(pod, 'status', 'podIP')}:{port or 80}"
            message = (
                f"error trying to reach service: dial tcp {where}: connect: connection refused"
            )
            raise errors.ApiError(503, "ServiceUnavailable", message)
        status, body = await answer(f"/{target.beyond}")
        return web.json_response(body, status=status)

    async def _log(self, request: web.Request, pod: Object) -> web.StreamResponse:
        query = request.query
        container = self._container(pod, query.get("container", ""))
        previous = query.get("previous", "").lower() == "true"
        log = self._logs.get(pod["metadata"]["uid"], container, previous=previous)
        if log is None:
            raise self._no_log(pod, container, previous=previous)
        lines = list(log.lines)
        first = len(lines) - int(query["tailLines"]) if "tailLines" in query else 0
        stamped = query.get("timestamps", "").lower() == "true"
        if query.get("follow", "").lower() == "true":
            return await _follow(request, log, max(first, 0), stamped=stamped)
        text = "".join(_line(*line, stamped=stamped) for line in lines[max(first, 0) :])
        return web.Response(text=text)

    @staticmethod
    def _container(pod: Object, wanted: str) -> str:
        name = pod["metadata"]["name"]
        spec = pod["spec"]
        names = [c["name"] for c in (*(spec.get("initContainers") or ()), *spec["containers"])]
        if wanted and wanted not in names:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        if not wanted and len(spec["containers"]) > 1:
            choices = " ".join(c["name"] for c in spec["containers"])
            message = (
                f"a container name must be specified for pod {name}, choose one of: [{choices}]"
            )
            raise errors.bad_request(message)
        return wanted or str(spec["containers"][0]["name"])

    @staticmethod
    def _no_log(pod: Object, container: str, *, previous: bool) -> errors.ApiError:
        name = pod["metadata"]["name"]
        if previous:
            return errors.bad_request(
                f'previous terminated container "{container}" in pod "{name}" not found'
            )
        statuses = dig(pod, "status", "containerStatuses") or ()
        status: Object = next((s for s in statuses if s["name"] == container), {})
        reason = dig(status, "state", "waiting", "reason")
        if reason in ("ImagePullBackOff", "ErrImagePull"):
            why = "trying and failing to pull image"
        else:
            why = str(reason or "ContainerCreating")
        return errors.bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: {why}'
        )


def _line(moment: Any, text: str, *, stamped: bool) -> str:
    prefix = moment.isoformat().replace("+00:00", "Z") + " " if stamped else ""
    return f"{prefix}{text}\n"


async def _follow(
    request: web.Request, log: ContainerLog, first: int, *, stamped: bool
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    request[STREAM_STARTED](200)
    seen = first
    while True:
        for line in list(log.lines)[seen:]:
            await response.write(_line(*line, stamped=stamped).encode())
            seen += 1
        if log.closed:
            return response
        await log.wait(seen)


def _scale_of(obj: Object) -> Object:
    metadata = obj["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    pods = ",".join(
        f"{requirement.key}={requirement.values[0]}"
        for requirement in from_object(obj["spec"].get("selector"))
        if requirement.operator == "In" and len(requirement.values) == 1
    )
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in names},
        "spec": {"replicas": obj["spec"].get("replicas", 1)},
        "status": {"replicas": dig(obj, "status", "replicas") or 0, "selector": pods},
    }
