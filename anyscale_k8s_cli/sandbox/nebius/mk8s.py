"""Managed Kubernetes: clusters and their node groups. Read only: worlds are seeded with them.

https://docs.nebius.com/kubernetes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.nebius import api, refusals
from anyscale_k8s_cli.sandbox.nebius.api import Call, Method, Methods
from anyscale_k8s_cli.sandbox.nebius.collection import page
from anyscale_k8s_cli.sandbox.nebius.nodes import SYSTEM
from anyscale_k8s_cli.sandbox.nebius.seed import PROJECT_ID, ClusterSeed, NodeGroupSeed
from anyscale_k8s_cli.sandbox.nebius.tenant import Tenant

# In a network that this machine is not in: nobody answers there.
_PRIVATE = "https://127.0.0.1:9"


@dataclass
class RunningCluster:
    """A cluster and where its API server listens."""

    seed: ClusterSeed
    endpoint: str = ""
    ca_pem: str = ""
    deleting: bool = False
    reads: int = 0


@dataclass
class Clusters:
    seeds: Sequence[ClusterSeed]
    items: dict[str, RunningCluster] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.items = {seed.id: RunningCluster(seed) for seed in self.seeds}

    def named(self, name: str) -> RunningCluster:
        """Raises LookupError."""
        found = [item for item in self.items.values() if item.seed.name == name]
        if not found:
            raise LookupError(f"there is no cluster {name}")
        return found[0]

    def remove(self, name: str) -> None:
        del self.items[self.named(name).seed.id]


@dataclass(frozen=True)
class Mk8s:
    tenant: Tenant
    clusters: Clusters

    def __post_init__(self) -> None:
        self.tenant.parents.update(
            dict.fromkeys(self.clusters.items, PROJECT_ID)
            | {
                item.seed.group_id(group): item.seed.id
                for item in self.clusters.items.values()
                for group in item.seed.node_groups
            }
        )

    def methods(self) -> Methods:
        clusters, groups = "nebius.mk8s.v1.ClusterService", "nebius.mk8s.v1.NodeGroupService"
        return {
            f"{clusters}/Get": Method(self._get, "mk8s.cluster.get"),
            f"{clusters}/GetByName": Method(self._by_name, "mk8s.cluster.get", api.parent),
            f"{clusters}/List": Method(self._list, "mk8s.cluster.list", api.parent),
            f"{groups}/List": Method(self._groups, "mk8s.nodegroup.list", api.parent),
        }

    def _get(self, call: Call) -> Any:
        return self._shown(self._running(call.request.id))

    def _by_name(self, call: Call) -> Any:
        request = call.request
        for item in self.clusters.items.values():
            if (PROJECT_ID, item.seed.name) == (request.parent_id, request.name):
                return self._shown(item)
        raise refusals.not_found("cluster", request.name)

    def _list(self, call: Call) -> Any:
        from nebius.api.nebius.mk8s.v1 import ListClustersResponse

        here = self.clusters.items.values() if call.request.parent_id == PROJECT_ID else ()
        shown, token = page([self._shown(item) for item in here], call.request)
        return ListClustersResponse(items=shown, next_page_token=token)

    def _groups(self, call: Call) -> Any:
        from nebius.api.nebius.mk8s.v1 import ListNodeGroupsResponse

        seed = self._running(call.request.parent_id).seed
        shown, token = page([_group(seed, group) for group in seed.node_groups], call.request)
        return ListNodeGroupsResponse(items=shown, next_page_token=token)

    def _running(self, cluster_id: str) -> RunningCluster:
        if cluster_id not in self.clusters.items:
            raise refusals.not_found("cluster", cluster_id)
        return self.clusters.items[cluster_id]

    def _shown(self, item: RunningCluster) -> Any:
        from nebius.api.nebius.common.v1 import ResourceMetadata
        from nebius.api.nebius.mk8s.v1 import (
            Cluster,
            ClusterSpec,
            ClusterStatus,
            ControlPlaneEndpointsSpec,
            ControlPlaneSpec,
            ControlPlaneStatus,
            ControlPlaneStatusAuth,
            ControlPlaneStatusEndpoints,
            PublicEndpointSpec,
        )

        seed = item.seed
        item.reads += 1
        state = ClusterStatus.State.RUNNING
        if item.reads <= seed.reads_while_creating:
            state = ClusterStatus.State.PROVISIONING
        if item.deleting:
            state = ClusterStatus.State.DELETING
        endpoints = ControlPlaneStatusEndpoints(
            private_endpoint=_PRIVATE,
            public_endpoint=item.endpoint if seed.public_endpoint else "",
        )
        wanted = ControlPlaneEndpointsSpec(
            public_endpoint=PublicEndpointSpec() if seed.public_endpoint else None
        )
        return Cluster(
            metadata=ResourceMetadata(id=seed.id, parent_id=PROJECT_ID, name=seed.name),
            spec=ClusterSpec(
                control_plane=ControlPlaneSpec(version=seed.version, endpoints=wanted)
            ),
            status=ClusterStatus(
                state=state,
                control_plane=ControlPlaneStatus(
                    version=f"{seed.version}.4",
                    endpoints=endpoints,
                    auth=ControlPlaneStatusAuth(cluster_ca_certificate=item.ca_pem),
                ),
            ),
        )


def _group(seed: ClusterSeed, group: NodeGroupSeed) -> Any:
    from nebius.api.nebius.common.v1 import ResourceMetadata
    from nebius.api.nebius.mk8s.v1 import (
        GpuSettings,
        NodeGroup,
        NodeGroupAutoscalingSpec,
        NodeGroupSpec,
        NodeGroupStatus,
        NodeMetadataTemplate,
        NodeTaint,
        NodeTemplate,
        PreemptibleSpec,
        ResourcesSpec,
    )

    effects = {
        "NoSchedule": NodeTaint.Effect.NO_SCHEDULE,
        "NoExecute": NodeTaint.Effect.NO_EXECUTE,
        "PreferNoSchedule": NodeTaint.Effect.PREFER_NO_SCHEDULE,
    }
    template = NodeTemplate(
        metadata=NodeMetadataTemplate(labels=dict(group.labels)),
        taints=[
            NodeTaint(key=item.key, value=item.value, effect=effects[item.effect])
            for item in group.taints
        ],
        resources=ResourcesSpec(platform=group.platform, preset=group.preset),
        os=SYSTEM,
        gpu_settings=GpuSettings(drivers_preset=group.drivers, dra=group.dra)
        if group.drivers
        else None,
        preemptible=PreemptibleSpec() if group.preemptible else None,
    )
    spec = NodeGroupSpec(version=seed.version, template=template)
    if group.most:
        spec.autoscaling = NodeGroupAutoscalingSpec(min_node_count=0, max_node_count=group.most)
    else:
        spec.fixed_node_count = group.size
    return NodeGroup(
        metadata=ResourceMetadata(id=seed.group_id(group), parent_id=seed.id, name=group.name),
        spec=spec,
        status=NodeGroupStatus(
            state=NodeGroupStatus.State.RUNNING,
            target_node_count=group.size,
            node_count=group.size,
            ready_node_count=group.size,
        ),
    )
