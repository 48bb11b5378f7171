"""Real helm, 3 and 4, against the stand-in cluster: what becomes of releases, good and bad."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.charts import ChartArchive
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.charts.repository import packaged_charts
from anyscale_k8s_cli.sandbox.kubernetes.authentication import static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire

TOKEN = "the-test's-token"
NAMESPACE = "apps"
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0\n",
    "values.yaml": "greeting: hello\nimage: pause:1\n",
    "templates/all.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: greeting}
data: {text: {{ .Values.greeting | quote }}, kept: "yes"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: 1
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec: {containers: [{name: main, image: {{ .Values.image | quote }}}]}
""",
}


class World:
    """A stand-in cluster and helm with a private kubeconfig for it."""

    def __init__(self, folder: Path, cluster: KubernetesStandIn, ca_pem: bytes) -> None:
        self.folder = folder
        self.cluster = cluster
        self.ca_pem = ca_pem
        self.kubeconfig = folder / "private" / "kubeconfig"
        (folder / "small" / "templates").mkdir(parents=True)
        for name, text in CHART.items():
            (folder / "small" / name).write_text(text)
        self.chart = ChartArchive(folder / "small", "small", "1.0.0", "")
        self._write_kubeconfig()

    def _write_kubeconfig(self) -> None:
        self.kubeconfig.parent.mkdir(mode=0o700)
        (self.folder / "ca.pem").write_bytes(self.ca_pem)
        (self.kubeconfig.parent / "token").write_text(TOKEN)
        named: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": self.cluster.url,
                        "certificate-authority": str(self.folder / "ca.pem"),
                    },
                }
            ],
            "users": [{"name": "u", "user": {"tokenFile": str(self.kubeconfig.parent / "token")}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(named))

    def helm(self, executable: HelmExecutable, run: Run | None = None) -> Helm:
        return Helm(executable, self.kubeconfig, run or Run(), os.environ)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        trust = ssl.create_default_context(cadata=self.ca_pem.decode())
        headers = {"Authorization": f"Bearer {TOKEN}", **headers}
        async with aiohttp.ClientSession(headers=headers) as session:
            data = json.dumps(body) if body is not None else None
            url = self.cluster.url + path
            async with session.request(method, url, data=data, ssl=trust) as response:
                return await response.json()

    async def greeting(self) -> dict[str, str]:
        found = await self.call("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/greeting")
        data: dict[str, str] = found.get("data") or {}
        return data

    async def change_by_hand(self, text: str) -> None:
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/greeting?fieldManager=somebody"
        how = {"Content-Type": "application/merge-patch+json"}
        await self.call("PATCH", path, {"data": {"text": text}}, **how)
        assert (await self.greeting())["text"] == text

    async def records(self) -> list[dict[str, str]]:
        """The labels of helm's release records, oldest first."""
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner%3Dhelm"
        items = (await self.call("GET", path))["items"]
        return sorted(
            (item["metadata"]["labels"] for item in items),
            key=lambda labels: int(labels["version"]),
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    authority = Authority()
    cluster = KubernetesStandIn(
        Wire(),
        authority,
        name="test",
        token_authenticators=[static_tokens({TOKEN: User("tester", (SUPERUSERS,))})],
        service_account_issuer="https://issuer.test",
    )
    await cluster.start()
    made = World(tmp_path, cluster, authority.ca_pem)
    await made.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    yield made
    await cluster.stop()


@pytest.fixture
def helm(helm_executable: HelmExecutable, world: World) -> Helm:
    return world.helm(helm_executable)


async def install(world: World, helm: Helm, timeout: float = 30, **values: Any) -> int:
    return await helm.upgrade("small", NAMESPACE, world.chart, values, timeout=timeout)


async def test_install_upgrade_rollback_uninstall(world: World, helm: Helm) -> None:
    labels = {"install": "1f3a9c2e"}
    assert await helm.upgrade("small", NAMESPACE, world.chart, {}, timeout=30, labels=labels) == 1
    assert [item["install"] for item in await world.records()] == ["1f3a9c2e"]
    assert (await world.greeting())["text"] == "hello"
    assert await install(world, helm, greeting="good day") == 2
    assert (await world.greeting())["text"] == "good day"
    # Nothing of the last release's values is carried over.
    assert await install(world, helm) == 3
    assert (await world.greeting())["text"] == "hello"
    await helm.rollback("small", NAMESPACE, 2, timeout=30)
    assert (await world.greeting())["text"] == "good day"
    await helm.uninstall("small", NAMESPACE, timeout=30)
    assert await world.greeting() == {}
    assert await world.records() == []
    # What is not there is uninstalled.
    await helm.uninstall("small", NAMESPACE, timeout=30)


async def test_a_field_changed_by_hand_is_restored(world: World, helm: Helm) -> None:
    await install(world, helm)
    await world.change_by_hand("changed by hand")
    await install(world, helm)
    assert (await world.greeting())["text"] == "hello"


async def test_a_failed_first_install_leaves_its_pods_and_is_mended_by_the_next(
    world: World, helm: Helm
) -> None:
    with pytest.raises(errors.CliError) as caught:
        await install(world, helm, timeout=3, image="never-ready:1")
    assert caught.value.code is errors.TIMED_OUT
    assert caught.value.evidence
    pods = await world.call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")
    assert [pod["spec"]["containers"][0]["image"] for pod in pods["items"]] == ["never-ready:1"]
    assert [labels["status"] for labels in await world.records()] == ["failed"]
    assert await install(world, helm, image="pause:2") == 2
    assert [labels["status"] for labels in await world.records()][-1] == "deployed"


async def test_an_object_of_somebody_else_is_not_taken(world: World, helm: Helm) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    await world.call("POST", path, {"metadata": {"name": "greeting"}, "data": {"text": "mine"}})
    with pytest.raises(errors.CliError) as caught:
        await install(world, helm)
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert "greeting" in caught.value.cause
    assert (await world.greeting())["text"] == "mine"


async def test_a_missing_namespace_is_not_created(world: World, helm: Helm) -> None:
    with pytest.raises(errors.CliError):
        await helm.upgrade("small", "nowhere", world.chart, {}, timeout=30)
    found = await world.call("GET", "/api/v1/namespaces/nowhere")
    assert found["reason"] == "NotFound"


async def test_a_pending_release_is_told_apart(world: World, helm: Helm) -> None:
    await install(world, helm)
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.small.v1"
    record = await world.call("GET", path)
    # What a killed upgrade leaves: its own record says that it is under way.
    pending = _with_status(record, "pending-upgrade")
    await world.call("PUT", path, pending)
    with pytest.raises(errors.CliError) as caught:
        await install(world, helm)
    assert caught.value.details == {"pending": True}


def _with_status(secret: dict[str, Any], status: str) -> dict[str, Any]:
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release = json.loads(gzip.decompress(packed))
    release["info"]["status"] = status
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    secret["data"]["release"] = base64.b64encode(packed).decode()
    secret["metadata"]["labels"]["status"] = status
    return secret


async def test_a_cancelled_install_ends_helm_and_is_not_left_pending(
    world: World, helm: Helm
) -> None:
    created = asyncio.Event()
    world.cluster.store.subscribe(
        lambda event: created.set() if event.key == "deployments.apps" else None
    )
    task = asyncio.create_task(install(world, helm, timeout=60, image="never-ready:1"))
    async with asyncio.timeout(20):
        await created.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [labels["status"] for labels in await world.records()] == ["failed"]


async def test_a_wrong_token_is_said(world: World, helm: Helm) -> None:
    (world.kubeconfig.parent / "token").write_text("wrong")
    with pytest.raises(errors.CliError) as caught:
        await install(world, helm)
    assert caught.value.code is errors.CLUSTER_UNAUTHENTICATED


async def test_an_absent_cluster_is_said(world: World, helm: Helm) -> None:
    config = world.kubeconfig.read_text()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{closed.getsockname()[1]}"
    world.kubeconfig.write_text(config.replace(world.cluster.url, nobody))
    with pytest.raises(errors.CliError) as caught:
        await install(world, helm)
    assert caught.value.code is errors.CLUSTER_UNREACHABLE


@pytest.mark.parametrize("order", [("helm3", "helm4", "helm3"), ("helm4", "helm3")])
async def test_one_release_by_both_helms(
    world: World, helm3: HelmExecutable, helm4: HelmExecutable, order: tuple[str, ...]
) -> None:
    """Two machines with different helms look after one install."""
    helms = {"helm3": world.helm(helm3), "helm4": world.helm(helm4)}
    for number, which in enumerate(order, start=1):
        helm = helms[which]
        assert await install(world, helm, greeting=f"from {which}") == number
        assert (await world.greeting())["text"] == f"from {which}"


async def test_a_chart_too_large_for_a_release_cannot_be_installed(
    world: World, helm: Helm
) -> None:
    packaged = next(c for c in packaged_charts() if c.metadata["name"] == "gateway-crds-helm")
    archive = world.folder / packaged.filename
    archive.write_bytes(packaged.archive)
    chart = ChartArchive(archive, "gateway-crds-helm", "v1.7.0", packaged.sha256)
    values = {"crds": {"gatewayAPI": {"enabled": True}}}
    with pytest.raises(errors.CliError) as caught:
        await helm.upgrade("crds", NAMESPACE, chart, values, timeout=30)
    assert "Too long" in caught.value.cause


async def test_helms_own_limit_is_below_the_commands(world: World, helm: Helm) -> None:
    late = world.helm(await helm.found(), Run(deadline=time.monotonic() + 5))
    with pytest.raises(errors.CliError) as caught:
        await install(world, late)
    assert caught.value.code is errors.TIMED_OUT
    assert await world.records() == []
