"""The Kubernetes API as a container uses it, with its service account's own token."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod

Object = dict[str, Any]


@dataclass(eq=False)
class ApiRefused(Exception):
    """The API server said no; `status` 0 means it did not answer."""

    status: int
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class PodApi:
    """Calls as the pod's service account; what it may do is decided by RBAC alone."""

    pod: Pod
    http: aiohttp.ClientSession
    trusted: ssl.SSLContext

    async def get(self, path: str, **query: str) -> Object:
        return await self._call("GET", path, query=query)

    async def find(self, path: str) -> Object | None:
        """None for 404 only."""
        try:
            return await self.get(path)
        except ApiRefused as refused:
            if refused.status == 404:
                return None
            raise

    async def items(self, path: str, selector: str) -> list[Object]:
        """Objects by label; none where the API has no such kind."""
        try:
            return list((await self.get(path, labelSelector=selector))["items"])
        except ApiRefused as refused:
            if refused.status == 404:
                return []
            raise

    async def create(self, path: str, manifest: Object) -> None:
        """Made already is success."""
        try:
            await self._call("POST", path, body=manifest)
        except ApiRefused as refused:
            if refused.status != 409:
                raise

    async def delete(self, path: str) -> None:
        """Gone already is success."""
        try:
            await self._call("DELETE", path)
        except ApiRefused as refused:
            if refused.status != 404:
                raise

    async def may(self, verb: str, group: str, resource: str) -> bool:
        """Whether RBAC lets the service account do this in the pod's namespace."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {
                "resourceAttributes": {
                    "namespace": self.pod.namespace,
                    "verb": verb,
                    "group": group,
                    "resource": resource,
                }
            },
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool((await self._call("POST", path, body=review))["status"]["allowed"])

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        headers = {"Authorization": f"Bearer {await self.pod.token()}"}
        try:
            async with self.http.request(
                method,
                self.pod.api_url + path,
                params=query,
                json=body,
                headers=headers,
                ssl=self.trusted,
            ) as answer:
                content: Object = await answer.json()
        except aiohttp.ClientError as failure:
            raise ApiRefused(0, f"no answer from the Kubernetes API: {failure}") from failure
        if answer.status >= 400:
            raise ApiRefused(answer.status, str(content.get("message", answer.status)))
        return content
