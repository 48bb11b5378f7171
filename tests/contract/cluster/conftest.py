"""A stand-in cluster in a thread of its own, and our client for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.events import Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.kubernetes.authentication import static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Workload
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire

T = TypeVar("T")

ADMIN = "admin-token"
NOBODY = "nobody-token"


class World:
    """One stand-in cluster. `run` ends its waits when the test ends."""

    admin, nobody = ADMIN, NOBODY

    def __init__(self, *, workloads: tuple[Workload, ...] = (), nodes: list[Object] | None = None):
        self.authority = Authority()
        self.wire = Wire()
        self.events: list[Event] = []
        self.run = Run(listeners=(self.events.append,))
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
            load_balancers=AddressPool(),
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

    def close(self) -> None:
        self.wire.clear_faults()
        self.run.stop()
        self.do(self.standin.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def install_of(cloud: str) -> Install:
    return Install("eks", "111122223333", "eu-west-1", "cluster/one", "ray", cloud, "uid-1")


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()
