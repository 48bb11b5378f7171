"""The stand-in cluster as a whole: put together, started, stopped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes import bootstrap
from anyscale_k8s_cli.sandbox.kubernetes.admission import PodAdmission, admit_pods
from anyscale_k8s_cli.sandbox.kubernetes.authentication import (
    Authentication,
    ServiceAccountTokens,
    TokenAuthenticator,
)
from anyscale_k8s_cli.sandbox.kubernetes.authorization import Authorizer, escalation_guard
from anyscale_k8s_cli.sandbox.kubernetes.controllers.budgets import BudgetController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.daemon_sets import DaemonSetController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.definitions import CRDS, DefinitionController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.deployments import DeploymentController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.garbage import GarbageCollector
from anyscale_k8s_cli.sandbox.kubernetes.controllers.jobs import JobController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import Controller, Manager
from anyscale_k8s_cli.sandbox.kubernetes.controllers.namespaces import NamespaceController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.quotas import QuotaController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.replica_sets import ReplicaSetController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.scheduler import Scheduler
from anyscale_k8s_cli.sandbox.kubernetes.controllers.services import ServiceController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.stateful_sets import StatefulSetController
from anyscale_k8s_cli.sandbox.kubernetes.controllers.volumes import ClaimController
from anyscale_k8s_cli.sandbox.kubernetes.custom_resources import resources_of
from anyscale_k8s_cli.sandbox.kubernetes.endpoints import Endpoints
from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import Pulls
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import LoadBalancerProvider
from anyscale_k8s_cli.sandbox.kubernetes.logs import Logs
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.objects import clone, dig
from anyscale_k8s_cli.sandbox.kubernetes.pod_view import Surroundings
from anyscale_k8s_cli.sandbox.kubernetes.pods import Kubelet
from anyscale_k8s_cli.sandbox.kubernetes.policies import admit_by_policies
from anyscale_k8s_cli.sandbox.kubernetes.ports import Ports
from anyscale_k8s_cli.sandbox.kubernetes.quotas import admit_by_quotas
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.reviews import Reviews
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Workload
from anyscale_k8s_cli.sandbox.kubernetes.server import ApiServer
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.subresources import Subresources
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS
from anyscale_k8s_cli.sandbox.kubernetes.webhooks import Webhooks
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire

_HOST = "127.0.0.1"
_ADMIN = "kubernetes-admin"
# Controllers act this share of the pace after a change.
_CONTROLLER_SHARE = 0.2
_SHUTDOWN = 0.2


class NotMade(Exception):
    """What was to be there beforehand cannot be; the text says which object, and why."""


class KubernetesStandIn:
    """A Kubernetes API server with its controllers, on loopback, over TLS.

    `pace` is how long a simulated step takes, in seconds (a pod's start, say).
    Callers are known by a certificate of the authority's, by `token_authenticators`,
    asked in turn, and by the cluster's own service-account tokens. Without `nodes`
    there is one ordinary node; without `load_balancers` Services of that type stay
    pending. With a `public_authority` it answers at a second port too, with a
    certificate of that one. What is not `reachable` from this machine is told of at a port
    where nobody answers. All calls, those on `store` too, must come from the loop that
    started it.
    """

    def __init__(
        self,
        wire: Wire,
        authority: Authority,
        *,
        name: str,
        version: str = "1.33",
        token_authenticators: Sequence[TokenAuthenticator] = (),
        pod_admission: Sequence[PodAdmission] = (),
        workloads: Sequence[Workload] = (),
        load_balancers: LoadBalancerProvider | None = None,
        service_account_issuer: str,
        nodes: Sequence[Object] | None = None,
        pace: float = 0.05,
        public_authority: Authority | None = None,
        pulls: Pulls | None = None,
        reachable: bool = True,
    ) -> None:
        self.name = name
        self.version = version
        self.store = Store()
        self._wire = wire
        self._authority = authority
        self._public_authority = public_authority
        self._nodes = [node(f"{name}-node-1", version=version)] if nodes is None else nodes
        self._pace = pace
        self._port = self._public_port = 0
        self._beyond = None if reachable else socket.socket()
        self._runner: web.AppRunner | None = None
        self._accounts = ServiceAccountTokens(self.store, service_account_issuer)
        self._logs = Logs()
        self._ports = Ports()
        self._server = self._assemble_server(token_authenticators)
        self.store.admission += (
            admit_pods(self.store, pod_admission),
            admit_by_policies(self.store),
            admit_by_quotas(self.store),
        )
        self._services = (
            ServiceController(self.store, load_balancers, pace) if load_balancers else None
        )
        self._manager = Manager(self.store, self._controllers(), pace * _CONTROLLER_SHARE)
        surroundings = Surroundings(
            self.store,
            self._accounts,
            self._logs,
            self._ports,
            tuple(workloads),
            pace,
            lambda: self._at(self._port),
            pulls or Pulls(),
        )
        self._kubelet = Kubelet(surroundings)

    def _assemble_server(self, authenticators: Sequence[TokenAuthenticator]) -> ApiServer:
        store, accounts = self.store, self._accounts
        authentication = Authentication([accounts.authenticate, *authenticators])
        authorizer = Authorizer(store)
        store.admission.append(escalation_guard(authorizer))
        endpoints = Endpoints(
            store,
            Reviews(authentication, authorizer, accounts),
            Subresources(store, accounts, self._logs, self._ports),
            Webhooks(store, self._authority),
        )
        return ApiServer(
            store,
            authentication,
            authorizer,
            accounts=accounts,
            endpoints=endpoints,
            version=self.version,
        )

    def _controllers(self) -> list[Controller]:
        store = self.store
        controllers: list[Controller] = [
            NamespaceController(store, self.ca_pem.decode()),
            DefinitionController(store),
            DeploymentController(store),
            ReplicaSetController(store),
            StatefulSetController(store),
            DaemonSetController(store),
            JobController(store),
            Scheduler(store),
            ClaimController(store),
            BudgetController(store),
            QuotaController(store),
            GarbageCollector(store),
        ]
        return [*controllers, self._services] if self._services else controllers

    @property
    def url(self) -> str:
        """Where the API server is told to be, once started."""
        return self._at(self._beyond.getsockname()[1] if self._beyond else self._port)

    @property
    def public_url(self) -> str:
        """Where it answers with a certificate of the public authority, if there is one."""
        return self._at(self._public_port) if self._public_port else ""

    @staticmethod
    def _at(port: int) -> str:
        return f"https://{_HOST}:{port}"

    @property
    def ca_pem(self) -> bytes:
        return self._authority.ca_pem

    def admin_certificate(self) -> tuple[bytes, bytes]:
        """A certificate of somebody who may do everything, and its key."""
        return self._authority.client_certificate(_ADMIN, SUPERUSERS)

    def issuer_keys(self) -> Object:
        """The JWKS that verifies service-account tokens."""
        return self._accounts.issuer_keys()

    async def start(self) -> None:
        """Seed the cluster and serve; returns once it answers."""
        bootstrap.seed(self.store)
        if self._beyond:
            # Taken, and never listened at.
            self._beyond.bind((_HOST, 0))
        for seeded in self._nodes:
            self.store.create("nodes", seeded, write=Write(with_status=True))
        self._manager.start()
        self._kubelet.start()
        # A watch must end when its client goes, or it would be kept for ever.
        self._runner = web.AppRunner(
            self._server.application(self._wire),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN,
        )
        await self._runner.setup()
        self._port = await self._listen(self._runner, self._authority)
        if self._public_authority is not None:
            self._public_port = await self._listen(self._runner, self._public_authority)

    async def add(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Create what is there beforehand; a kind that one of them defines is waited for.

        Raises `NotMade`.
        """
        for manifest in manifests:
            api_version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
            told = f"{kind} {dig(manifest, 'metadata', 'name') or 'without a name'}"
            known = partial(self.store.registry.by_kind, api_version, kind)
            defined = (r for crd in self.store.items(CRDS) for r in resources_of(crd))
            if any((r.api_version, r.kind) == (api_version, kind) for r in defined):
                await self.until(known)
            resource = known()
            if resource is None:
                raise NotMade(f"{told}: there is no such kind in {api_version}")
            namespace = "default" if resource.namespaced else ""
            namespace = dig(manifest, "metadata", "namespace") or namespace
            write = Write(with_status=True)
            obj = clone({"metadata": {}, **manifest})
            try:
                self.store.create(resource, obj, namespace=namespace, write=write)
            except ApiError as refused:
                raise NotMade(f"{told}: {refused}") from refused

    async def until(self, happened: Callable[[], object]) -> None:
        """Return once something is so; it is looked at again after each change."""
        changed = asyncio.Event()
        unsubscribe = self.store.subscribe(lambda *_: changed.set())
        try:
            while not happened():
                await changed.wait()
                changed.clear()
        finally:
            unsubscribe()

    async def _listen(self, runner: web.AppRunner, authority: Authority) -> int:
        """Serve at one more port, which is returned."""
        own = authority is self._authority
        context = authority.server_context(_HOST, "localhost", clients=own)
        await web.TCPSite(runner, _HOST, 0, ssl_context=context).start()
        return int(runner.addresses[-1][1])

    async def stop(self) -> None:
        """End every pod, controller and connection; safe to repeat."""
        self._manager.stop()
        if self._services:
            await self._services.stop()
        await self._kubelet.stop()
        if self._beyond:
            self._beyond.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
