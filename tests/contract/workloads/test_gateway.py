"""The stand-in Envoy Gateway, installed by real helm, does with Gateways what the real one does."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from anyscale_k8s_cli.cluster.charts import ChartArchive
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.charts.repository import packaged_charts
from anyscale_k8s_cli.sandbox.kubernetes.authentication import static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.workloads.device_plugin import DevicePlugin
from anyscale_k8s_cli.sandbox.workloads.envoy_gateway import EnvoyGateway

TOKEN = "the-test's-token"
KUBELET = "the-kubelets'-token"
SYSTEM = "envoy-gateway-system"
GATEWAYS = "gateways.gateway.networking.k8s.io"
CLASSES = "gatewayclasses.gateway.networking.k8s.io"
PARAMETERS = "envoyproxies.gateway.envoyproxy.io"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
CERTIFICATE = "anyscale-cldrsrc-abc-certificate"
Object = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")


class World:
    def __init__(
        self,
        folder: Path,
        cluster: KubernetesStandIn,
        authority: Authority,
        executable: HelmExecutable,
    ) -> None:
        self.folder = folder
        self.cluster = cluster
        self.store = cluster.store
        self._authority = authority
        self._write_kubeconfig()
        self.helm = Helm(executable, folder / "kubeconfig", Run(), os.environ)

    def _write_kubeconfig(self) -> None:
        (self.folder / "ca.pem").write_bytes(self._authority.ca_pem)
        named: Object = {
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
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        (self.folder / "kubeconfig").write_text(yaml.safe_dump(named))

    def namespace(self, name: str) -> None:
        self.store.create("namespaces", {"metadata": {"name": name}})

    def chart(self, name: str) -> ChartArchive:
        packaged = next(c for c in packaged_charts() if c.metadata["name"] == name)
        archive = self.folder / packaged.filename
        archive.write_bytes(packaged.archive)
        return ChartArchive(archive, name, packaged.metadata["version"], packaged.sha256)

    async def install(self, release: str, namespace: str, chart: str, **values: Any) -> None:
        found = self.chart(chart)
        await self.helm.upgrade(release, namespace, found, values, timeout=30, skip_crds=True)

    async def define(self) -> None:
        """Render the definitions and apply them, as the chart's makers say."""
        switches = {"gatewayAPI": {"enabled": True, "channel": "standard"}}
        values = {"crds": {**switches, "envoyGateway": {"enabled": True}}}
        rendered = await self.helm.template("crds", "x", self.chart("gateway-crds-helm"), values)
        for definition in rendered:
            self.store.create("customresourcedefinitions.apiextensions.k8s.io", definition)
        await self.until(lambda: all(_is_established(d) for d in self.definitions()))

    def definitions(self) -> list[Object]:
        return list(self.store.items("customresourcedefinitions.apiextensions.k8s.io"))

    async def until(self, holds: Callable[[], Any], seconds: float = 20) -> Any:
        """Wait for something to be true of the cluster; looked at after each change."""
        with self.changes() as changed:
            async with asyncio.timeout(seconds):
                while not (found := holds()):
                    await changed.wait()
                    changed.clear()
        return found

    @contextmanager
    def changes(self) -> Iterator[asyncio.Event]:
        changed = asyncio.Event()
        unsubscribe = self.store.subscribe(lambda _: changed.set())
        try:
            yield changed
        finally:
            unsubscribe()

    def condition(self, item: Object | None, kind: str) -> tuple[str, str]:
        conditions = ((item or {}).get("status") or {}).get("conditions") or ()
        found = next((c for c in conditions if c["type"] == kind), None)
        if found is None or found["observedGeneration"] != item["metadata"]["generation"]:
            return "", ""
        return found["status"], found["reason"]

    def gateway(self) -> Object | None:
        return self.store.find(GATEWAYS, "ours", "gateway")

    def listener(self, name: str, kind: str) -> tuple[str, str]:
        listeners = ((self.gateway() or {}).get("status") or {}).get("listeners") or ()
        found = next((item for item in listeners if item["name"] == name), None)
        if found is None:
            return "", ""
        condition = next(c for c in found["conditions"] if c["type"] == kind)
        return condition["status"], condition["reason"]

    def services(self) -> list[Object]:
        return [
            item
            for item in self.store.items("services", SYSTEM)
            if "gateway.envoyproxy.io/owning-gateway-name" in item["metadata"].get("labels", {})
        ]


