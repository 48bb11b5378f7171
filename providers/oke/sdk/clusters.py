"""Container engine: clusters and node pools as its API tells of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from oci.container_engine import ContainerEngineClient
from oci.container_engine.models import CreateClusterKubeconfigContentDetails

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.oke import codes
from anyscale_k8s_cli.providers.oke.sdk.session import Session

ACTIVE, UPDATING = "ACTIVE", "UPDATING"
GONE = frozenset({"DELETING", "DELETED"})
GPU_PLUGIN = "NvidiaGpuPlugin"


@dataclass(frozen=True)
class ClusterDescription:
    """`public` is whether its API can be reached from outside the network, `network` its VCN."""

    id: str
    name: str
    compartment: str
    state: str
    version: str
    enhanced: bool
    public: bool
    network: str = ""


@dataclass(frozen=True)
class Entrance:
    """Where a cluster's API is, and the authority that vouches for it."""

    endpoint: str
    ca_pem: str


@dataclass(frozen=True)
class NodePoolDescription:
    id: str
    name: str
    shape: str
    labels: Mapping[str, str]
    size: int
    preemptible: bool = False

    @property
    def gpu(self) -> bool:
        """By their shapes: `VM.GPU.A10.1`, `BM.GPU4.8`."""
        return ".GPU" in self.shape


class Clusters:
    """The clusters of a region."""

    def __init__(self, session: Session, region: str) -> None:
        self._session = session
        self._region = region

    @property
    def _client(self) -> ContainerEngineClient:
        return self._session.client(ContainerEngineClient, self._region)

    def all(self, compartment: str, name: str | None = None) -> Iterator[ClusterDescription]:
        """Those of a compartment; deleted ones are still listed for a while."""
        named = {"name": name} if name else {}
        for item in self._session.items(
            "containerengine.ListClusters",
            lambda **page: self._client.list_clusters(compartment, **named, **page),
        ):
            yield _description(item)

    def get(self, cluster_id: str) -> ClusterDescription | None:
        """The cluster of an id, of whatever compartment; None when there is none."""
        found = self._session.find(
            "containerengine.GetCluster", lambda: self._client.get_cluster(cluster_id)
        )
        return _description(found.data) if found is not None else None

    def entrance(self, described: ClusterDescription) -> Entrance:
        """By its public endpoint, else by the private one."""
        kind = "PUBLIC_ENDPOINT" if described.public else "PRIVATE_ENDPOINT"
        details = CreateClusterKubeconfigContentDetails(token_version="2.0.0", endpoint=kind)  # noqa: S106
        answer = self._session.ask(
            "containerengine.CreateKubeconfig",
            lambda: self._client.create_kubeconfig(
                described.id, create_cluster_kubeconfig_content_details=details
            ),
        )
        try:
            cluster = yaml.safe_load(answer.data.text)["clusters"][0]["cluster"]
            ca = base64.b64decode(cluster["certificate-authority-data"], validate=True)
            return Entrance(str(cluster["server"]), ca.decode())
        except (yaml.YAMLError, binascii.Error, KeyError, IndexError, TypeError) as problem:
            raise CloudFailure(
                codes.OCI_FAILED,
                f"Oracle's kubeconfig of the cluster {described.name} cannot be read",
                type(problem).__name__,
                fix="run the same command again",
            ) from problem

    def node_pools(self, described: ClusterDescription) -> list[NodePoolDescription]:
        pools = self._session.items(
            "containerengine.ListNodePools",
            lambda **page: self._client.list_node_pools(
                described.compartment, cluster_id=described.id, **page
            ),
        )
        return [_pool(item) for item in pools if item.lifecycle_state not in GONE]

    def virtual_node_pools(self, described: ClusterDescription) -> list[str]:
        """Their names."""
        pools = self._session.items(
            "containerengine.ListVirtualNodePools",
            lambda **page: self._client.list_virtual_node_pools(
                described.compartment, cluster_id=described.id, **page
            ),
        )
        return [str(item.display_name) for item in pools if item.lifecycle_state not in GONE]

    def has_gpu_plugin(self, described: ClusterDescription) -> bool:
        """Whether Oracle's add-on offers the GPUs. Enhanced clusters alone have add-ons."""
        if not described.enhanced:
            return False
        addons = self._session.items(
            "containerengine.ListAddons",
            lambda **page: self._client.list_addons(described.id, **page),
        )
        return any(item.name == GPU_PLUGIN and item.lifecycle_state not in GONE for item in addons)


def _description(item: Any) -> ClusterDescription:
    config = item.endpoint_config
    return ClusterDescription(
        id=item.id,
        name=item.name,
        compartment=item.compartment_id,
        state=item.lifecycle_state,
        version=str(item.kubernetes_version or "").removeprefix("v"),
        enhanced=item.type == "ENHANCED_CLUSTER",
        public=bool(config.is_public_ip_enabled) if config else True,
        network=str(item.vcn_id or ""),
    )


def _pool(item: Any) -> NodePoolDescription:
    details = item.node_config_details
    return NodePoolDescription(
        id=item.id,
        name=item.name,
        shape=item.node_shape,
        labels={label.key: label.value for label in item.initial_node_labels or ()},
        size=int(details.size or 0) if details else 0,
        preemptible=any(
            place.preemptible_node_config
            for place in (details.placement_configs if details else None) or ()
        ),
    )
