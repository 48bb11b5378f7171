"""ingress-nginx: what the image `…/ingress-nginx/controller` does, as far as the API shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.api import PodApi
from anyscale_k8s_cli.sandbox.workloads.controller import Controller

Object = dict[str, Any]

_IMAGE = "ingress-nginx/controller"
_NETWORKING = "/apis/networking.k8s.io/v1"
_OLD_CLASS = "kubernetes.io/ingress.class"
_SNIPPET = re.compile(r"nginx\.ingress\.kubernetes\.io/.*-snippet")


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


class _Controller(Controller):
    """Gives each Ingress of its class the address of its own Service."""

    def __init__(self, pod: Pod, api: PodApi, flags: Mapping[str, str]) -> None:
        super().__init__(pod, api)
        self._flags = flags
        place = flags.get("watch-namespace")
        own = f"/api/v1/namespaces/{pod.namespace}"
        scope = f"/namespaces/{place}" if place else ""
        self._classes = self._informer(f"{_NETWORKING}/ingressclasses")
        self._ingresses = self._informer(f"{_NETWORKING}{scope}/ingresses")
        self._services = self._informer(f"{own}/services")
        self._config = self._informer(f"{own}/configmaps")

    async def round(self) -> None:
        for ingress in self._ingresses:
            if self._is_ours(ingress) and "deletionTimestamp" not in ingress["metadata"]:
                await self._serve(ingress)

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
