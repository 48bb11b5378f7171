"""CoreWeave's API as the supervisor holds it: start, stop, and how clients find it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.coreweave.federation import IssuerKeys
from anyscale_k8s_cli.sandbox.coreweave.organisation import (
    AccessKey,
    Organisation,
    shown,
    written,
)
from anyscale_k8s_cli.sandbox.coreweave.refusals import Refused, invalid
from anyscale_k8s_cli.sandbox.coreweave.seed import ORGANISATION, ClusterSeed
from anyscale_k8s_cli.sandbox.wire import Operation, Refusal, Wire

_HOST = "127.0.0.1"
SERVICE = "coreweave"
_EXCHANGE = "CreateAccessKeyFromContainerCreds"
_CAN_I = "cwobject:AuthCanI"
_BEARER = "Bearer "
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request with who makes it. `name` is what stands at the end of its path.

    Where a call is open to all, `user` is empty and `token` what was shown.
    """

    user: str
    name: str
    body: Json
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Route:
    """`right` is what its caller must have; an `open` call sees to that by itself."""

    method: str
    path: re.Pattern[str]
    right: str
    answer: Callable[[Asked], Json]
    open: bool = False

    @property
    def write(self) -> bool:
        return self.method != "GET" and self.right != _CAN_I


class CoreWeaveStandIn:
    """Serves the API on loopback, plain HTTP, until stopped."""

    def __init__(
        self,
        wire: Wire,
        organisation: Organisation,
        clusters: Sequence[ClusterSeed] = (),
        issuer_keys: IssuerKeys = lambda _: None,
    ) -> None:
        self._issuer_keys = issuer_keys
        self.organisation = organisation
        self.clusters = {seed.name: seed for seed in clusters}
        self._endpoints: dict[str, str] = {}
        self._wire = wire
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._routes = self._made_routes()

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    async def start(self) -> None:
        """Listen on a free port; returns once it answers."""
        application = web.Application(middlewares=[self._wire.middleware(self._classify, _faulty)])
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        self._port = int(self._runner.addresses[-1][1])

    async def stop(self) -> None:
        """Stop listening; repeated calls do nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def set_endpoint(self, cluster: str, endpoint: str) -> None:
        """Tell where the cluster's API server listens."""
        self._endpoints[cluster] = endpoint

    def delete_cluster(self, cluster: str) -> None:
        """Remove the cluster as its owner would."""
        del self.clusters[cluster]

    # -- requests ------------------------------------------------------------------------

    async def _classify(self, request: web.Request) -> Operation:
        route, name = self._route(request)
        known = self.organisation.tokens.get(_token(request), "")
        what = route.right if route else f"{request.method} {request.path}"
        write = route.write if route else request.method != "GET"
        return Operation(SERVICE, what, write, known, name)

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            route, name = self._route(request)
            if route is not None and route.open:
                return await self._answer_anybody(route, name, request)
            with self.organisation.lock:
                user = self.organisation.user(_token(request))
            body = await _body(request)
            if route is None:
                raise Refused(404, 5, f"{request.path} not found")
            with self.organisation.lock:
                self.organisation.may(user, route.right)
                return web.json_response(route.answer(Asked(user, name, body)))
        except Refused as refused:
            status = {"code": refused.code, "message": refused.message, "details": []}
            return web.json_response(status, status=refused.status)

    async def _answer_anybody(self, route: Route, name: str, request: web.Request) -> web.Response:
        """In a thread: what is shown is compared with what its issuer publishes."""
        asked = Asked("", name, {}, request.headers.get("Authorization", ""))

        def answer() -> Json:
            with self.organisation.lock:
                return route.answer(asked)

        return web.json_response(await asyncio.to_thread(answer))

    def _route(self, request: web.Request) -> tuple[Route | None, str]:
        for route in self._routes:
            found = route.path.fullmatch(request.path)
            if found and route.method == request.method:
                return route, found.groupdict().get("name", "")
        return None, ""

    # -- answers -------------------------------------------------------------------------

    def _made_routes(self) -> tuple[Route, ...]:
        keys, policies = "/v1/cwobject/access-key", "/v1/cwobject/access-policy"
        clusters, revoke = "/v1beta1/cks/clusters", "/v1/cwobject/revoke-access-key/access-key"
        named, exchanges = "/(?P<name>[^/]+)", "/v1/cwobject/temporary-credentials"
        table: Mapping[tuple[str, str, str], Callable[[Asked], Json]] = {
            ("GET", "/v1beta1/auth/whoami", "auth:whoami"): self._whoami,
            ("POST", "/v1/cwobject/auth/can-i", _CAN_I): self._can_i,
            ("GET", clusters, "cks:ListClusters"): self._list_clusters,
            ("GET", clusters + named, "cks:GetCluster"): self._get_cluster,
            ("POST", keys, "cwobject:CreateAccessKey"): self._create_key,
            (
                "GET",
                f"{exchanges}/api-token",
                "cwobject:CreateAccessKeyFromApiToken",
            ): self._exchange_user,
            ("GET", keys, "cwobject:ListAccessKeyInfo"): self._list_keys,
            ("POST", revoke, "cwobject:RevokeAccessKeyByAccessKey"): self._revoke_key,
            ("POST", policies, "cwobject:EnsureAccessPolicy"): self._ensure_policy,
            ("GET", policies, "cwobject:ListAccessPolicy"): self._list_policies,
            ("DELETE", policies + named, "cwobject:DeleteAccessPolicy"): self._delete_policy,
        }
        by_token = re.compile(f"{exchanges}/oidc{named}")
        return (
            Route("GET", by_token, _EXCHANGE, self._exchange_token, open=True),
            *(
                Route(method, re.compile(path), right, answer)
                for (method, path, right), answer in table.items()
            ),
        )

    def _whoami(self, asked: Asked) -> Json:
        return {"principal": {"uid": asked.user, "orgUid": ORGANISATION}}

    def _can_i(self, asked: Asked) -> Json:
        actions, resources = asked.body.get("actions"), asked.body.get("resources")
        if not actions or not resources:
            raise invalid("actions and resources are required")
        return {"verdict": all(self.organisation.can(asked.user, item) for item in actions)}

    def _list_clusters(self, asked: Asked) -> Json:
        return {"items": [self._cluster(seed) for seed in self.clusters.values()]}

    def _get_cluster(self, asked: Asked) -> Json:
        for seed in self.clusters.values():
            if seed.id == asked.name:
                return {"cluster": self._cluster(seed)}
        raise Refused(404, 5, f"cluster {asked.name} not found")

    def _cluster(self, seed: ClusterSeed) -> Json:
        return {
            "id": seed.id,
            "name": seed.name,
            "zone": seed.zone,
            "vpcId": "",
            "public": seed.public,
            "version": seed.version,
            "status": seed.status,
            "apiServerEndpoint": self._endpoints.get(seed.name, ""),
            "serviceAccountOidcIssuerUrl": seed.issuer,
        }

    def _create_key(self, asked: Asked) -> Json:
        key = self.organisation.create_key(
            asked.user, asked.body.get("durationSeconds"), asked.body.get("attributes", {})
        )
        return {
            "accessKeyId": key.id,
            "secretKey": key.secret,
            "principalName": key.principal,
            "expiry": written(key.expiry),
        }

    def _exchange_user(self, asked: Asked) -> Json:
        return _exchanged(self.organisation.exchange_user(asked.user))

    def _exchange_token(self, asked: Asked) -> Json:
        if asked.name != ORGANISATION:
            raise Refused(404, 5, f"organization {asked.name} not found")
        return _exchanged(self.organisation.exchange_token(asked.token, self._issuer_keys))

    def _list_keys(self, asked: Asked) -> Json:
        keys = self.organisation.keys.values()
        return {"items": [{"info": shown(self.organisation, key)} for key in keys]}

    def _revoke_key(self, asked: Asked) -> Json:
        self.organisation.revoke_key(str(asked.body.get("accessKey", "")))
        return {}

    def _ensure_policy(self, asked: Asked) -> Json:
        self.organisation.ensure_policy(asked.body.get("policy"))
        return {}

    def _list_policies(self, asked: Asked) -> Json:
        return {"policies": list(self.organisation.policies.values())}

    def _delete_policy(self, asked: Asked) -> Json:
        self.organisation.delete_policy(asked.name)
        return {}


def _exchanged(key: AccessKey) -> Json:
    """As the SDKs of containers want it."""
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.session,
        "Expiration": written(key.expiry),
    }


def _token(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix(_BEARER)


async def _body(request: web.Request) -> Json:
    if not request.can_read_body:
        return {}
    try:
        found = await request.json()
    except ValueError as problem:
        raise Refused(400, 3, "the body is not JSON") from problem
    if not isinstance(found, dict):
        raise Refused(400, 3, "the body is not an object")
    return found


def _faulty(refusal: Refusal) -> web.Response:
    """An injected fault as the API would word it."""
    code = {404: 5, 429: 8, 503: 14, 403: 7}.get(refusal.status, 13)
    status = {"code": code, "message": refusal.message, "details": []}
    return web.json_response(status, status=refusal.status)
