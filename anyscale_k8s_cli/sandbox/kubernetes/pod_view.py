"""A pod as a workload sees it from inside."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.authentication import ServiceAccountTokens
from anyscale_k8s_cli.sandbox.kubernetes.cluster_events import record_event
from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import Pulls
from anyscale_k8s_cli.sandbox.kubernetes.logs import ContainerLog, Logs
from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.pod_environment import (
    container_named,
    environment,
    mounted_file,
    mounted_files,
    mounted_tokens,
    token_at,
    token_audiences,
)
from anyscale_k8s_cli.sandbox.kubernetes.ports import Answer, Ports
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Workload
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

KUBELET = "kubelet"

# Seconds for which a token is shown before there is a new one; it would be good for longer.
_SHOWN = 60.0

SetReady = Callable[[bool, str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every pod of the cluster shares."""

    store: Store
    accounts: ServiceAccountTokens
    logs: Logs
    ports: Ports
    workloads: Sequence[Workload]
    pace: float
    api_url: Callable[[], str]
    pulls: Pulls

    def workload_for(self, image: str) -> Workload | None:
        return next((w for w in self.workloads if w.matches(image)), None)


class PodView:
    """Implements :class:`runtime.Pod` for one run of one container."""

    def __init__(
        self,
        around: Surroundings,
        pod: Object,
        container: str,
        logs: Mapping[str, ContainerLog],
        set_ready: SetReady,
    ) -> None:
        self._store = around.store
        self._accounts = around.accounts
        self._ports = around.ports
        self._api_url = around.api_url()
        self._pod = pod
        self._container = container
        self._logs = logs
        self._set_ready = set_ready
        self._tokens: dict[tuple[str, str | None], tuple[float, str]] = {}

    @property
    def namespace(self) -> str:
        return namespace_of(self._pod)

    @property
    def name(self) -> str:
        return name_of(self._pod)

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self._store.find("pods", self.namespace, self.name) or self._pod

    @property
    def node(self) -> Mapping[str, Any]:
        return self._store.find("nodes", "", str(self.manifest["spec"].get("nodeName"))) or {}

    @property
    def api_url(self) -> str:
        return self._api_url

    def environment(self, container: str) -> dict[str, str]:
        return environment(self._store, dict(self.manifest), container)

    def file(self, path: str) -> str:
        return mounted_file(self._store, dict(self.manifest), self._container, path)

    def mounts(self, container: str) -> list[str]:
        spec = container_named(dict(self.manifest), container)
        return [str(mount["mountPath"]) for mount in spec.get("volumeMounts") or ()]

    async def files(self, container: str) -> dict[str, str]:
        pod = dict(self.manifest)
        found = mounted_files(self._store, pod, container)
        tokens = mounted_tokens(pod, container)
        return found | {path: await self.token(audience) for path, audience in tokens.items()}

    async def own_token(self) -> str:
        account = self.manifest["spec"]["serviceAccountName"]
        found = self._store.get("serviceaccounts", self.namespace, account)
        return self._issued(found)

    async def token(self, audience: str | None = None) -> str:
        pod = dict(self.manifest)
        spec = pod["spec"]
        account = self._store.get("serviceaccounts", self.namespace, spec["serviceAccountName"])
        if audience is None:
            default = account.get("automountServiceAccountToken", True)
            if not spec.get("automountServiceAccountToken", default):
                raise LookupError("the pod mounts no service-account token")
            return self._issued(account)
        if audience not in token_audiences(pod):
            raise LookupError(f"no token for audience {audience!r} is projected into the pod")
        return self._issued(account, audience)

    def _issued(self, account: Object, audience: str | None = None) -> str:
        """As a kubelet does it: one token for a while, and another for another account."""
        key, now = (account["metadata"]["uid"], audience), time.monotonic()
        end, token = self._tokens.get(key, (now, ""))
        if end <= now:
            audiences = [audience] if audience else []
            token, _ = self._accounts.issue(account, audiences=audiences, pod=dict(self.manifest))
            self._tokens[key] = now + _SHOWN, token
        return token

    async def token_file(self, path: str) -> str:
        return await self.token(token_at(dict(self.manifest), self._container, path))

    def log(self, line: str, *, container: str | None = None) -> None:
        log = self._logs.get(container or self._container)
        if log is None:
            raise LookupError(f"container {container!r} is not running")
        log.append(line)

    def serve(self, port: int, answer: Answer) -> None:
        self._ports.open(self._pod["metadata"]["uid"], port, answer)

    async def set_ready(self, ready: bool, *, reason: str = "", message: str = "") -> None:
        await self._set_ready(ready, reason, message)

    async def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        pod = dict(self.manifest)
        record_event(self._store, pod, reason, message, component=KUBELET, warning=warning)
