"""The HTTP server: one port on loopback, one prefix for each service.

Reading a request waits for the network; what follows touches the world and does
not wait, under one lock, so that snapshots can be taken from any thread.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.google.api import NOBODY, Call, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, OAuthError
from anyscale_k8s_cli.sandbox.google.project import Project, check_scopes
from anyscale_k8s_cli.sandbox.google.tokens import Caller
from anyscale_k8s_cli.sandbox.wire import Operation, Refusal, Wire

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LARGEST_BODY = 64 * 1024 * 1024
# Every path has it, and it is always the same.
_PROJECT = "project"
_STATUS_CODES = {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}


@dataclass
class Front:
    """`url` is where the server listens, known once it does."""

    project: Project
    services: Sequence[Service]
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _methods: dict[Any, tuple[Service, Method]] = field(default_factory=dict)

    def application(self, wire: Wire) -> web.Application:
        application = web.Application(
            client_max_size=_LARGEST_BODY,
            middlewares=[wire.middleware(self._classify, _refused)],
        )
        for service in self.services:
            for method in service.methods:
                handler = self._handler(service, method)
                path = f"/{service.name}{method.path}"
                self._methods[handler] = (service, method)
                application.router.add_route(method.http_method, path, handler)
        application.router.add_route("*", "/{path:.*}", _unknown)
        return application

    def base(self, service: str) -> str:
        """The address of a service here."""
        return f"{self.url}/{service}"

    def _handler(self, service: Service, method: Method) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            with self.lock:
                return self._answer(request, service, method, body)

        return handle

    def _answer(
        self, request: web.Request, service: Service, method: Method, body: bytes
    ) -> web.Response:
        try:
            call = Call(
                request.method,
                request.path,
                dict(request.match_info),
                request.query,
                request.headers,
                body,
                self.base(service.name),
                self._admitted(request, service, method),
            )
            return _response(method.handle(call))
        except GoogleError as refused:
            return web.json_response(
                refused.as_json(old_form=service.old_form), status=refused.status
            )
        except OAuthError as refused:
            return web.json_response(refused.as_json(), status=refused.status)

    def _admitted(self, request: web.Request, service: Service, method: Method) -> Caller:
        """The caller, once token, service and scopes are in order."""
        header = request.headers.get("Authorization")
        caller = NOBODY if method.open else self.project.authenticate(header, service.host)
        if not service.always_enabled:
            self.project.check_enabled(service.name)
        if not method.open:
            check_scopes(caller, method.scopes, service.host)
        return caller

    async def _classify(self, request: web.Request) -> Operation:
        found = self._methods.get(request.match_info.handler)
        if found is None:
            return Operation("google", f"{request.method} {request.path}", write=False)
        service, method = found
        token = request.headers.get("Authorization", "").partition(" ")[2]
        with self.lock:
            caller = self.project.caller(token, service.host) if token else None
        body = None if method.secret else _parsed(await request.read())
        return Operation(
            service=service.name,
            name=method.name,
            write=method.write,
            principal=caller.email if caller else "",
            resource=_subject(request, body),
            body=body,
        )


def _response(reply: Reply) -> web.Response:
    if isinstance(reply.body, bytes):
        return web.Response(body=reply.body, status=reply.status, headers=reply.headers)
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    return web.json_response(reply.body, status=reply.status, headers=reply.headers)


def _subject(request: web.Request, body: Any) -> str:
    """What the request is about: the parts of its path, or the name in its body."""
    parts = [value for name, value in request.match_info.items() if name != _PROJECT]
    if isinstance(body, dict) and request.method == "POST" and not parts:
        named = body.get("name") or body.get("accountId")
        parts += [str(named)] if named else []
    return "/".join(parts)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


async def _unknown(request: web.Request) -> web.StreamResponse:
    error = GoogleError("NOT_FOUND", f"The sandbox's Google serves no {request.path}.")
    return web.json_response(error.as_json(), status=error.status)


def _refused(refusal: Refusal) -> web.Response:
    """An injected fault in Google's words."""
    code = _STATUS_CODES.get(refusal.status, refusal.code)
    message = refusal.message
    if refusal.code == "Throttling":
        message = "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'."
    error = GoogleError(code, message, status=refusal.status)
    return web.json_response(error.as_json(), status=refusal.status)
