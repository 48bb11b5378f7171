"""The API server as a program in a pod reaches it: own token, TLS, RBAC."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority

Object = dict[str, Any]

# Seconds before a watch that cannot be opened (no such API yet, no permission) is tried again.
_RETRY = 0.5
_GONE = 410


class ApiFailure(Exception):
    """The API server's answer to a request that it did not carry out."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class PodApi:
    """A client for the lifetime of one container; use it as an async context manager.

    It speaks as the pod's service account, unless `token` makes it somebody else.
    """

    def __init__(self, pod: Pod, authority: Authority, token: str = "") -> None:
        self._pod = pod
        self._token = token
        self._trust = authority.client_context()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._trust, limit=0)
        self._session = aiohttp.ClientSession(
            self._pod.api_url, connector=connector, timeout=aiohttp.ClientTimeout(total=None)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def find(self, path: str) -> Object | None:
        """An object, or None where there is none."""
        try:
            return await self.request("GET", path)
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise

    async def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Object:
        """One call; raises `ApiFailure` for any answer but success."""
        async with self._send(method, path, body, content_type) as response:
            answer: Object = await response.json()
            if response.status >= 400:
                raise ApiFailure(
                    response.status, answer.get("reason", ""), answer.get("message", "")
                )
            return answer

    async def apply(self, path: str, body: Object, manager: str) -> Object:
        """Server-side apply, winning conflicts."""
        query = f"?fieldManager={manager}&force=true"
        return await self.request("PATCH", path + query, body, "application/apply-patch+yaml")

    async def merge(self, path: str, body: Object) -> Object:
        """A JSON merge patch: None removes a field."""
        return await self.request("PATCH", path, body, "application/merge-patch+json")

    async def delete(self, path: str) -> None:
        """Ask for a deletion; absent is done."""
        try:
            await self.request("DELETE", path)
        except ApiFailure as failure:
            if failure.status != 404:
                raise

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        """Changes since a resource version, until the server ends the watch."""
        join = "&" if "?" in path else "?"
        url = f"{path}{join}watch=true&resourceVersion={version}&allowWatchBookmarks=true"
        async with self._send("GET", url, None, "") as response:
            if response.status >= 400:
                raise ApiFailure(response.status, "", await response.text())
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiFailure(status.get("code", 0), status.get("reason", ""), str(status))
                yield event["type"], event["object"]

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, body: Any, content_type: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request with a fresh token: projected ones are renewed, too."""
        if self._session is None:
            raise RuntimeError("used outside of its context")
        headers = {"Authorization": f"Bearer {self._token or await self._pod.token()}"}
        if body is not None:
            headers["Content-Type"] = content_type
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers=headers) as response:
            yield response


class Informer:
    """The objects under a collection's path, kept up to date by a watch.

    `changed` is called after every change. `run` ends only by cancellation: while
    the collection cannot be read it is empty, and is tried again.
    """

    def __init__(self, api: PodApi, path: str, changed: Callable[[], None]) -> None:
        self.path = path
        self._api = api
        self._changed = changed
        self._objects: dict[tuple[str, str], Object] = {}
        self.synced = asyncio.Event()
        self.failure = ""

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def find(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except (ApiFailure, aiohttp.ClientError, TimeoutError) as failure:
                if isinstance(failure, ApiFailure) and failure.status == _GONE:
                    continue
                self.failure = str(failure)
                self.synced.set()
                await asyncio.sleep(_RETRY)

    async def _follow(self) -> None:
        listed = await self._api.request("GET", self.path)
        self._objects = {_key(item): item for item in listed["items"]}
        self.failure = ""
        self.synced.set()
        self._changed()
        version = listed["metadata"]["resourceVersion"]
        async for kind, item in self._api.watch(self.path, version):
            if kind == "DELETED":
                self._objects.pop(_key(item), None)
            elif kind in ("ADDED", "MODIFIED"):
                self._objects[_key(item)] = item
            else:
                continue
            self._changed()


def _key(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
