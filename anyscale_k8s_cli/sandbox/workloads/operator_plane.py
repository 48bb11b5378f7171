"""The control plane as the operator talks to it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

_MANAGER = "/api/v2/kubernetes_manager"


@dataclass(eq=False)
class PlaneRefused(Exception):
    """The control plane said no; `status` 0 means it did not answer."""

    status: int
    detail: str

    def __str__(self) -> str:
        return self.detail if self.status else f"no answer from the control plane: {self.detail}"


@dataclass(frozen=True)
class OperatorPlane:
    """`url` as the chart's values give it."""

    http: aiohttp.ClientSession
    url: str

    async def register(self, message: dict[str, Any]) -> dict[str, Any]:
        encoded = base64.b64encode(json.dumps(message).encode()).decode()
        answer = await self._post(f"{_MANAGER}/register", {"message_base64": encoded})
        return dict(answer["result"])

    async def report(self, session: str, report: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {session}"}
        answer = await self._post(f"{_MANAGER}/report", report, headers)
        return dict(answer["result"])

    async def admission(self, resource_id: str, review: Any) -> dict[str, Any]:
        answer = await self._post(f"{_MANAGER}/admission/{resource_id}", review)
        return dict(answer["response"])

    async def _post(
        self, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            async with self.http.post(self.url + path, json=body, headers=headers) as answer:
                content = await answer.json(content_type=None)
        except (aiohttp.ClientError, ValueError) as failure:
            raise PlaneRefused(0, str(failure)) from failure
        if answer.status >= 400:
            error = content.get("error", {}) if isinstance(content, dict) else {}
            raise PlaneRefused(answer.status, str(error.get("message") or error.get("detail", "")))
        return dict(content)
