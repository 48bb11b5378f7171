"""Envoy Gateway: what the images `…/envoyproxy/gateway` and `…/envoyproxy/envoy` do."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, PodApi
from anyscale_k8s_cli.sandbox.workloads.controller import Controller
from anyscale_k8s_cli.sandbox.workloads.gateway_proxy import (
    MANAGED,
    OWNER_NAME,
    OWNER_NAMESPACE,
    proxy_deployment,
    proxy_name,
    proxy_service,
    service_addresses,
)
from anyscale_k8s_cli.sandbox.workloads.gateway_status import (
    Finding,
    ProxyState,
    SecretReader,
    class_conditions,
    gateway_status,
    listener_problems,
    with_times,
)

Object = dict[str, Any]

_IMAGE = "gateway"
_MANAGER = "envoy-gateway"
_FINALIZER = "gateway-exists-finalizer.gateway.networking.k8s.io"
_NETWORKING = "/apis/gateway.networking.k8s.io/v1"
_ENVOY = "/apis/gateway.envoyproxy.io/v1alpha1"


@dataclass(frozen=True)
class EnvoyGateway:
    """Controller, `certgen` job and what ends a proxy, told apart by the container's command."""

    authority: Authority

    def matches(self, image: str) -> bool:
        # A mirror may have put it anywhere, under any tag.
        return image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0] == _IMAGE

    async def run(self, pod: Pod) -> int:
        container = next(
            item for item in pod.manifest["spec"]["containers"] if self.matches(item["image"])
        )
        said = [*(container.get("command") or ()), *(container.get("args") or ())]
        if "shutdown-manager" in said:
            await asyncio.get_running_loop().create_future()
        async with PodApi(pod, self.authority) as api:
            if "certgen" in said:
                return await _certgen(pod, api)
            environment = pod.environment(container["name"])
            name = environment["SANDBOX_CONTROLLER_NAME"]
            # As the chart configures it, its own image is what ends a proxy, too.
            controller = _Controller(pod, api, name, container["image"])
            await controller.run()
            return 0


async def _certgen(pod: Pod, api: PodApi) -> int:
    """Make the Secrets that controller and proxies mount; existing ones stay as they are."""
    path = f"/api/v1/namespaces/{pod.namespace}/secrets"
    text = base64.b64encode(b"made by the sandbox").decode()
    for name in ("envoy-gateway", "envoy", "envoy-rate-limit"):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"control-plane": "envoy-gateway"}},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": text, "tls.key": text, "ca.crt": text},
        }
        try:
            await api.request("POST", path, secret)
        except ApiFailure as failure:
            if failure.reason != "AlreadyExists":
                pod.log(f"cannot create secret {name}: {failure}")
                return 1
            pod.log(f"skipped creating secret {pod.namespace}/{name} since it already exists")
    return 0


