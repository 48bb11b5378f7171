"""Installs beside each other, and beside what others have put into the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import ClusterSide
from anyscale_k8s_cli.addons.gateway_controller import CHART, NAMESPACE
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.release_records import newest
from anyscale_k8s_cli.cluster.shared_releases import SharedHelmRelease

from .site import CPU, GPU_POOL, Site, make_site


def test_two_installs_share_controller_and_definitions(site: Site) -> None:
    first = site.install("first", "ray-one")
    second = site.install("second", "ray-two")
    site.world.apply(first.resources)
    site.world.apply(second.resources)
    assert site.world.changes(site.install("first", "ray-one").resources) == {}
    assert site.world.changes(site.install("second", "ray-two").resources) == {}
    # What the second says of pods reaches its own, and not those that it shares.
    labelled = site.install("second", "ray-two", spec={"pods": {"labels": {"team": "ml"}}})
    assert site.world.changes(labelled.resources) == {
        "k8s:envoyproxy/ray-two/gateway": "update",
        "helm:release/ray-two/anyscale-operator": "update",
    }
    shared = [item for item in labelled.resources if isinstance(item, SharedHelmRelease)]
    assert [item.serves_others(found) for item in shared if (found := item.read())] == [True, True]

    fate = site.remove(site.install("first", "ray-one", teardown=True))
    kept = {key for key, what in fate.items() if what == "keep"}
    assert kept == {
        "k8s:namespace/envoy-gateway-system",
        "k8s:namespace/nvidia-device-plugin",
        "k8s:definitions/gateway.networking.k8s.io",
        "k8s:definitions/gateway.envoyproxy.io",
        "helm:release/envoy-gateway-system/eg",
        "helm:release/nvidia-device-plugin/nvdp",
    }
    assert site.world.changes(site.install("second", "ray-two").resources) == {}
    fate = site.remove(site.install("second", "ray-two", teardown=True))
    assert set(fate.values()) == {"delete"}


def test_a_controller_of_others_is_used_and_none_installed_beside_it(site: Site) -> None:
    async def by_hand() -> None:
        archive = await site.tools.charts.fetch(CHART)
        await site.tools.helm.upgrade("theirs", "infra", archive, {}, timeout=30, wait=False)

    definitions = site.install(spec=CPU).resources
    api = [item for item in definitions if item.key.startswith("k8s:definitions/")]
    site.world.apply(api)
    site.world.kubernetes.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "infra"}}
    )
    asyncio.run(by_hand())
    side = site.install(spec=CPU)
    changes = site.world.changes(side.resources)
    assert changes["helm:release/envoy-gateway-system/eg"] == "keep"
    assert f"k8s:namespace/{NAMESPACE}" not in changes
    site.world.apply(side.resources)
    assert site.world.kubernetes.get("v1", "Namespace", NAMESPACE) is None
    fate = site.remove(site.install(teardown=True, spec=CPU))
    assert fate["helm:release/envoy-gateway-system/eg"] == "keep"
    assert newest(site.world.kubernetes, "infra", "theirs") is not None


def test_a_gateway_that_nobody_serves_says_who_should(
    make_world: Any, helm4: Any, tmp_path: Path
) -> None:
    site = make_site(make_world, helm4, tmp_path, load_balancers=_Nobody())
    with pytest.raises(errors.CliError) as caught:
        site.world.apply(site.install(spec=CPU, timeouts={"load_balancer": 2}).resources)
    problem = caught.value
    assert problem.code is errors.NO_ADDRESS
    assert problem.details == {"cause": "not-served"}
    assert "the pool should" in problem.cause


class _Nobody:
    async def ensure(self, service: Any) -> None:
        return None

    async def remove(self, service: Any) -> None: ...


def test_cpu_only_and_switched_off_install_no_plugin(site: Site) -> None:
    assert not _plugin_keys(site.install(spec={"gpu": "off"}))
    site.world.kubernetes.delete(Reference("v1", "Node", "gpu-1"))
    assert not _plugin_keys(site.install(pools=()))


def _plugin_keys(side: ClusterSide) -> Iterator[str] | list[str]:
    return [item.key for item in side.resources if "nvidia" in item.key]


def test_a_plugin_that_the_node_image_brings_is_kept(site: Site) -> None:
    pool = replace(GPU_POOL, gpu_plugin_owner="the node image")
    side = site.install(pools=(pool,))
    changes = site.world.changes(side.resources)
    assert changes["helm:release/nvidia-device-plugin/nvdp"] == "keep"
    assert "k8s:namespace/nvidia-device-plugin" not in changes
