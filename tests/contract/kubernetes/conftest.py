"""A stand-in cluster in a thread of its own, and the real Python client for it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from kubernetes import client
from kubernetes.client.rest import ApiException

from anyscale_k8s_cli.sandbox.kubernetes.authentication import static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import User
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire

T = TypeVar("T")

ADMIN, JOE = "the-admins-token", "joes-token"
_DEADLINE = 10.0


@dataclass
class Program:
    """A workload whose behaviour a test sets, by image name."""

    image: str
    run: Callable[[Pod], Coroutine[Any, Any, int]]

    def matches(self, image: str) -> bool:
        return image == self.image


@dataclass
class Programs:
    """All programs of a test; may be added while the cluster runs."""

    known: list[Program] = field(default_factory=list)

    def add(self, image: str, run: Callable[[Pod], Coroutine[Any, Any, int]]) -> None:
        self.known.append(Program(image, run))

    def matches(self, image: str) -> bool:
        return any(program.matches(image) for program in self.known)

    async def run(self, pod: Pod) -> int:
        images = [container["image"] for container in pod.manifest["spec"]["containers"]]
        program = next(p for p in self.known if any(p.matches(image) for image in images))
        return await program.run(pod)


class Cluster:
    """The stand-in, its loop, and clients for it."""

    def __init__(self, folder: Path) -> None:
        self.wire = Wire()
        self.programs = Programs()
        self.folder = folder
        self.authority = Authority()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        users = {ADMIN: User("admin", ("system:masters",)), JOE: User("joe")}
        self.standin = KubernetesStandIn(
            self.wire,
            self.authority,
            name="test",
            token_authenticators=[static_tokens(users)],
            workloads=[self.programs],
            load_balancers=AddressPool(),
            service_account_issuer="https://issuer.test",
            nodes=[node("node-a", allocatable={"cpu": "4"}), node("node-b", labels={"big": "yes"})],
            pace=0.01,
        )

    def start(self) -> None:
        self._thread.start()
        self.call(self.standin.start())
        (self.folder / "ca.pem").write_bytes(self.standin.ca_pem)

    def stop(self) -> None:
        self.call(self.standin.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_DEADLINE)
        self.loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something in the stand-in's own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_DEADLINE)

    def api(self, token: str = ADMIN) -> client.ApiClient:
        configuration = client.Configuration()
        configuration.host = self.standin.url
        configuration.ssl_ca_cert = str(self.folder / "ca.pem")
        if token:
            configuration.api_key = {"authorization": token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        return client.ApiClient(configuration)

    def kubeconfig(self, token: str = ADMIN) -> Path:
        path = self.folder / "kubeconfig.yaml"
        server = {
            "server": self.standin.url,
            "certificate-authority": str(self.folder / "ca.pem"),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command-line tool against the cluster, with a home of its own."""
        environment = {
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.kubeconfig()),
            "KUBECACHEDIR": str(self.folder / "cache"),
            "PATH": os.environ["PATH"],
        }
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def core(cluster: Cluster) -> client.CoreV1Api:
    return client.CoreV1Api(cluster.api())


@pytest.fixture
def apps(cluster: Cluster) -> client.AppsV1Api:
    return client.AppsV1Api(cluster.api())


@pytest.fixture
def eventually() -> Callable[[Callable[[], T]], T]:
    """Asks again until the answer is true; fails at a deadline far beyond what is needed."""

    def ask(question: Callable[[], T]) -> T:
        end = time.monotonic() + _DEADLINE
        while True:
            answer = question()
            if answer:
                return answer
            if time.monotonic() > end:
                raise AssertionError(f"still {answer!r} after {_DEADLINE} s")
            time.sleep(0.01)

    return ask


@pytest.fixture
def refused() -> Callable[[Callable[[], Any]], tuple[int, str]]:
    """Status and message of a call that the API server refuses."""

    def call(action: Callable[[], Any]) -> tuple[int, str]:
        with pytest.raises(ApiException) as caught:
            action()
        document = yaml.safe_load(caught.value.body)
        assert document["kind"] == "Status"
        assert document["code"] == caught.value.status
        return caught.value.status, str(document["message"])

    return call
