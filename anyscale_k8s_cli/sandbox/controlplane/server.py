"""The server: one port on loopback, every call recorded, every answer with a trace id."""

from __future__ import annotations

import json
import logging
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from anyscale_k8s_cli.sandbox.controlplane import views
from anyscale_k8s_cli.sandbox.controlplane.accounts import Accounts, Seed
from anyscale_k8s_cli.sandbox.controlplane.api import Api, token_of
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour, Registry, Resource
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier, Operators
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused, envelope
from anyscale_k8s_cli.sandbox.controlplane.storage import Addresses, StorageSigner
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import AiohttpHandler, Operation, Refusal, Wire

SERVICE = "anyscale"
TRACE_HEADER = "x-trace-id"
_LOG = logging.getLogger(__name__)

# POSTs that only look something up, and what the cluster's own parts send: none
# of it changes what the organisation has.
_NO_WRITES = (
    "/find_by_name",
    "/find_cloud_resource_by_name",
    "/generate_cloud_data_bucket_presigned_url",
    "/get_lb_resource",
    "/kubernetes_manager/register",
    "/kubernetes_manager/report",
    "/kubernetes_manager/admission/{}",
)
_UNRECORDED = ("kubernetes_manager", "create_api_key", "otp_token")
_SECRET_FIELDS = ("credentials",)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class ControlPlaneStandIn:
    """Anyscale's control plane for one organisation.

    `token` is the seed user's and never ends. `verifiers`, by provider, know the
    clouds' identities and `signers`, by scheme, sign addresses in buckets; what
    has none cannot register, or be addressed. They may use `http`. `trusted` is
    its TLS context. With an `authority` the server speaks TLS.
    """

    wire: Wire
    token: str
    seed: Seed = field(default_factory=Seed)
    behaviour: Behaviour = field(default_factory=Behaviour)
    verifiers: dict[str, IdentityVerifier] = field(default_factory=dict)
    signers: dict[str, StorageSigner] = field(default_factory=dict)
    authority: Authority | None = None
    trusted: ssl.SSLContext | None = None
    login_polls: int = 1
    clock: Callable[[], datetime] = _utc_now
    url: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.seed, self.clock, self.login_polls)
        self.accounts.grant(self.token, self.seed.user_id, seconds=None, name="seed")
        self.registry = Registry(self.clock, self.behaviour)
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1; `url` is set then."""
        connector = aiohttp.TCPConnector(ssl=self.trusted) if self.trusted else None
        self._http = aiohttp.ClientSession(connector=connector)
        self._runner = web.AppRunner(self._application(), access_log=None)
        await self._runner.setup()
        context = self.authority.server_context() if self.authority else None
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    def set_active_workloads(self, resource_id: str, count: int) -> None:
        """How many Ray clusters the operator of a resource is told to run."""
        self._resource(resource_id).operator.wanted_workloads = count

    def snapshot(self) -> dict[str, Any]:
        """What exists, without secrets, in a form that two moments can be compared by."""
        now = self.clock()
        clouds = []
        for cloud in self.registry.clouds():
            shown = views.cloud(cloud, now)
            shown["resources"] = [
                views.resource(item, self.behaviour, now) for item in cloud.resources
            ]
            clouds.append({key: shown[key] for key in shown if key not in _SECRET_FIELDS})
        accounts = [views.service_account(a, self.seed) for a in self.accounts.service_accounts()]
        keys = [key.as_json() for key in self.accounts.keys.values()]
        return {"clouds": clouds, "service_accounts": accounts, "api_keys": keys}

    def _resource(self, resource_id: str) -> Resource:
        found = self.registry.resource(resource_id)
        if found is None:
            raise KeyError(resource_id)
        return found[1]

    def _application(self) -> web.Application:
        api = Api(
            self.accounts,
            self.registry,
            Operators(self.registry, self.accounts, self.verifiers),
            Addresses(self.seed.organization_id, self.signers),
        )
        application = web.Application(
            middlewares=[_traced, self.wire.middleware(self._classify, _render), _enveloped]
        )
        application.add_routes(api.routes())
        return application

    def http(self) -> aiohttp.ClientSession:
        """The client session; it lives as long as the stand-in."""
        if self._http is None:
            raise RuntimeError("the stand-in has not started")
        return self._http

    async def _classify(self, request: web.Request) -> Operation:
        route = request.match_info.route.resource
        path = _with_holes(route.canonical) if route is not None else request.path
        body = None if _holds_secrets(path) else _without_secrets(await request.read())
        parts = [value for key, value in request.match_info.items() if key != "otp"]
        named = request.query.get("cloud_resource_name") or request.query.get("name")
        if isinstance(body, dict):
            named = named or body.get("name")
        return Operation(
            service=SERVICE,
            name=f"{request.method} {path}",
            write=request.method != "GET" and not path.endswith(_NO_WRITES),
            principal=self._principal(request),
            resource="/".join([*parts, str(named)] if named else parts),
            body=body,
        )

    def _principal(self, request: web.Request) -> str:
        if "/kubernetes_manager/" in request.path:
            return "operator"
        try:
            return self.accounts.admit(token_of(request)).email
        except Refused:
            return ""


@web.middleware
async def _traced(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    response = await handler(request)
    response.headers[TRACE_HEADER] = secrets.token_hex(16)
    return response


@web.middleware
async def _enveloped(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return refused.as_response()
    except web.HTTPException as answer:
        return envelope(answer.status, answer.reason)
    except Exception:  # noqa: BLE001 - a server answers, whatever broke
        _LOG.exception("the stand-in itself failed at %s %s", request.method, request.path)
        return envelope(500, "Internal server error")


def _render(refusal: Refusal) -> web.Response:
    return envelope(refusal.status, refusal.message)


def _with_holes(canonical: str) -> str:
    """A route's path with `{}` for each variable part."""
    return "/".join("{}" if part.startswith("{") else part for part in canonical.split("/"))


def _holds_secrets(path: str) -> bool:
    return any(part in path for part in _UNRECORDED)


def _without_secrets(raw: bytes) -> Any:
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        return None
    if isinstance(body, dict):
        return {key: value for key, value in body.items() if key not in _SECRET_FIELDS}
    return body
