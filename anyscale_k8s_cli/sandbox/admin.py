"""The sandbox's own interface: look at what happened, inject faults, change the world.

On loopback, for whoever has the sandbox's admin token.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from anyscale_k8s_cli.sandbox.stage import NotInThisWorld, Stage
from anyscale_k8s_cli.sandbox.switches import NothingToSwitch, Switches
from anyscale_k8s_cli.sandbox.wire import AiohttpHandler, FaultRule

_RULE = TypeAdapter(FaultRule)
_SHUTDOWN = 0.2


class AdminServer:
    """Serves the interface of one stage; `shutdown` is called when somebody asks for the end."""

    def __init__(self, stage: Stage, status: dict[str, Any], shutdown: Callable[[], None]) -> None:
        self.token = secrets.token_urlsafe(32)
        self.url = ""
        self._stage = stage
        self._status = status
        self._shutdown = shutdown
        self._switches = Switches(stage)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[self._admit, _explain])
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/status", self._show_status),
            web.get("/calls", self._show_calls),
            web.get("/calls/last", self._show_last_call),
            web.get("/faults", self._show_faults),
            web.post("/faults", self._inject),
            web.delete("/faults", self._clear_faults),
            web.get("/snapshot", self._show_snapshot),
            web.get("/world/outsider", self._show_outsider),
            web.post("/world/break/{name}", self._break),
            web.post("/world/mend/{name}", self._mend),
            web.post("/world/active-workloads", self._active_workloads),
            web.post("/world/kubernetes/cluster-deleted", self._delete_cluster),
            web.post("/world/expire-sessions", self._expire_sessions),
            web.post("/world/admin-policies", self._admin_policies),
            web.post("/world/admin-roles", self._admin_roles),
            web.post("/world/admin-permissions", self._admin_permissions),
            web.post("/world/bucket-being-deleted", self._bucket_being_deleted),
            web.post("/shutdown", self._end),
        ]

    @property
    def _admit(self) -> Any:
        expected = f"Bearer {self.token}".encode()

        @web.middleware
        async def admit(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
            given = request.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, expected):
                return _refusal(401, "the sandbox's admin token is missing or wrong")
            return await handler(request)

        return admit

    async def _show_status(self, _: web.Request) -> web.Response:
        return web.json_response({**self._status, "addresses": self._stage.addresses()})

    async def _show_calls(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        writes_only = request.query.get("writes_only") in ("1", "true")
        calls = self._stage.wire.calls(after=after, writes_only=writes_only)
        return _json({"calls": [call.as_json() for call in calls]})

    async def _show_last_call(self, _: web.Request) -> web.Response:
        return _json({"number": self._stage.wire.last_call})

    async def _show_faults(self, _: web.Request) -> web.Response:
        return _json({"faults": [asdict(rule) for rule in self._stage.wire.rules]})

    async def _inject(self, request: web.Request) -> web.Response:
        rule = _RULE.validate_python(await _fields(request))
        self._stage.wire.inject(rule)
        return _json({"fault": asdict(rule)})

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self._stage.wire.clear_faults()
        return _json({"faults": []})

    async def _show_snapshot(self, _: web.Request) -> web.Response:
        return _json(await self._stage.snapshot())

    async def _show_outsider(self, request: web.Request) -> web.Response:
        azure = request.query.get("platform") == "aks"
        platform = self._stage.aks if azure else self._stage.eks
        return _json({"environment": platform.outsider()})

    async def _break(self, request: web.Request) -> web.Response:
        changed = self._switches.break_(request.match_info["name"], await _fields(request))
        return _changed(changed)

    async def _mend(self, request: web.Request) -> web.Response:
        changed = self._switches.mend(request.match_info["name"], await _fields(request))
        return _changed(changed)

    async def _active_workloads(self, request: web.Request) -> web.Response:
        return _changed(self._switches.active_workloads(await _fields(request)))

    async def _delete_cluster(self, request: web.Request) -> web.Response:
        return _changed(await self._switches.delete_cluster(await _fields(request)))

    async def _expire_sessions(self, _: web.Request) -> web.Response:
        return _changed(self._switches.expire_sessions())

    async def _admin_policies(self, request: web.Request) -> web.Response:
        return _changed(self._switches.admin_policies(await _fields(request)))

    async def _admin_permissions(self, request: web.Request) -> web.Response:
        return _changed(self._switches.admin_permissions(await _fields(request)))

    async def _admin_roles(self, request: web.Request) -> web.Response:
        return _changed(self._switches.admin_roles(await _fields(request)))

    async def _bucket_being_deleted(self, request: web.Request) -> web.Response:
        return _changed(self._switches.bucket_being_deleted(await _fields(request)))

    async def _end(self, _: web.Request) -> web.Response:
        self._shutdown()
        return _json({"ending": True})


@web.middleware
async def _explain(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (NothingToSwitch, NotInThisWorld) as nothing:
        return _refusal(409, str(nothing))
    except ValidationError as problem:
        return _refusal(400, str(problem))
    except KeyError as missing:
        return _refusal(400, f"the field {missing} is missing")
    except ValueError as problem:
        return _refusal(400, str(problem))


async def _fields(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty one. Raises ValueError."""
    text = await request.text()
    found = json.loads(text) if text else {}
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def _json(document: dict[str, Any]) -> web.Response:
    # Times of the stand-ins' own objects are the one thing that JSON lacks.
    return web.json_response(text=json.dumps(document, default=str))


def _changed(what: list[str]) -> web.Response:
    return _json({"changed": what})


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