def _is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory, helm4: HelmExecutable
) -> AsyncIterator[World]:
    authority = Authority()
    cluster = KubernetesStandIn(
        Wire(),
        authority,
        name="test",
        token_authenticators=[
            static_tokens(
                {
                    TOKEN: User("tester", (SUPERUSERS,)),
                    KUBELET: User("system:node:all", (SUPERUSERS,)),
                }
            )
        ],
        service_account_issuer="https://issuer.test",
        workloads=[EnvoyGateway(authority), DevicePlugin(authority, KUBELET)],
        load_balancers=AddressPool(),
        nodes=[
            node("cpu"),
            node("gpu", labels={"node.kubernetes.io/instance-type": "g4dn.12xlarge"}),
        ],
    )
    await cluster.start()
    yield World(tmp_path_factory.mktemp("world"), cluster, authority, helm4)
    await cluster.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(world: World) -> World:
    """With definitions and controller."""
    await world.define()
    world.namespace(SYSTEM)
    world.namespace("ours")
    await world.install("eg", SYSTEM, "gateway-helm")
    return world


@pytest_asyncio.fixture(loop_scope="module")
async def controlled(served: World) -> AsyncIterator[World]:
    """The same for each test, with what tests make taken away after each."""
    yield served
    for kind in (GATEWAYS, CLASSES, PARAMETERS):
        for item in served.store.items(kind):
            metadata = item["metadata"]
            served.store.delete(kind, metadata.get("namespace", ""), metadata["name"])
    await served.until(lambda: not (served.services() or served.store.items(CLASSES)))


def class_of(name: str, controller: str, **spec: Any) -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": controller, **spec},
    }


def make_class(world: World) -> None:
    parameters = {
        "group": "gateway.envoyproxy.io",
        "kind": "EnvoyProxy",
        "name": "envoy-proxy",
        "namespace": SYSTEM,
    }
    world.store.create(CLASSES, class_of("eg", CONTROLLER, parametersRef=parameters))


def make_parameters(world: World, name: str = "envoy-proxy", namespace: str = SYSTEM) -> None:
    service = {"type": "LoadBalancer", "annotations": {"example.com/from": name}}
    world.store.create(
        PARAMETERS,
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyProxy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"provider": {"type": "Kubernetes", "kubernetes": {"envoyService": service}}},
        },
    )


def make_gateway(world: World, **spec: Any) -> None:
    https = {
        "name": "https",
        "port": 443,
        "protocol": "HTTPS",
        "hostname": "*.i.example.com",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": CERTIFICATE}]},
    }
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}, https]
    world.store.create(
        GATEWAYS,
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "gateway", "namespace": "ours"},
            "spec": {"gatewayClassName": "eg", "listeners": listeners, **spec},
        },
    )


def make_certificate(world: World) -> None:
    text = base64.b64encode(b"x").decode()
    world.store.create(
        "secrets",
        {
            "metadata": {"name": CERTIFICATE, "namespace": "ours"},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": text, "tls.key": text},
        },
    )


async def test_from_class_to_address_and_back(controlled: World) -> None:
    world = controlled
    make_class(world)
    make_gateway(world)
    await world.until(
        lambda: (
            world.condition(world.store.find(CLASSES, "", "eg"), "Accepted")
            == ("False", "InvalidParameters")
        )
    )
    assert world.services() == []

    make_parameters(world)
    gateway = await world.until(
        lambda: world.condition(world.gateway(), "Programmed")[0] == "True" and world.gateway()
    )
    [service] = world.services()
    assert gateway["status"]["addresses"] == [
        {"type": "IPAddress", "value": service["status"]["loadBalancer"]["ingress"][0]["ip"]}
    ]
    assert service["metadata"]["name"].startswith("envoy-ours-gateway-")
    assert service["metadata"]["annotations"] == {"example.com/from": "envoy-proxy"}
    # The certificate is still missing: its listener, and its port, come later.
    assert world.listener("https", "ResolvedRefs") == ("False", "InvalidCertificateRef")
    assert world.listener("http", "Programmed")[0] == "True"
    assert [port["port"] for port in service["spec"]["ports"]] == [80]

    make_certificate(world)
    await world.until(lambda: world.listener("https", "ResolvedRefs")[0] == "True")
    await world.until(
        lambda: [p["port"] for p in world.services()[0]["spec"]["ports"]] == [80, 443]
    )

    world.store.delete(GATEWAYS, "ours", "gateway")
    await world.until(lambda: world.services() == [])
    assert world.gateway() is None


