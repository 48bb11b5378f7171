"""Blob storage on the wire: one port for all accounts, the account first in the path."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web

from anyscale_k8s_cli.sandbox.azure import blob_cors
from anyscale_k8s_cli.sandbox.azure.blob_auth import Admission
from anyscale_k8s_cli.sandbox.azure.blob_operations import BlobOperations
from anyscale_k8s_cli.sandbox.azure.blob_request import BlobError, BlobRequest
from anyscale_k8s_cli.sandbox.azure.blob_store import BlobAccount
from anyscale_k8s_cli.sandbox.azure.resources import Resource
from anyscale_k8s_cli.sandbox.azure.storage import StorageAccounts
from anyscale_k8s_cli.sandbox.wire import AiohttpHandler, Operation, Refusal, Wire

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

SERVICE = "blob"
_LARGEST = 256 * 1024 * 1024
_REQUEST = web.RequestKey("blob", BlobRequest)


@dataclass(frozen=True)
class BlobEndpoint:
    """The data plane of all accounts of the subscription."""

    accounts: StorageAccounts
    admission: Admission
    clock: Callable[[], datetime]
    lock: threading.RLock

    def application(self, wire: Wire) -> web.Application:
        application = web.Application(
            middlewares=[self._finished, wire.middleware(self._classify, self._refuse)],
            client_max_size=_LARGEST,
        )
        application.router.add_route("*", "/{path:.*}", self.handle)
        return application

    async def handle(self, request: web.Request) -> web.Response:
        asked = request[_REQUEST]
        try:
            with self.lock:
                return self._answer(asked)
        except BlobError as error:
            return error.response(self.clock(), head=asked.method == "HEAD")

    def _answer(self, asked: BlobRequest) -> web.Response:
        account, data = self._account(asked)
        if asked.method == "OPTIONS":
            return _preflight(asked, data)
        caller = self.admission.admit(asked, account, data)
        return BlobOperations(self.admission, data)(asked, caller)

    def _account(self, asked: BlobRequest) -> tuple[Resource, BlobAccount]:
        """In life the name of an account that is not there does not even resolve."""
        found = self.accounts.ready(asked.account)
        if found is None:
            raise BlobError(
                404, "ResourceNotFound", f"There is no storage account {asked.account!r}."
            )
        return found

    async def _classify(self, request: web.Request) -> Operation:
        asked = BlobRequest(
            request.method,
            request.raw_path.partition("?")[0],
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            str(request.url.origin()),
        )
        request[_REQUEST] = asked
        with self.lock:
            caller = self.admission.caller(asked)
        return Operation(SERVICE, asked.name or "Unknown", asked.writes, caller, asked.resource)

    def _refuse(self, refusal: Refusal) -> web.Response:
        if refusal.status == 429:
            # What storage says when it is asked too often.
            message = "The server is busy."
            return BlobError(503, "ServerBusy", message).response(self.clock())
        return BlobError(refusal.status, refusal.code, refusal.message).response(self.clock())

    @property
    def _finished(self) -> Middleware:
        @web.middleware
        async def finished(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
            response = await handler(request)
            response.headers.setdefault("x-ms-request-id", str(uuid.uuid4()))
            response.headers["x-ms-version"] = request.headers.get("x-ms-version", "2021-12-02")
            self._add_cors(request, response)
            return response

        return finished

    def _add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        if origin is None or request.method == "OPTIONS" or _REQUEST not in request:
            return
        with self.lock:
            found = self.accounts.ready(request[_REQUEST].account)
        if found is None:
            return
        rule = blob_cors.matching_rule(found[1].cors, origin, request.method)
        if rule is not None:
            # The server itself adds these two at the end.
            names = [*response.headers, "Content-Length", "Date"]
            response.headers.update(blob_cors.response_headers(rule, origin, names))


def _preflight(asked: BlobRequest, data: BlobAccount) -> web.Response:
    """The answer to a browser that asks before it calls; nobody signs it."""
    origin, method = (
        asked.headers.get(name, "") for name in ("origin", "access-control-request-method")
    )
    if not origin or not method:
        raise BlobError(
            400,
            "InvalidHeaderValue",
            "A required CORS header is not present: Origin, Access-Control-Request-Method.",
        )
    headers = asked.headers.get("access-control-request-headers", "")
    rule = blob_cors.matching_rule(data.cors, origin, method, headers.split(","))
    if rule is None:
        raise BlobError(
            403,
            "CorsPreflightFailure",
            "CORS not enabled or no matching rule found for this request.",
        )
    return web.Response(headers=blob_cors.preflight_headers(rule, origin, method, headers))
