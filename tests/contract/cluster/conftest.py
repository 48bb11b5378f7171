"""A stand-in cluster in a thread of its own, and our client for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from anyscale_k8s_cli import apply, plan
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.cluster.private_kubeconfig import PrivateKubeconfig
from anyscale_k8s_cli.cluster.release_work import HelmTools
from anyscale_k8s_cli.events import Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Resource, Rights
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.kubernetes.authentication import static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool, LoadBalancerProvider
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Workload
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from tests.processes import Shelf

from .site import Site, make_site

T = TypeVar("T")

ADMIN = "admin-token"
NOBODY = "nobody-token"
# What stands there takes the place of every registry.
MIRROR = "https://charts.example"


class Unjournaled:
    """A journal that nobody reads."""

    def guard(self) -> None: ...

    def done(self, resource: Resource[Any], observed: Any) -> None: ...

    def removed(self, resource: Resource[Any]) -> None: ...


class World:
    """One stand-in cluster. `run` ends its waits when the test ends."""

    admin, nobody = ADMIN, NOBODY

    def __init__(
        self,
        authority: Authority | None = None,
        *,
        workloads: tuple[Workload, ...] = (),
        nodes: list[Object] | None = None,
        load_balancers: LoadBalancerProvider | None = None,
    ) -> None:
        self.authority = authority or Authority()
        self.wire = Wire()
        self.events: list[Event] = []
        self.run = Run(listeners=(self.events.append,))
        self._closing: list[Any] = []
        self._kubeconfigs: list[PrivateKubeconfig] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.standin = KubernetesStandIn(
            self.wire,
            self.authority,
            name="contract",
            token_authenticators=[
                static_tokens({ADMIN: User("admin", (SUPERUSERS,)), NOBODY: User("nobody")})
            ],
            workloads=workloads,
            load_balancers=load_balancers or AddressPool(),
            service_account_issuer="https://issuer.example",
            nodes=nodes,
            pace=0.02,
        )
        self.do(self.standin.start())
        self.kubernetes = Kubernetes(self.access(), self.run)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Something on the stand-in's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def access(self, value: str = ADMIN, **changes: Any) -> ClusterAccess:
        settings = {
            "endpoint": self.standin.url,
            "ca_pem": self.standin.ca_pem.decode(),
            "token": lambda: BearerToken(value),
            "principal": "arn:test:user/someone",
            "grant": "grant-access --to someone",
        }
        return ClusterAccess(**(settings | changes))

    def surroundings(self, cloud: str = "prod", **changes: Any) -> Surroundings:
        return Surroundings(self.kubernetes, install_of(cloud), deletion_seconds=20, **changes)

    def plan(self, resources: Sequence[Resource[Any]]) -> plan.Plan:
        return _awaited(plan.compute(resources, Rights(), self.run))

    def changes(self, resources: Sequence[Resource[Any]]) -> dict[str, str]:
        """What a plan would change, by key; what stays as it is is left out."""
        planned = self.plan(resources).changes
        return {item.resource.key: item.change.value for item in planned if item.change != "none"}

    def apply(self, resources: Sequence[Resource[Any]]) -> apply.Applied:
        """Plan and make it so; a failure is raised."""
        made = self.plan(resources)
        made.raise_for_refusals()
        applied = _awaited(apply.forwards(made, self.run, Unjournaled()))
        if applied.error:
            raise applied.error
        return applied

    def add(self, start: Coroutine[Any, Any, object], stop: Callable[[], Any]) -> None:
        """Start another server beside the cluster; it is stopped with it."""
        self.do(start)
        self._closing.append(stop)

    def helm_tools(self, executable: HelmExecutable, folder: Path) -> HelmTools:
        """helm for this cluster, with the stand-in charts."""
        trusted = folder / "ca.pem"
        trusted.write_bytes(self.authority.ca_pem)
        kubeconfig = PrivateKubeconfig(self.access())
        self._kubeconfigs.append(kubeconfig)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "SSL_CERT_FILE": str(trusted)}
        helm = Helm(executable, kubeconfig.__enter__(), self.run, environment)
        charts = Charts(Shelf(), self.run, folder / "cache", MIRROR)
        return HelmTools(self.kubernetes, helm, charts, self.run)

    def close(self) -> None:
        self.wire.clear_faults()
        for kubeconfig in self._kubeconfigs:
            kubeconfig.close()
        for stop in self._closing:
            self.do(stop())
        self.run.stop()
        self.do(self.standin.stop())
        self.do(_end_the_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _awaited(work: Coroutine[Any, Any, T]) -> T:
    """What comes of it, kept from asyncio: that writes out all of a result, for nobody."""
    found: list[T] = []

    async def keep() -> None:
        found.append(await work)

    asyncio.run(keep())
    return found[0]


async def _end_the_rest() -> None:
    """What still waits for something: a loop that is closed over it fails another test later."""
    waiting = asyncio.all_tasks() - {asyncio.current_task()}
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def install_of(cloud: str) -> Install:
    return Install("eks", "111122223333", "eu-west-1", "cluster/one", "ray", cloud, "uid-1")


def _worlds() -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        worlds.append(World(**settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Makes worlds that are closed when the test ends."""
    yield from _worlds()


@pytest.fixture(scope="module")
def make_lasting_world() -> Iterator[Callable[..., World]]:
    """Makes worlds for all tests of a module."""
    yield from _worlds()


@pytest.fixture(scope="module")
def lasting(
    make_lasting_world: Callable[..., World],
    helm4: HelmExecutable,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """One site for all tests of a module."""
    return make_site(make_lasting_world, helm4, tmp_path_factory.mktemp("site"))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def site(make_world: Any, helm4: HelmExecutable, tmp_path: Path) -> Site:
    return make_site(make_world, helm4, tmp_path)
