"""ingress-nginx: what the image `…/ingress-nginx/controller` does, as far as the API shows it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, Informer, PodApi

Object = dict[str, Any]

_IMAGE = "ingress-nginx/controller"
_NETWORKING = "/apis/networking.k8s.io/v1"
_OLD_CLASS = "kubernetes.io/ingress.class"
_SNIPPET = re.compile(r"nginx\.ingress\.kubernetes\.io/.*-snippet")
_RETRY = 0.5


@dataclass(frozen=True)
class IngressNginx:
    authority: Authority

    def matches(self, image: str) -> bool:
        # A mirror may have put it anywhere, under any tag.
        return image.partition("@")[0].rpartition(":")[0].endswith(_IMAGE)

    async def run(self, pod: Pod) -> int:
        container = next(
            item for item in pod.manifest["spec"]["containers"] if self.matches(item["image"])
        )
        flags = _flags(container.get("args") or (), pod.environment(container["name"]))
        if "controller-class" not in flags:
            pod.log("F no --controller-class")
            return 1
        async with PodApi(pod, self.authority) as api:
            await _Controller(pod, api, flags).run()
            return 0


class _Controller:
    """Gives each Ingress of its class the address of its own Service."""

    def __init__(self, pod: Pod, api: PodApi, flags: Mapping[str, str]) -> None:
        self._pod = pod
        self._api = api
        self._flags = flags
        self._dirty = asyncio.Event()
        place = flags.get("watch-namespace")
        own = f"/api/v1/namespaces/{pod.namespace}"
        scope = f"/namespaces/{place}" if place else ""
        self._informers = [
            Informer(api, path, self._dirty.set)
            for path in (
                f"{_NETWORKING}/ingressclasses",
                f"{_NETWORKING}{scope}/ingresses",
                f"{own}/services",
                f"{own}/configmaps",
            )
        ]
        self._classes, self._ingresses, self._services, self._config = self._informers

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run())
            for informer in self._informers:
                await informer.synced.wait()
                if informer.failure:
                    self._pod.log(f"cannot watch {informer.path}: {informer.failure}")
            await self._pod.set_ready(True)
            while True:
                await self._dirty.wait()
                self._dirty.clear()
                await self._round()

    async def _round(self) -> None:
        try:
            for ingress in self._ingresses:
                if self._is_ours(ingress) and "deletionTimestamp" not in ingress["metadata"]:
                    await self._serve(ingress)
        except (ApiFailure, aiohttp.ClientError) as failure:
            self._pod.log(f"reconcile failed: {failure}")
            asyncio.get_running_loop().call_later(_RETRY, self._dirty.set)

    def _is_ours(self, ingress: Object) -> bool:
        ours = {
            item["metadata"]["name"]
            for item in self._classes
            if item["spec"].get("controller") == self._flags["controller-class"]
        }
        named = ingress["spec"].get("ingressClassName")
        old = (ingress["metadata"].get("annotations") or {}).get(_OLD_CLASS)
        if named is None and old is None:
            return self._flags.get("watch-ingress-without-class") == "true"
        return named in ours if named else old == self._flags.get("ingress-class")

    async def _serve(self, ingress: Object) -> None:
        """One with snippets is refused by a controller that does not allow them, and stays out."""
        metadata = ingress["metadata"]
        snippets = any(map(_SNIPPET.match, metadata.get("annotations") or {}))
        if snippets and not self._allows_snippets:
            self._pod.log(
                f"E ignoring ingress {metadata['namespace']}/{metadata['name']}: annotation group "
                "ConfigurationSnippet contains risky annotation based on ingress configuration"
            )
            return
        before = ingress.get("status") or {}
        status = {**before, "loadBalancer": {"ingress": self._addresses}}
        if status != before:
            path = f"{_NETWORKING}/namespaces/{metadata['namespace']}/ingresses"
            await self._api.request(
                "PUT", f"{path}/{metadata['name']}/status", {**ingress, "status": status}
            )

    @property
    def _allows_snippets(self) -> bool:
        place, _, name = self._flags.get("configmap", "").partition("/")
        data = (self._config.find(place, name) or {}).get("data") or {}
        return (
            data.get("allow-snippet-annotations") == "true"
            and data.get("annotations-risk-level") == "Critical"
        )

    @property
    def _addresses(self) -> list[Object]:
        place, _, name = self._flags.get("publish-service", "").partition("/")
        service = self._services.find(place, name) or {}
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        return [
            {key: entry[key] for key in ("hostname", "ip") if entry.get(key)} for entry in given
        ]


def _flags(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`--name=value`, with the variables in it that Kubernetes fills in."""
    found = {}
    for argument in arguments:
        if argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            for variable, text in environment.items():
                value = value.replace(f"$({variable})", text)
            found[name] = value
    return found
