"""The steps that are handed over, by what a cluster has already."""

from __future__ import annotations

from typing import Any, cast

import pytest

from anyscale_k8s_cli.addons import gpu
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.operations.handing_over import HandOver, Place
from anyscale_k8s_cli.operations.requests import RegisterRequest
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.spec import CloudSpec

from .conftest import install_of
from .site import GPU_POOL, Platform, spec_again

PLUGIN = "Install the plugin for GPUs"


class Located(Platform):
    """A platform that says again where an install is."""

    name = "eks"

    def locate(self, install: Any) -> CloudSpec:
        return spec_again(install, "demo")


def steps(world: Any) -> dict[str, str]:
    nobody = cast("Any", None)
    spec = CloudSpec(
        provider="eks",
        name="reg",
        namespace="ray",
        cluster={"name": "demo"},
        network={"kind": "none"},
    )
    cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", world.access())
    context = InstallContext(
        spec=spec,
        install=install_of("reg"),
        provider=cast("Any", Located()),
        cluster=Cluster(**{**vars(cluster), "node_pools": (GPU_POOL,)}),
        nodes=[node("gpu-1", labels={"pool": "gpu", "nvidia.com/gpu.present": "true"})],
        control_plane_url="",
        user_domain="",
    )
    handed = HandOver(Place(context, nobody, nobody, world.kubernetes), {}, (), (), "")
    return {step["title"]: step["command"] for step in handed.as_json(RegisterRequest())["next"]}


def plugin(**annotations: str) -> dict[str, Any]:
    labels = {"app": "plugin"}
    container = {"name": "plugin", "image": "plugin"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": "nvdp-nvidia-device-plugin",
            "namespace": "default",
            "annotations": annotations,
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.mark.parametrize("release", [(gpu.NAMESPACE, gpu.RELEASE), ("theirs", "theirs")])
def test_a_plugin_that_serves_the_nodes_gets_no_second_beside_it(
    world: Any, release: tuple[str, str]
) -> None:
    assert PLUGIN in steps(world)
    namespace, name = release
    annotated = {
        "meta.helm.sh/release-namespace": namespace,
        "meta.helm.sh/release-name": name,
    }
    world.kubernetes.create(plugin(**annotated))

    assert PLUGIN not in steps(world)


def test_what_comes_last_names_the_place_of_the_install(world: Any) -> None:
    assert steps(world)["See whether it works"] == (
        "anyscale cloud verify reg --provider eks --region eu-west-1 --cluster-name demo "
        "--namespace ray"
    )
