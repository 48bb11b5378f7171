"""The HTTP side: who asks, whether they may, and what answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes import discovery, errors, openapi
from anyscale_k8s_cli.sandbox.kubernetes.authentication import (
    Authentication,
    ServiceAccountTokens,
    certified,
)
from anyscale_k8s_cli.sandbox.kubernetes.authorization import Attributes, Authorizer
from anyscale_k8s_cli.sandbox.kubernetes.endpoints import APPLY, Endpoints
from anyscale_k8s_cli.sandbox.kubernetes.requests import (
    Target,
    attributes_of,
    classify,
    parse_path,
    read_body,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.users import ANONYMOUS, User, authenticated
from anyscale_k8s_cli.sandbox.wire import AiohttpHandler, Operation, Refusal, Wire

_log = logging.getLogger(__name__)
_MAX_BODY = 8 * 1024 * 1024
_HEALTH = {"healthz", "livez", "readyz"}
# What the real server shows to anybody.
_PUBLIC = _HEALTH | {"version", "openid", ".well-known"}

# Where the parsed request is kept while it is handled.
_TARGET = web.RequestKey("target", Target)
_USER = web.RequestKey("user", User)
_BODY = web.RequestKey("body", object)
_PROBLEM = web.RequestKey("problem", errors.ApiError)


class ApiServer:
    """An aiohttp application that is a Kubernetes API server."""

    def __init__(
        self,
        store: Store,
        authentication: Authentication,
        authorizer: Authorizer,
        *,
        accounts: ServiceAccountTokens,
        endpoints: Endpoints,
        version: str,
    ) -> None:
        self._store = store
        self._authentication = authentication
        self._authorizer = authorizer
        self._accounts = accounts
        self._endpoints = endpoints
        self._version = version

    def application(self, wire: Wire) -> web.Application:
        recorder = wire.middleware(self._classify, _refuse)
        application = web.Application(client_max_size=_MAX_BODY, middlewares=[recorder, _render])
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def _classify(self, request: web.Request) -> Operation:
        """Read the request once; what is wrong with it is told when it is handled."""
        target = parse_path(request.path, self._store.registry)
        request[_TARGET], request[_USER], request[_BODY] = target, ANONYMOUS, {}
        try:
            request[_USER] = await self._caller(request, target)
            request[_BODY] = await read_body(request)
        except errors.ApiError as problem:
            request[_PROBLEM] = problem
        return classify(request, target, request[_BODY], request[_USER].name)

    async def _caller(self, request: web.Request, target: Target) -> User:
        user = certified(request.get_extra_info("peercert"))
        if user is None:
            header = request.headers.get("Authorization", "")
            user = await self._authentication.by_header(header)
        if user is ANONYMOUS and target.path[:1] not in {(name,) for name in _PUBLIC}:
            raise errors.unauthorized()
        wanted = request.headers.get("Impersonate-User")
        return self._impersonated(request, user, wanted) if wanted else user

    def _impersonated(self, request: web.Request, user: User, wanted: str) -> User:
        groups = tuple(request.headers.getall("Impersonate-Group", []))
        self._authorizer.check(user, Attributes("impersonate", "", "users", name=wanted))
        for group in groups:
            self._authorizer.check(user, Attributes("impersonate", "", "groups", name=group))
        return authenticated(User(wanted, groups))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if _PROBLEM in request:
            raise request[_PROBLEM]
        target, user = request[_TARGET], request[_USER]
        if target.path[:1] not in {(name,) for name in _PUBLIC}:
            self._authorize(request, target, user)
        if target.is_object_path:
            return await self._endpoints.serve(request, target, request[_BODY], user)
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return self._document(request, target.path)

    def _authorize(self, request: web.Request, target: Target, user: User) -> None:
        wanted = attributes_of(request, target)
        self._authorizer.check(user, wanted)
        if request.content_type != APPLY or target.resource is None:
            return
        if self._store.find(target.resource, target.namespace, target.name) is None:
            # Applying what is not there makes it, for which another right is needed.
            self._authorizer.check(user, replace(wanted, verb="create"))

    def _document(self, request: web.Request, path: tuple[str, ...]) -> web.Response:
        """What is not about objects: health, version, discovery, schemas, signing keys."""
        if path[:1] and path[0] in _HEALTH:
            return web.Response(text="ok")
        if path[:1] in (("api",), ("apis",)):
            accept = request.headers.get("Accept", "")
            return discovery.answer(self._store.registry, list(path), accept)
        return web.json_response(self._plain_document(path))

    def _plain_document(self, path: tuple[str, ...]) -> Object:
        registry = self._store.registry
        documents: dict[tuple[str, ...], Callable[[], Object]] = {
            (): lambda: {"paths": ["/api", "/apis", "/openapi/v3", "/version"]},
            ("version",): lambda: _version(self._version),
            (".well-known", "openid-configuration"): self._accounts.configuration,
            ("openid", "v1", "jwks"): self._accounts.issuer_keys,
            ("openapi", "v3"): lambda: openapi.index(registry),
        }
        if path in documents:
            return documents[path]()
        if path[:2] == ("openapi", "v3"):
            return openapi.document(registry, "/".join(path[2:]))
        raise errors.no_such_endpoint()


def _version(version: str) -> Object:
    major, minor = version.split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0-standin",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    }


def _status(problem: errors.ApiError) -> web.Response:
    return web.json_response(problem.body(), status=problem.status)


_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def _refuse(refusal: Refusal) -> web.Response:
    """An injected fault as the API server would put it."""
    reason = _REASONS.get(refusal.status, refusal.code)
    return _status(errors.ApiError(refusal.status, reason, refusal.message))


@web.middleware
async def _render(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.ApiError as problem:
        return _status(problem)
    except (web.HTTPException, ConnectionError):
        raise
    except Exception as defect:  # noqa: BLE001 (a defect must not look like a broken network)
        # The stand-in's own fault: told in the log, and to the client in the API's form.
        _log.exception("%s %s failed", request.method, request.path)
        return _status(errors.ApiError(500, "InternalError", f"Internal error: {defect!r}"))