async def test_a_class_in_use_is_kept_until_its_gateways_are_gone(controlled: World) -> None:
    world = controlled
    make_parameters(world)
    make_class(world)
    make_gateway(world)
    await world.until(lambda: world.store.find(CLASSES, "", "eg")["metadata"].get("finalizers"))
    world.store.delete(CLASSES, "", "eg")
    assert world.store.find(CLASSES, "", "eg") is not None
    world.store.delete(GATEWAYS, "ours", "gateway")
    await world.until(lambda: world.store.find(CLASSES, "", "eg") is None)


async def test_a_gateways_own_parameters_win(controlled: World) -> None:
    world = controlled
    make_parameters(world)
    make_class(world)
    reference = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "own"}
    make_gateway(world, infrastructure={"parametersRef": reference})
    await world.until(
        lambda: world.condition(world.gateway(), "Accepted") == ("False", "InvalidParameters")
    )
    make_parameters(world, "own", "ours")
    await world.until(lambda: world.condition(world.gateway(), "Programmed")[0] == "True")
    assert world.services()[0]["metadata"]["annotations"] == {"example.com/from": "own"}


async def test_a_class_of_another_controller_is_left_alone(controlled: World) -> None:
    world = controlled
    world.store.create(CLASSES, class_of("eg", "example.com/other"))
    make_gateway(world)
    make_parameters(world)
    world.store.create(CLASSES, class_of("ours", CONTROLLER))
    # Once it has answered for its own class it has seen the others, too.
    await world.until(
        lambda: world.condition(world.store.find(CLASSES, "", "ours"), "Accepted")[0] == "True"
    )
    assert "status" not in world.store.find(CLASSES, "", "eg")
    assert world.services() == []


async def test_uninstalling_leaves_what_hooks_made(served: World) -> None:
    """As in life: helm does not own what hooks create; who removes the rest must know them.

    The last with this controller.
    """
    await served.helm.uninstall("eg", SYSTEM, timeout=30)
    webhooks = served.store.items("mutatingwebhookconfigurations.admissionregistration.k8s.io")
    assert [item["metadata"]["name"] for item in webhooks] == [
        f"envoy-gateway-topology-injector.{SYSTEM}"
    ]
    assert served.store.find("secrets", SYSTEM, "envoy-gateway") is not None


async def test_the_device_plugin_offers_the_nodes_gpus(world: World) -> None:
    """By its own affinity those of labelled nodes alone."""
    world.namespace("nvidia")
    await world.install("nvdp", "nvidia", "nvidia-device-plugin")
    [daemons] = world.store.items("daemonsets.apps", "nvidia")
    assert daemons["status"]["desiredNumberScheduled"] == 0

    await world.install("nvdp", "nvidia", "nvidia-device-plugin", affinity=None)
    gpu = world.store.get("nodes", "", "gpu")
    assert gpu["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    assert "nvidia.com/gpu" not in world.store.get("nodes", "", "cpu")["status"]["allocatable"]
    assert "nvidia.com/gpu.product" not in gpu["metadata"]["labels"]

    await world.install(
        "nvdp", "nvidia", "nvidia-device-plugin", affinity=None, gfd={"enabled": True}
    )
    labels = world.store.get("nodes", "", "gpu")["metadata"]["labels"]
    assert labels["nvidia.com/gpu.product"] == "Tesla-T4"
    assert labels["nvidia.com/gpu.count"] == "4"

    await world.helm.uninstall("nvdp", "nvidia", timeout=30)
    await world.until(
        lambda: (
            world.store.get("nodes", "", "gpu")["status"]["allocatable"]["nvidia.com/gpu"] == "0"
        )
    )
