"""Pools whose nodes may be taken away, as each platform's own SDK tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli.provider import NodePool


def on_eks(spot: bool) -> NodePool:
    from anyscale_k8s_cli.providers.eks import discovery
    from anyscale_k8s_cli.providers.eks.sdk import eks

    kind = "SPOT" if spot else "ON_DEMAND"
    return discovery._pool(eks._group({"nodegroupName": "g", "capacityType": kind}))


def on_gke(spot: bool) -> NodePool:
    from google.cloud import container_v1

    from anyscale_k8s_cli.providers.gke import discovery
    from anyscale_k8s_cli.providers.gke.sdk import container

    accelerators = [{"accelerator_type": "nvidia-l4", "accelerator_count": 1}]
    said: Any = {"name": "g", "config": {"spot": spot, "accelerators": accelerators}}
    return discovery._pool(container._pool(container_v1.NodePool(said)))


def on_aks(spot: bool) -> NodePool:
    from azure.mgmt.containerservice.models import ManagedClusterAgentPoolProfile

    from anyscale_k8s_cli.providers.aks import discovery
    from anyscale_k8s_cli.providers.aks.sdk import clusters

    more = {"scale_set_priority": "Spot"} if spot else {}
    return discovery._pool(clusters._pool(ManagedClusterAgentPoolProfile(name="g", **more)))


def on_nebius(spot: bool) -> NodePool:
    from nebius.api.nebius.common.v1 import ResourceMetadata
    from nebius.api.nebius.mk8s.v1 import (
        NodeGroup,
        NodeGroupSpec,
        NodeGroupStatus,
        NodeTemplate,
        PreemptibleSpec,
        ResourcesSpec,
    )

    from anyscale_k8s_cli.providers.nebius import discovery
    from anyscale_k8s_cli.providers.nebius.sdk import clusters

    template = NodeTemplate(
        resources=ResourcesSpec(platform="cpu-d3", preset="4vcpu-16gb"),
        preemptible=PreemptibleSpec() if spot else None,
    )
    group = NodeGroup(
        metadata=ResourceMetadata(id="g", name="g"),
        spec=NodeGroupSpec(template=template, fixed_node_count=1),
        status=NodeGroupStatus(),
    )
    return discovery._pool(clusters._group(group))


def on_oke(spot: bool) -> NodePool:
    from oci.container_engine.models import (
        NodePoolNodeConfigDetails,
        NodePoolPlacementConfigDetails,
        NodePoolSummary,
        PreemptibleNodeConfigDetails,
    )

    from anyscale_k8s_cli.providers.oke import discovery
    from anyscale_k8s_cli.providers.oke.sdk import clusters

    more = {"preemptible_node_config": PreemptibleNodeConfigDetails()} if spot else {}
    details = NodePoolNodeConfigDetails(placement_configs=[NodePoolPlacementConfigDetails(**more)])
    pool = NodePoolSummary(name="g", node_shape="VM.Standard.E4", node_config_details=details)
    return discovery._pool(clusters._pool(pool), discovery.OkeFacts("c", (), False))


@pytest.mark.parametrize("told", [on_eks, on_gke, on_aks, on_nebius, on_oke])
def test_a_pool_of_spot_nodes_is_known(told: Callable[[bool], NodePool]) -> None:
    assert told(True).spot
    assert not told(False).spot


def test_what_the_platform_puts_on_new_nodes_is_known_beforehand() -> None:
    assert on_eks(False).labels["eks.amazonaws.com/nodegroup"] == "g"
    assert on_gke(False).labels["cloud.google.com/gke-accelerator"] == "nvidia-l4"
