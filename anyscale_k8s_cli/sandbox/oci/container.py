"""Container engine: clusters, their node pools and add-ons, and the way to a cluster.

https://docs.oracle.com/iaas/api/#/en/containerengine
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from anyscale_k8s_cli.sandbox.oci.api import Answer, Call, Route, page
from anyscale_k8s_cli.sandbox.oci.policies import Need
from anyscale_k8s_cli.sandbox.oci.refusals import conflict, invalid, not_there
from anyscale_k8s_cli.sandbox.oci.seed import (
    GPU_PLUGIN,
    REGION,
    ClusterSeed,
    NodePoolSeed,
    ocid,
)
from anyscale_k8s_cli.sandbox.oci.tenancy import Tenancy

BASE = "/20180222"


@dataclass
class Cluster:
    """`endpoint` and `ca_pem` are those of the stand-in that plays the cluster."""

    seed: ClusterSeed
    endpoint: str = ""
    ca_pem: str = ""
    reads_left: int = 0
    deleted: bool = False


@dataclass
class Clusters:
    """The tenancy's clusters by their ids. Deleted ones stay listed, as they do in life."""

    items: dict[str, Cluster] = field(default_factory=dict)

    @classmethod
    def of(cls, seeds: Iterable[ClusterSeed]) -> Clusters:
        return cls({seed.id: Cluster(seed, reads_left=seed.reads_while_creating) for seed in seeds})

    def get(self, cluster_id: str) -> Cluster:
        found = self.items.get(cluster_id)
        if found is None:
            raise not_there()
        return found


@dataclass(frozen=True)
class ContainerEngine:
    tenancy: Tenancy
    clusters: Clusters

    def routes(self) -> list[Route]:
        one = f"{BASE}/clusters/{{id}}"
        return [
            Route("ListClusters", "GET", f"{BASE}/clusters", self._list),
            Route("GetCluster", "GET", one, self._get),
            Route(
                "CreateKubeconfig",
                "POST",
                f"{one}/kubeconfig/content",
                self._kubeconfig,
                reads=True,
            ),
            Route("ListAddons", "GET", f"{one}/addons", self._addons),
            Route("ListNodePools", "GET", f"{BASE}/nodePools", self._pools),
            Route("ListVirtualNodePools", "GET", f"{BASE}/virtualNodePools", self._virtual),
        ]

    def _check(self, call: Call, verb: str, what: str, place: str) -> None:
        self.tenancy.check(call.caller, Need(verb, what, place))

    def _found(self, call: Call, verb: str, cluster_id: str = "") -> Cluster:
        found = self.clusters.get(cluster_id or call.path["id"])
        if call.region != REGION:
            raise not_there()
        self._check(call, verb, "clusters", found.seed.compartment)
        return found

    def _list(self, call: Call) -> Answer:
        place, name = call.asked("compartmentId"), call.query.get("name")
        self._check(call, "inspect", "clusters", place)
        found = [
            self._shown(item)
            for item in self.clusters.items.values()
            if item.seed.compartment == place
            and name in (None, item.seed.name)
            and call.region == REGION
        ]
        return page(found, call.query)

    def _get(self, call: Call) -> Answer:
        return Answer(self._shown(self._found(call, "read")))

    def _shown(self, item: Cluster) -> dict[str, Any]:
        seed = item.seed
        state = "DELETED" if item.deleted else "CREATING" if item.reads_left else "ACTIVE"
        item.reads_left = max(item.reads_left - 1, 0)
        host = item.endpoint.removeprefix("https://")
        # Of one that has no public endpoint the private one listens here.
        ends = {"privateEndpoint": host}
        if seed.public_endpoint:
            ends = {"privateEndpoint": "10.0.0.12:6443", "publicEndpoint": host}
        return {
            "id": seed.id,
            "name": seed.name,
            "compartmentId": seed.compartment,
            "kubernetesVersion": f"v{seed.version}",
            "lifecycleState": state,
            "type": seed.kind,
            "endpoints": ends if state == "ACTIVE" else {},
            "endpointConfig": {"isPublicIpEnabled": seed.public_endpoint},
            "vcnId": seed.network,
            "freeformTags": {},
        }

    def _kubeconfig(self, call: Call) -> Answer:
        found = self._found(call, "use")
        if found.deleted or found.reads_left:
            raise conflict("IncorrectState", "The cluster is not ACTIVE")
        wanted = call.body.get("endpoint", "PUBLIC_ENDPOINT")
        if wanted == "PUBLIC_ENDPOINT" and not found.seed.public_endpoint:
            raise invalid("The cluster has no public endpoint")
        return Answer(_kubeconfig(found, call.region, public=wanted == "PUBLIC_ENDPOINT"))

    def _addons(self, call: Call) -> Answer:
        found = self._found(call, "read")
        self._check(call, "inspect", "cluster-addons", found.seed.compartment)
        names = ["CoreDNS", "KubeProxy", *([GPU_PLUGIN] if found.seed.gpu_plugin else [])]
        return page([{"name": name, "lifecycleState": "ACTIVE"} for name in names], call.query)

    def _pools(self, call: Call) -> Answer:
        place = call.asked("compartmentId")
        self._check(call, "inspect", "cluster-node-pools", place)
        found = [
            _pool(item.seed, pool)
            for item in self.clusters.items.values()
            if call.query.get("clusterId") in (None, item.seed.id)
            and item.seed.compartment == place
            for pool in item.seed.node_pools
        ]
        return page(found, call.query)

    def _virtual(self, call: Call) -> Answer:
        place = call.asked("compartmentId")
        self._check(call, "inspect", "virtual-node-pools", place)
        found = [
            {
                "id": ocid("virtualnodepool", item.seed.name, "iad"),
                "compartmentId": place,
                "clusterId": item.seed.id,
                "displayName": "virtual",
                "kubernetesVersion": f"v{item.seed.version}",
                "lifecycleState": "ACTIVE",
                "placementConfigurations": [],
            }
            for item in self.clusters.items.values()
            if item.seed.virtual
            and item.seed.compartment == place
            and call.query.get("clusterId") in (None, item.seed.id)
        ]
        return page(found, call.query)