class _Controller(Controller):
    def __init__(self, pod: Pod, api: PodApi, name: str, shutdown_manager: str) -> None:
        super().__init__(pod, api)
        self._name = name
        self._shutdown_manager = shutdown_manager
        self._applied: dict[str, tuple[Object, Object]] = {}
        own = f"namespaces/{pod.namespace}"
        self._classes = self._informer(f"{_NETWORKING}/gatewayclasses")
        self._gateways = self._informer(f"{_NETWORKING}/gateways")
        self._routes = self._informer(f"{_NETWORKING}/httproutes")
        self._grants = self._informer("/apis/gateway.networking.k8s.io/v1beta1/referencegrants")
        self._proxies = self._informer(f"{_ENVOY}/envoyproxies")
        self._secrets = self._informer("/api/v1/secrets")
        self._services = self._informer(f"/api/v1/{own}/services?labelSelector={MANAGED}")
        self._deployments = self._informer(
            f"/apis/apps/v1/{own}/deployments?labelSelector={MANAGED}"
        )

    async def round(self) -> None:
        classes = await self._reconcile_classes()
        live = [
            gateway
            for gateway in self._gateways
            if gateway["spec"]["gatewayClassName"] in classes
            and "deletionTimestamp" not in gateway["metadata"]
        ]
        for gateway in live:
            await self._reconcile_gateway(gateway, classes)
        await self._remove_proxies(live)

    async def _reconcile_classes(self) -> dict[str, Object]:
        """Accept our classes; returns those whose parameters are there, by name."""
        accepted = {}
        for item in self._classes:
            if item["spec"]["controllerName"] != self._name:
                continue
            name = item["metadata"]["name"]
            item = await self._guard(item)  # noqa: PLW2901 - what comes next needs its new version
            problem = self._parameters_problem(item["spec"].get("parametersRef"), "")
            conditions = class_conditions(item["metadata"]["generation"], problem)
            await self._write_status(f"{_NETWORKING}/gatewayclasses/{name}", item, conditions)
            if problem is None:
                accepted[name] = item
        return accepted

    async def _guard(self, item: Object) -> Object:
        """A class that Gateways use is kept from deletion by a finalizer."""
        used = any(
            gateway["spec"]["gatewayClassName"] == item["metadata"]["name"]
            for gateway in self._gateways
        )
        finalizers: list[str] = item["metadata"].get("finalizers") or []
        wanted = [name for name in finalizers if name != _FINALIZER]
        if used:
            wanted.append(_FINALIZER)
        terminating = "deletionTimestamp" in item["metadata"]
        if set(wanted) == set(finalizers) or (used and terminating):
            return item
        path = f"{_NETWORKING}/gatewayclasses/{item['metadata']['name']}"
        return await self._api.merge(path, {"metadata": {"finalizers": wanted}})

    def _parameters_problem(self, reference: Object | None, namespace: str) -> Finding | None:
        """`namespace` is where a reference without one points (a Gateway's own)."""
        if reference is None:
            return None
        where = reference.get("namespace") or namespace
        if reference.get("kind") != "EnvoyProxy":
            return Finding("InvalidParameters", f"kind {reference.get('kind')} is not supported")
        if self._proxies.find(where, reference["name"]) is None:
            return Finding(
                "InvalidParameters", f"envoyproxy {where}/{reference['name']} does not exist"
            )
        return None

    def _envoy_proxy(self, gateway: Object, its_class: Object) -> Object | None:
        """The Gateway's own parameters, else its class's."""
        own = (gateway["spec"].get("infrastructure") or {}).get("parametersRef")
        if own:
            return self._proxies.find(gateway["metadata"]["namespace"], own["name"])
        reference = its_class["spec"].get("parametersRef")
        if reference is None:
            return None
        return self._proxies.find(reference.get("namespace", ""), reference["name"])

    async def _reconcile_gateway(self, gateway: Object, classes: dict[str, Object]) -> None:
        namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
        own = (gateway["spec"].get("infrastructure") or {}).get("parametersRef")
        problem = self._parameters_problem(own, namespace)
        problems = listener_problems(gateway, SecretReader(self._secrets, self._grants))
        ready = [
            listener["name"]
            for listener in gateway["spec"]["listeners"]
            if listener["name"] not in problems
        ]
        envoy_proxy = self._envoy_proxy(gateway, classes[gateway["spec"]["gatewayClassName"]])
        if problem is None and ready:
            proxy = proxy_deployment(
                gateway, envoy_proxy, self._pod.namespace, self._shutdown_manager
            )
            await self._apply(proxy)
            await self._apply(proxy_service(gateway, envoy_proxy, self._pod.namespace, ready))
        status = gateway_status(
            gateway, problem, problems, self._proxy_state(namespace, name), list(self._routes)
        )
        path = f"{_NETWORKING}/namespaces/{namespace}/gateways/{name}"
        await self._write_status(path, gateway, status)

    def _proxy_state(self, namespace: str, name: str) -> ProxyState:
        called = proxy_name(namespace, name)
        deployment = self._deployments.find(self._pod.namespace, called) or {}
        return ProxyState(
            addresses=service_addresses(self._services.find(self._pod.namespace, called)),
            available=(deployment.get("status") or {}).get("availableReplicas", 0),
            wanted=(deployment.get("spec") or {}).get("replicas", 1),
        )

    async def _apply(self, item: Object) -> None:
        """Have a proxy's object as it should be; nothing is asked while it is as it was applied."""
        is_service = item["kind"] == "Service"
        found = (self._services if is_service else self._deployments).find(
            self._pod.namespace, item["metadata"]["name"]
        )
        base = "/api/v1" if is_service else "/apis/apps/v1"
        collection = "services" if is_service else "deployments"
        path = f"{base}/namespaces/{self._pod.namespace}/{collection}/{item['metadata']['name']}"
        if found is None or self._applied.get(path) != (item, _intent(found)):
            answer = await self._api.apply(path, item, _MANAGER)
            self._applied[path] = item, _intent(answer)

    async def _remove_proxies(self, live: Sequence[Object]) -> None:
        """Delete the proxies of Gateways that are gone, or no longer ours."""
        wanted = {(g["metadata"]["namespace"], g["metadata"]["name"]) for g in live}
        for base, informer in (
            ("/api/v1", self._services),
            ("/apis/apps/v1", self._deployments),
        ):
            for item in informer:
                metadata = item["metadata"]
                owner = (metadata["labels"][OWNER_NAMESPACE], metadata["labels"][OWNER_NAME])
                if owner in wanted or "deletionTimestamp" in metadata:
                    continue
                collection = "services" if informer is self._services else "deployments"
                await self._api.delete(
                    f"{base}/namespaces/{metadata['namespace']}/{collection}/{metadata['name']}"
                )

    async def _write_status(self, path: str, item: Object, status: Object | list[Object]) -> None:
        """Write a status (or only conditions) if it differs from what the object has."""
        before = item.get("status") or {}
        new = {**before, "conditions": status} if isinstance(status, list) else status
        new = with_times(new, before)
        if new != before:
            await self._api.request("PUT", f"{path}/status", {**item, "status": new})


def _intent(item: Object) -> Object:
    """What somebody wants of an object, without what is told of it."""
    metadata = item["metadata"]
    told = {key: metadata.get(key) for key in ("uid", "labels", "annotations")}
    return {"metadata": told, "spec": item["spec"]}
