"""The Oracle stand-in as the supervisor holds it: start, stop, and what a cluster asks of it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web

from anyscale_k8s_cli.sandbox.oci.api import Answer, Call, Route
from anyscale_k8s_cli.sandbox.oci.balancers import Balancers, OciLoadBalancers
from anyscale_k8s_cli.sandbox.oci.buckets import Buckets, Store
from anyscale_k8s_cli.sandbox.oci.container import Cluster, Clusters, ContainerEngine
from anyscale_k8s_cli.sandbox.oci.identity import Identity
from anyscale_k8s_cli.sandbox.oci.policies import Need
from anyscale_k8s_cli.sandbox.oci.refusals import Refused
from anyscale_k8s_cli.sandbox.oci.seed import (
    ADMIN,
    ADMINISTRATORS,
    LENT,
    OUTSIDER,
    REGION,
    REGIONS,
    TENANCY_ID,
    ClusterSeed,
)
from anyscale_k8s_cli.sandbox.oci.signatures import ApiKey, Keys, Request
from anyscale_k8s_cli.sandbox.oci.tenancy import Tenancy
from anyscale_k8s_cli.sandbox.wire import Operation, Refusal, Wire

SERVICE = "oci"
_HOST = "127.0.0.1"
_ALL = f"Allow group {ADMINISTRATORS} to manage all-resources in tenancy"
_ASKED = web.RequestKey("oci", tuple)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class OciSettings:
    """How the world behaves, where it could behave otherwise.

    `admin_statements` are the policy of the administrator's group. `refused_attempts`: how
    often the object store does not know a new key or policy yet. `lent_keys` is how many keys
    a user has beforehand whom somebody made for uses like ours; None means that there is none.
    """

    clusters: Sequence[ClusterSeed] = (ClusterSeed(),)
    admin_statements: tuple[str, ...] = (_ALL,)
    home_region: str = REGION
    refused_attempts: int = 1
    lent_keys: int | None = None
    removal_seconds: float = 0.3
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic


class OciStandIn:
    """Serves Oracle's APIs on loopback until stopped; each region has a path of its own.

    Methods may be called from any thread once it is started, `start` and `stop` from the
    loop that serves.
    """

    def __init__(self, wire: Wire, store: Store, settings: OciSettings | None = None) -> None:
        settings = settings or OciSettings()
        self.tenancy = Tenancy(settings.clock, settings.refused_attempts, settings.home_region)
        self.clusters = Clusters.of(settings.clusters)
        self.balancers = Balancers(
            self.tenancy,
            settings.monotonic,
            settings.removal_seconds,
            clusters=tuple(settings.clusters),
        )
        self.buckets = Buckets(self.tenancy, store)
        self.keys = Keys(settings.clock)
        routes = (
            *Identity(self.tenancy).routes(),
            *ContainerEngine(self.tenancy, self.clusters).routes(),
            *self.buckets.routes(),
            *self.balancers.routes(),
        )
        self._routes = [(route, route.pattern) for route in routes]
        self._wire = wire
        self._lock = threading.RLock()
        self._runner: web.AppRunner | None = None
        self._host = ""
        self._admin_key = ApiKey()
        self.admin_id = self.tenancy.add("user", ADMIN, "the tenancy's administrator").id
        self.outsider_id = self.tenancy.add("user", OUTSIDER, "may do nothing").id
        if settings.lent_keys is not None:
            lent = self.tenancy.add("user", LENT, "for data").id
            for number in range(settings.lent_keys):
                self.tenancy.issue(lent, f"pipeline-{number + 1}")
        group = self.tenancy.add("group", ADMINISTRATORS, "administrators").id
        self.tenancy.join(self.admin_id, group)
        self._policy = self.tenancy.add(
            "policy", "Tenant Admin Policy", "theirs", statements=list(settings.admin_statements)
        )

    async def start(self) -> None:
        """Listen on a free port; returns once it answers."""
        application = web.Application(middlewares=[self._wire.middleware(self._classify, _refused)])
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        # Making a key takes a moment, during which others get ready.
        await asyncio.gather(asyncio.to_thread(lambda: self._admin_key.pem), self._runner.setup())
        self.keys.add(TENANCY_ID, self.admin_id, self._admin_key)
        await web.TCPSite(self._runner, _HOST, 0).start()
        self._host = f"{_HOST}:{self._runner.addresses[-1][1]}"

    async def stop(self) -> None:
        """Stop listening. Repeated calls do nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """With a place for the name of a region."""
        return f"http://{self._host}/{{region}}"

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables by which our provider finds the stand-in.

        The administrator's profile is written to `folder`, for its user alone.
        """
        key, config = folder / "oci-api-key.pem", folder / "oci-config"
        _write(key, self._admin_key.pem)
        said = {**self.profile(), "key_file": str(key)}
        _write(config, "[DEFAULT]\n" + "".join(f"{k}={v}\n" for k, v in said.items()))
        return {"OCI_CONFIG_FILE": str(config), "OCI_ENDPOINT": self.url}

    def profile(self) -> dict[str, str]:
        """The administrator's, but for the private key."""
        return {
            "user": self.admin_id,
            "tenancy": TENANCY_ID,
            "fingerprint": self._admin_key.fingerprint,
            "region": REGION,
        }

    def another_key(self, user: str) -> ApiKey:
        """A signing key of somebody else's, to sign with in the administrator's place."""
        made = ApiKey()
        self.keys.add(TENANCY_ID, user, made)
        return made

    # -- answers --------------------------------------------------------------------

    async def _classify(self, request: web.Request) -> Operation:
        body = await request.read()
        split = urlsplit(request.raw_path)
        region, _, rest = split.path.lstrip("/").partition("/")
        path = f"/{rest}"
        route, fields = self._route(request.method, path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = Request(request.method, request.raw_path, headers, body)
        caller: str | Refused
        try:
            caller = self.keys.caller(signed)
        except Refused as refused:
            caller = refused
        call = Call(
            caller if isinstance(caller, str) else "",
            region,
            fields,
            dict(parse_qsl(split.query)),
            headers,
            json.loads(body) if body else {},
        )
        request[_ASKED] = (route, call, caller)
        with self._lock:
            known = self.tenancy.users.get(call.caller)
        return Operation(
            service=SERVICE,
            name=route.name if route else f"{request.method} {path}",
            write=route.writes if route else request.method != "GET",
            principal=known.name if known else "",
            resource="/".join(fields.values()) or str(call.body.get("name") or ""),
        )

    def _route(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        for route, pattern in self._routes:
            found = pattern.fullmatch(path)
            if route.method == method and found:
                return route, {name: unquote(text) for name, text in found.groupdict().items()}
        return None, {}

    async def _handle(self, request: web.Request) -> web.Response:
        route, call, caller = request[_ASKED]
        try:
            if isinstance(caller, Refused):
                raise caller
            answer = self._answer(route, call)
        except Refused as refused:
            return web.json_response(refused.as_json(), status=refused.status)
        if answer.status == 204:
            return web.Response(status=204)
        if route.name == "CreateKubeconfig":
            return web.Response(text=answer.body, content_type="application/x-yaml")
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    def _answer(self, route: Route | None, call: Call) -> Answer:
        if route is None or call.region not in REGIONS:
            raise Refused(404, "NotFound", "There is no such operation")
        home = self.tenancy.home
        if route.home_only and call.region != home:
            raise Refused(
                403,
                "NotAllowed",
                f"Please go to your home region {REGIONS[home]} to execute CREATE, UPDATE and "
                "DELETE operations.",
            )
        with self._lock:
            return route.answer(call)

    # -- for clusters and the object store --------------------------------------------

    def set_endpoint(self, cluster: str, endpoint: str, ca_pem: bytes) -> None:
        """Tell where the cluster's API server listens."""
        with self._lock:
            for item in self._named(cluster):
                item.endpoint, item.ca_pem = endpoint, ca_pem.decode()

    def load_balancers(self, seed: ClusterSeed) -> OciLoadBalancers:
        """What serves the cluster's Services of type LoadBalancer."""
        return OciLoadBalancers(self.balancers, seed)

    def kubernetes_user(self, token: str, cluster_id: str) -> tuple[str, list[str], bool] | None:
        """Who has a cluster's token: id, groups, and whether an administrator there."""
        with self._lock:
            try:
                user = self.keys.bearer(token, cluster_id, self._host)
                place = self.clusters.get(cluster_id).seed.compartment
            except Refused:
                return None
            if not self.tenancy.may(user, Need("use", "clusters", place)):
                return None
            admin = self.tenancy.may(user, Need("manage", "clusters", place))
            return user, sorted(self.tenancy.groups_of(user)), admin

    def admitted(self, access_key: str) -> tuple[str, frozenset[str]] | None:
        """A key's secret and the buckets that it reaches; None for one that is not known (yet)."""
        with self._lock:
            return self.tenancy.admitted(access_key, self.buckets.places)

    # -- for tests and faults -----------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything in the tenancy that matters, as plain data. No secrets."""
        with self._lock:
            tenancy = self.tenancy
            return {
                **{
                    kind: {
                        item.id: {
                            "name": item.name,
                            "compartment": item.compartment,
                            "description": item.description,
                            "tags": dict(sorted(item.tags.items())),
                            **item.more,
                        }
                        for item in items.values()
                    }
                    for kind, items in (
                        ("users", tenancy.users),
                        ("groups", tenancy.groups),
                        ("policies", tenancy.policies),
                    )
                },
                "members": dict(tenancy.members),
                "secret_keys": {key.id: [key.user, key.name] for key in tenancy.keys.values()},
                "buckets": self.buckets.snapshot(),
                "load_balancers": {item.id: item.address for item in self.balancers.live()},
            }

    def set_admin_statements(self, statements: Sequence[str]) -> None:
        """From now on the administrator may do only what these say."""
        with self._lock:
            self._policy.more["statements"] = list(statements)

    def revoke_keys(self) -> list[str]:
        """Somebody deletes every customer secret key."""
        with self._lock:
            found = list(self.tenancy.keys)
            self.tenancy.keys.clear()
            return found

    def withdraw_policies(self) -> list[str]:
        """Somebody deletes every policy but the administrator's."""
        with self._lock:
            policies = self.tenancy.policies
            found = [item for item in policies if item != self._policy.id]
            for item in found:
                del policies[item]
            return found

    def delete_cluster(self, cluster: str) -> None:
        """Remove the cluster as its owner would; what it left in the tenancy stays."""
        with self._lock:
            for item in self._named(cluster):
                item.deleted = True

    def _named(self, cluster: str) -> list[Cluster]:
        return [item for item in self.clusters.items.values() if item.seed.name == cluster]


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)


def _refused(refusal: Refusal) -> web.Response:
    """An injected fault as Oracle would word it."""
    code = "TooManyRequests" if refusal.status == 429 else refusal.code
    body: Mapping[str, str] = Refused(refusal.status, code, refusal.message).as_json()
    return web.json_response(body, status=refusal.status)