def _pool(seed: ClusterSeed, pool: NodePoolSeed) -> dict[str, Any]:
    return {
        "id": seed.pool_id(pool),
        "compartmentId": seed.compartment,
        "clusterId": seed.id,
        "name": pool.name,
        "kubernetesVersion": f"v{seed.version}",
        "nodeShape": pool.shape,
        "initialNodeLabels": [{"key": k, "value": v} for k, v in sorted(pool.labels.items())],
        "nodeConfigDetails": {"size": pool.size, "placementConfigs": []},
        "lifecycleState": "ACTIVE",
    }


def _kubeconfig(item: Cluster, region: str, *, public: bool) -> str:
    """What Oracle's command line writes: who runs that command gets a token."""
    arguments = ["ce", "cluster", "generate-token", "--cluster-id", item.seed.id]
    elsewhere = item.seed.public_endpoint and not public
    server = "https://10.0.0.12:6443" if elsewhere else item.endpoint
    name = item.seed.id[-11:]
    ca = base64.b64encode(item.ca_pem.encode()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "",
            "clusters": [
                {
                    "name": f"cluster-{name}",
                    "cluster": {"server": server, "certificate-authority-data": ca},
                }
            ],
            "users": [
                {
                    "name": f"user-{name}",
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "oci",
                            "args": [*arguments, "--region", region],
                            "env": [],
                        }
                    },
                }
            ],
            "contexts": [
                {
                    "name": f"context-{name}",
                    "context": {"cluster": f"cluster-{name}", "user": f"user-{name}"},
                }
            ],
            "current-context": f"context-{name}",
        },
        sort_keys=False,
    )
