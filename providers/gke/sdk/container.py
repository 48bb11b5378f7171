"""Kubernetes Engine: clusters as its API tells of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.cloud import container_v1

from anyscale_k8s_cli.providers.gcs.sdk.session import TIMEOUT, Session

_ZONE = re.compile(r"(.+-.+)-[a-z]")
_EFFECTS = {1: "NoSchedule", 2: "PreferNoSchedule", 3: "NoExecute"}
GKE_METADATA = "GKE_METADATA"


@dataclass(frozen=True)
class Pool:
    """A node pool. `metadata_mode` is GKE_METADATA where pods can have identities."""

    name: str
    machine_type: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    size: int
    accelerators: tuple[str, ...]
    gpu_driver: bool
    metadata_mode: str
    spot: bool


@dataclass(frozen=True)
class ClusterDescription:
    """`endpoint` is empty without an IP endpoint, `dns_endpoint` without one open to outside.

    `admitted` are the only networks that a public endpoint answers to, if not to all.
    `location` is a region or a zone, `id` the path `projects/…/clusters/…`; `network` has the
    path `projects/…/global/networks/…`, maybe of another project.
    """

    name: str
    id: str
    location: str
    zones: tuple[str, ...]
    status: str
    status_message: str
    version: str
    endpoint: str
    public_endpoint: bool
    admitted: tuple[str, ...]
    ca_pem: str
    dns_endpoint: str
    autopilot: bool
    workload_pool: str
    pools: tuple[Pool, ...]
    network: str = ""

    @property
    def region(self) -> str:
        return region_of(self.location)

    @property
    def open_to_all(self) -> bool:
        return self.public_endpoint and not self.admitted


def region_of(location: str) -> str:
    """The region of a region or a zone."""
    zone = _ZONE.fullmatch(location)
    return zone[1] if zone else location


class Container:
    """The clusters of the session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def clusters(self) -> tuple[list[ClusterDescription], list[str]]:
        """All clusters, wherever they are, and the zones that do not answer for now."""
        parent = f"projects/{self._session.project}/locations/-"
        answer = self._session.ask(
            "container.clusters.list",
            lambda: self._client.list_clusters(parent=parent, timeout=TIMEOUT[1], retry=None),
        )
        found = [_description(item, self._session.project) for item in answer.clusters]
        return found, list(answer.missing_zones)

    def cluster(self, path: str) -> ClusterDescription | None:
        """The cluster of that path; None when the project's API says that there is none."""
        found = self._session.find(
            "container.clusters.get",
            lambda: self._client.get_cluster(name=path, timeout=TIMEOUT[1], retry=None),
        )
        return _description(found, self._session.project) if found is not None else None

    @property
    def _client(self) -> container_v1.ClusterManagerClient:
        session = self._session
        return session.client(
            "container",
            lambda: container_v1.ClusterManagerClient(
                credentials=session.credentials,
                transport="rest",
                client_options=session.options("container"),
            ),
        )


def _description(item: Any, project: str) -> ClusterDescription:
    endpoints = item.control_plane_endpoints_config
    dns, by_ip = endpoints.dns_endpoint_config, endpoints.ip_endpoints_config
    authority = item.master_auth.cluster_ca_certificate
    networks = by_ip.authorized_networks_config
    if not networks.enabled:
        # Where it was said before clusters had several endpoints.
        networks = item.master_authorized_networks_config
    private = item.private_cluster_config.enable_private_endpoint
    return ClusterDescription(
        name=item.name,
        id=f"projects/{project}/locations/{item.location}/clusters/{item.name}",
        location=item.location,
        zones=tuple(item.locations),
        status=container_v1.Cluster.Status(item.status).name,
        status_message=item.status_message,
        version=item.current_master_version,
        endpoint=item.endpoint,
        public_endpoint=bool(item.endpoint)
        and not private
        and (by_ip.enable_public_endpoint or not by_ip.enabled),
        admitted=tuple(block.cidr_block for block in networks.cidr_blocks if networks.enabled),
        ca_pem=base64.b64decode(authority).decode() if authority else "",
        dns_endpoint=dns.endpoint if dns.allow_external_traffic else "",
        autopilot=item.autopilot.enabled,
        workload_pool=item.workload_identity_config.workload_pool,
        pools=tuple(_pool(pool) for pool in item.node_pools),
        network=item.network_config.network or f"projects/{project}/global/networks/{item.network}",
    )


def _pool(pool: Any) -> Pool:
    config = pool.config
    mode = container_v1.WorkloadMetadataConfig.Mode(config.workload_metadata_config.mode)
    accelerators = tuple(item.accelerator_type for item in config.accelerators)
    # 0 is not said, 1 is that the user brings the driver.
    drivers = [
        int(item.gpu_driver_installation_config.gpu_driver_version) for item in config.accelerators
    ]
    return Pool(
        name=pool.name,
        machine_type=config.machine_type,
        labels=dict(config.labels),
        taints=tuple(
            {"key": taint.key, "value": taint.value, "effect": _EFFECTS.get(int(taint.effect), "")}
            for taint in config.taints
        ),
        size=pool.initial_node_count * max(1, len(pool.locations)),
        accelerators=accelerators,
        gpu_driver=any(driver > 1 for driver in drivers),
        metadata_mode=mode.name,
        spot=config.spot,
    )
