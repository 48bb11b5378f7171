"""Managed Kubernetes: clusters and node groups as its API tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nebius.api.nebius.mk8s.v1 import (
    ClusterServiceClient,
    ClusterStatus,
    GetClusterRequest,
    ListClustersRequest,
    ListNodeGroupsRequest,
    NodeGroupServiceClient,
    NodeTaint,
)

from anyscale_k8s_cli.providers.nebius.sdk.session import LIMITS, PAGE, Session

RUNNING, DELETING = "RUNNING", "DELETING"
_EFFECTS = {
    NodeTaint.Effect.NO_EXECUTE: "NoExecute",
    NodeTaint.Effect.NO_SCHEDULE: "NoSchedule",
    NodeTaint.Effect.PREFER_NO_SCHEDULE: "PreferNoSchedule",
}


@dataclass(frozen=True)
class ClusterDescription:
    """Endpoints are URLs, empty where there is none. `admitted` are the only networks that
    the public one answers to, if not to all."""

    id: str
    name: str
    project: str
    state: str
    version: str
    public_endpoint: str
    private_endpoint: str
    ca_pem: str
    admitted: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeGroup:
    """`size` is how many nodes are wanted now, `most` how many there may be.

    `drivers` is the preset of GPU drivers in the image, empty for none; with `dra` there
    is no device plugin beside them.
    """

    id: str
    name: str
    platform: str
    preset: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    size: int
    most: int
    drivers: str
    dra: bool
    preemptible: bool = False

    @property
    def gpu(self) -> bool:
        """By their presets: `8gpu-128vcpu-1600gb`."""
        return "gpu" in self.preset


class Clusters:
    """The clusters of the session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> Iterator[ClusterDescription]:
        project = self._session.project
        for page in self._session.pages(
            "mk8s.cluster.list",
            lambda token: self._clusters.list(
                ListClustersRequest(parent_id=project, page_size=PAGE, page_token=token), **LIMITS
            ),
        ):
            yield from map(_description, page.items)

    def get(self, cluster_id: str) -> ClusterDescription | None:
        """The cluster of an id, of whatever project; None when there is none."""
        found = self._session.find(
            "mk8s.cluster.get",
            lambda: self._clusters.get(GetClusterRequest(id=cluster_id), **LIMITS),
        )
        return _description(found) if found is not None else None

    def node_groups(self, cluster_id: str) -> list[NodeGroup]:
        service = NodeGroupServiceClient(self._session.sdk)
        pages = self._session.pages(
            "mk8s.nodegroup.list",
            lambda token: service.list(
                ListNodeGroupsRequest(parent_id=cluster_id, page_size=PAGE, page_token=token),
                **LIMITS,
            ),
        )
        return [_group(item) for page in pages for item in page.items]

    @property
    def _clusters(self) -> ClusterServiceClient:
        return ClusterServiceClient(self._session.sdk)


def _description(item: Any) -> ClusterDescription:
    plane = item.status.control_plane
    endpoints, auth = (plane.endpoints, plane.auth) if plane else (None, None)
    wanted = item.spec.control_plane.endpoints
    public = wanted.public_endpoint if wanted else None
    return ClusterDescription(
        id=item.metadata.id,
        name=item.metadata.name,
        project=item.metadata.parent_id,
        state=ClusterStatus.State(item.status.state).name,
        version=(plane.version if plane else "") or item.spec.control_plane.version,
        public_endpoint=_url(endpoints.public_endpoint if endpoints else ""),
        private_endpoint=_url(endpoints.private_endpoint if endpoints else ""),
        ca_pem=auth.cluster_ca_certificate if auth else "",
        admitted=tuple(public.allowed_cidrs) if public else (),
    )


def _url(endpoint: str) -> str:
    return endpoint if not endpoint or "://" in endpoint else f"https://{endpoint}"


def _group(item: Any) -> NodeGroup:
    template, autoscaling = item.spec.template, item.spec.autoscaling
    size = int(item.status.target_node_count or item.spec.fixed_node_count or 0)
    gpus = template.gpu_settings
    return NodeGroup(
        id=item.metadata.id,
        name=item.metadata.name,
        platform=template.resources.platform,
        preset=template.resources.preset,
        labels=dict(template.metadata.labels) if template.metadata else {},
        taints=tuple(
            {"key": taint.key, "value": taint.value, "effect": _EFFECTS.get(taint.effect, "")}
            for taint in template.taints
        ),
        size=size,
        most=int(autoscaling.max_node_count) if autoscaling else size,
        drivers=gpus.drivers_preset if gpus else "",
        dra=bool(gpus and gpus.dra),
        # A message that is not set is read as an empty one, and an empty one means yes here.
        preemptible=template.check_presence("preemptible"),
    )
