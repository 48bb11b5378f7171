"""Azure Resource Manager on the wire: who calls, what is asked, may they, and who answers."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.azure.arm_routes import Answer, ArmRequest, Needs, Route, Routes
from anyscale_k8s_cli.sandbox.azure.directory import Directory, Principal, for_management
from anyscale_k8s_cli.sandbox.azure.errors import (
    ArmError,
    bad_request,
    group_not_found,
    subscription_not_found,
)
from anyscale_k8s_cli.sandbox.azure.resources import GROUPS, Resources
from anyscale_k8s_cli.sandbox.azure.rights import Rights
from anyscale_k8s_cli.sandbox.azure.tokens import BadToken, ExpiredToken, ForeignAudience
from anyscale_k8s_cli.sandbox.wire import AiohttpHandler, Operation, Refusal, Wire

METADATA = "/metadata/endpoints"
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-alpha|-beta|-privatepreview)?")
_SCOPE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)(/resourceGroups/(?P<group>[^/]+))?", re.I
)
_TAKEN_APART = web.RequestKey("arm", tuple)


@dataclass(frozen=True)
class Arm:
    """The management endpoint. `metadata` tells where the whole cloud's endpoints are."""

    directory: Directory
    resources: Resources
    rights: Rights
    routes: Routes
    metadata: Callable[[], list[Mapping[str, Any]]]
    lock: threading.RLock

    def application(self, wire: Wire) -> web.Application:
        application = web.Application(
            middlewares=[_numbered, wire.middleware(self._classify, _refuse), _with_errors]
        )
        application.router.add_get(METADATA, self.endpoints)
        application.router.add_route("*", "/{path:.*}", self.handle)
        return application

    async def endpoints(self, request: web.Request) -> web.Response:
        """What clients of clouds other than the public one read first; for everybody."""
        _check_version(request.query)
        return web.json_response(self.metadata())

    async def handle(self, request: web.Request) -> web.Response:
        route, asked = request[_TAKEN_APART]
        with self.lock:
            answer = self._answer(request, route, asked)
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    def _answer(self, request: web.Request, route: Route | None, asked: ArmRequest) -> Answer:
        caller = self._authenticate(request)
        _check_version(asked.query)
        self._check_subscription(asked)
        if route is None:
            raise self._no_route(asked)
        if route.action and route.needs is Needs.AT_SCOPE:
            self.rights.check(caller, route.action, route.scope(asked.path))
        self._check_group(route, asked)
        answer = route.handler(replace(asked, caller=caller))
        if route.needs is Needs.IN_LIST:
            answer.body["value"] = [
                item for item in answer.body["value"] if self._readable(caller, item)
            ]
        return answer

    def _readable(self, caller: Principal, item: Mapping[str, Any]) -> bool:
        kind = str(item["type"]).replace(GROUPS, "Microsoft.Resources/subscriptions/resourceGroups")
        return self.rights.allowed(caller, f"{kind}/read", item["id"])

    def _no_route(self, asked: ArmRequest) -> ArmError:
        if self.routes.known(asked.path):
            return ArmError(
                405,
                "HttpMethodNotSupported",
                f"The http method '{asked.method}' is not supported for this resource.",
            )
        return ArmError(
            404,
            "InvalidResourceType",
            f"The resource type could not be found for the path '{asked.path}' in api version "
            f"'{asked.query.get('api-version')}'.",
        )

    def _authenticate(self, request: web.Request) -> Principal:
        header = request.headers.get("Authorization", "")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._unauthenticated(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        try:
            bearer = self.directory.tokens.verify(token.strip(), for_management)
        except ExpiredToken as over:
            raise self._unauthenticated(
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time '{over}' is earlier than current UTC time.",
            ) from over
        except ForeignAudience as foreign:
            raise self._unauthenticated(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{foreign}'. It should exactly match with one of the allowed audiences "
                "'https://management.core.windows.net/','https://management.core.windows.net',"
                "'https://management.azure.com/','https://management.azure.com'.",
            ) from foreign
        except BadToken as bad:
            raise self._unauthenticated(
                "InvalidAuthenticationToken", "The access token is invalid."
            ) from bad
        found = self.directory.find(bearer.object_id)
        if found is None:
            raise self._unauthenticated(
                "InvalidAuthenticationToken", "The received access token is not valid."
            )
        return found

    def _unauthenticated(self, code: str, message: str) -> ArmError:
        challenge = (
            f'Bearer authorization_uri="https://login.windows.net/{self.directory.tenant_id}", '
            f'error="invalid_token", error_description="{code}"'
        )
        return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})

    def _check_subscription(self, asked: ArmRequest) -> None:
        found = _SCOPE.match(asked.path)
        if found is not None and found["subscription"].lower() != self.resources.subscription_id:
            raise subscription_not_found(found["subscription"])

    def _check_group(self, route: Route, asked: ArmRequest) -> None:
        found = _SCOPE.match(asked.path)
        name = found["group"] if found is not None else None
        # The group itself answers for itself.
        if name and not route.path.endswith("{group}") and self.resources.group(name) is None:
            raise group_not_found(name)

    async def _classify(self, request: web.Request) -> Operation:
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode("utf-8", "replace")
        path = request.path.rstrip("/") or "/"
        found = self.routes.match(request.method, path)
        route, labels = found or (None, {})
        query = {key.lower(): value for key, value in request.query.items()}
        base = str(request.url.origin())
        request[_TAKEN_APART] = (
            route,
            ArmRequest(request.method, path, query, labels, body, base),
        )
        return Operation(
            service=route.service if route else "microsoft.resources",
            name=_name(route, path),
            write=route is not None and route.writes,
            principal=self._bearer(request),
            resource=path,
            body=body,
        )

    def _bearer(self, request: web.Request) -> str:
        """Who calls, for the record."""
        try:
            with self.lock:
                return self._authenticate(request).display_name
        except ArmError:
            return ""


def _name(route: Route | None, path: str) -> str:
    if path == METADATA:
        return "Metadata_GetEndpoints"
    return route.operation if route else "Unknown"


def _check_version(query: Mapping[str, str]) -> None:
    version = query.get("api-version", "")
    if not version:
        raise bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _API_VERSION.fullmatch(version):
        raise bad_request(
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. It must be a date in the form YYYY-MM-DD, "
            "with an optional '-preview'.",
        )


@web.middleware
async def _numbered(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    response = await handler(request)
    response.headers["x-ms-request-id"] = str(uuid.uuid4())
    response.headers["x-ms-correlation-request-id"] = str(uuid.uuid4())
    return response


@web.middleware
async def _with_errors(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ArmError as error:
        return web.json_response(error.body, status=error.status, headers=error.headers)


def _refuse(refusal: Refusal) -> web.Response:
    if refusal.status == 429:
        body = {"error": {"code": "TooManyRequests", "message": "The request is being throttled."}}
        return web.json_response(body, status=429, headers={"Retry-After": "1"})
    body = {"error": {"code": refusal.code, "message": refusal.message}}
    return web.json_response(body, status=refusal.status)
