"""What pods are told reaches every one that comes of a setup, and is taken away again."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.pod_probe import PodProbe, Question
from anyscale_k8s_cli.addons.pod_settings import CA_BUNDLE, CA_VARIABLES
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.tls import Authority

from .site import NODES, Site, inventory, make_site

NAMESPACES = ("ray", "envoy-gateway-system", "nvidia-device-plugin")
REGISTRY = "registry.example:5000/mirror"
TAINT = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
PODS: dict[str, Any] = {
    "node_selector": {"pool": "ml"},
    "tolerations": ("dedicated=ml:NoSchedule",),
    "labels": {"example.com/team": "ml"},
    "annotations": {"example.com/owner": "someone"},
    "image_registry": REGISTRY,
    "image_pull_secrets": ("mirror",),
    "https_proxy": "http://proxy.example:3128",
    "no_proxy": ("10.0.0.0/8",),
    "ca_bundle": Authority().ca_pem.decode(),
}

EXPECTED = (
    *("anyscale-operator-", "anyscale-k8s-probe", "eg-gateway-helm-certgen", "envoy-gateway-"),
    *("envoy-ray-gateway-", "nvdp-nvidia-device-plugin-gpu-feature-discovery"),
    *(f"nvdp-node-feature-discovery-{role}-" for role in ("gc", "master", "worker")),
)


class Witness:
    """Every pod that is ever made, whatever becomes of it."""

    def __init__(self, world: Any) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        world.standin.store.subscribe(self._see)

    def _see(self, event: Any) -> None:
        if event.key == "pods" and event.kind == "ADDED":
            self.pods[event.object["metadata"]["uid"]] = event.object

    def of(self, *names: str) -> list[dict[str, Any]]:
        return [pod for pod in self.pods.values() if pod["metadata"]["name"].startswith(names)]


@pytest.fixture
def tainted(make_world: Any, helm4: Any, tmp_path: Any) -> Site:
    """A cluster of which no node takes a pod that tolerates nothing."""
    gpu = NODES[1]["metadata"]["labels"]
    nodes = [
        node("ml-1", labels={"pool": "ml"}, taints=[TAINT]),
        node("gpu-1", labels=gpu, taints=[TAINT]),
    ]
    return make_site(make_world, helm4, tmp_path, nodes=nodes)


def test_every_pod_gets_all_that_was_said_and_loses_it_again(tainted: Site) -> None:
    witness, before = Witness(tainted.world), inventory(tainted.world)
    discovery = {"gpu_plugin": {"values": {"gfd": {"enabled": True}}}}
    tainted.world.apply(tainted.install(spec={"pods": PODS, "addons": discovery}).resources)
    probe = PodProbe(tainted.world.kubernetes, _install(), None, registry=REGISTRY, seconds=5)
    with pytest.raises(errors.CliError):
        probe.ask(Question())

    living = [
        pod
        for namespace in NAMESPACES
        for pod in tainted.world.kubernetes.list("v1", "Pod", namespace)
    ]
    short = witness.of("eg-gateway-helm-certgen", "anyscale-k8s-probe")
    pods = {pod["metadata"]["name"]: pod for pod in (*living, *short)}
    for name in EXPECTED:
        assert any(found.startswith(name) for found in pods), name
    assert not witness.of("anyscale-operator-instance-types-validation")
    for name, pod in pods.items():
        spec, metadata = pod["spec"], pod["metadata"]
        assert metadata["labels"]["example.com/team"] == "ml", name
        assert metadata["annotations"]["example.com/owner"] == "someone", name
        assert spec["imagePullSecrets"] == [{"name": "mirror"}], name
        assert [c["image"] for c in spec["containers"] if not c["image"].startswith(REGISTRY)] == []
        assert any(item.get("key") == "dedicated" for item in spec["tolerations"]), name
        on_gpu_nodes = name.startswith(("nvdp-nvidia", "nvdp-node-feature-discovery-worker"))
        assert on_gpu_nodes or spec["nodeSelector"] == {"pool": "ml"}, name

    for pod in (*witness.of("anyscale-k8s-probe"), *_operators(tainted)):
        for container in pod["spec"]["containers"]:
            said = {item["name"]: item.get("value") for item in container["env"]}
            assert said["HTTPS_PROXY"] == said["https_proxy"] == "http://proxy.example:3128"
            assert {"10.0.0.0/8", ".svc", "127.0.0.1", "169.254.169.254"} <= set(
                said["NO_PROXY"].split(",")
            )
            assert set(CA_VARIABLES) <= set(said)
            assert CA_BUNDLE in [item["name"] for item in container["volumeMounts"]]
    address = tainted.world.kubernetes.get("v1", "Service", "kubernetes", "default")
    assert address["spec"]["clusterIP"] in said["NO_PROXY"].split(",")

    again = tainted.install(spec={"pods": PODS, "addons": discovery})
    assert tainted.world.changes(again.resources) == {}

    less = {"tolerations": PODS["tolerations"], "node_selector": PODS["node_selector"]}
    fewer_spec = {"pods": less, "addons": discovery}
    fewer = tainted.install(spec=fewer_spec)
    assert {key.rpartition("/")[2] for key in tainted.world.changes(fewer.resources)} == {
        *("anyscale-operator", "eg", "nvdp", "gateway", CA_BUNDLE),
    }
    bundle = f"k8s:configmap/ray/{CA_BUNDLE}"
    assert tainted.world.changes(fewer.resources)[bundle] == "delete"
    tainted.world.apply(fewer.resources)
    assert tainted.world.kubernetes.get("v1", "ConfigMap", CA_BUNDLE, "ray") is None
    assert tainted.world.changes(tainted.install(spec=fewer_spec).resources) == {}
    for pod in _operators(tainted):
        assert "example.com/team" not in pod["metadata"]["labels"]
        assert CA_BUNDLE not in [item["name"] for item in pod["spec"]["volumes"]]

    fate = tainted.remove(tainted.install(teardown=True))
    assert set(fate.values()) == {"delete"}
    assert bundle not in fate
    assert inventory(tainted.world) == before


def _operators(site: Site) -> list[dict[str, Any]]:
    found = site.world.kubernetes.list("v1", "Pod", "ray", label_selector="app=anyscale-operator")
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def _install() -> Install:
    return Install("eks", "1", "eu-west-1", "cluster/one", "ray", "prod", "uid-1")
