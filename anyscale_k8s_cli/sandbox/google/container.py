"""The Kubernetes Engine API: what can be read of clusters and their node pools.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.clusters import Cluster, Clusters
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, not_found
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.seed import NodePoolSeed

_PATH = "/v1/projects/{project}/locations/{location}/clusters"
_ONE = _PATH + "/{cluster}"
_POOLS = _ONE + "/nodePools"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_EFFECTS = {"NoSchedule": "NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}
_ANYWHERE = "-"


@dataclass(frozen=True)
class Container:
    """https://container.googleapis.com"""

    project: Project
    clusters: Clusters

    def service(self) -> Service:
        prefix = "container.projects.locations.clusters"
        return Service(
            "container",
            (
                Method(f"{prefix}.list", "GET", _PATH, self._list),
                Method(f"{prefix}.get", "GET", _ONE, self._get),
                Method(f"{prefix}.nodePools.list", "GET", _POOLS, self._list_pools),
                Method(f"{prefix}.nodePools.get", "GET", f"{_POOLS}/{{pool}}", self._get_pool),
            ),
        )

    def _list(self, call: Call) -> Reply:
        self._check(call, "container.clusters.list", f"projects/{call.params['project']}")
        location = call.params["location"]
        silent = sorted(self.clusters.silent)
        clusters = [
            self._shown(cluster)
            for cluster in self.clusters.all()
            if location in (_ANYWHERE, cluster.seed.location)
            and cluster.seed.location not in silent
        ]
        found = {"clusters": clusters, "missingZones": silent}
        return Reply({key: value for key, value in found.items() if value})

    def _get(self, call: Call) -> Reply:
        return Reply(self._shown(self._cluster(call)))

    def _list_pools(self, call: Call) -> Reply:
        cluster = self._cluster(call)
        pools = [self._pool(cluster, pool) for pool in cluster.seed.node_pools]
        return Reply({"nodePools": pools} if pools else {})

    def _get_pool(self, call: Call) -> Reply:
        cluster = self._cluster(call)
        for pool in cluster.seed.node_pools:
            if pool.name == call.params["pool"]:
                return Reply(self._pool(cluster, pool))
        raise not_found(f"Not found: {cluster.seed.path}/nodePools/{call.params['pool']}.")

    def _cluster(self, call: Call) -> Cluster:
        project, location = call.params["project"], call.params["location"]
        path = f"projects/{project}/locations/{location}/clusters/{call.params['cluster']}"
        self._check(call, "container.clusters.get", path)
        found = self.clusters.find(location, call.params["cluster"])
        if found is None:
            raise not_found(f"Not found: {path}.")
        return found

    def _check(self, call: Call, permission: str, resource: str) -> None:
        known = self.project.is_called(call.params["project"])
        if not known or not self.project.permits(call.caller, permission):
            raise GoogleError(
                "PERMISSION_DENIED", f'Required "{permission}" permission(s) for "{resource}".'
            )

    def _shown(self, cluster: Cluster) -> dict[str, Any]:
        seed, status = cluster.seed, cluster.read()
        created = status != "PROVISIONING"
        shown: dict[str, Any] = {
            "name": seed.name,
            "id": seed.digest("id"),
            "location": seed.location,
            "zone": seed.location,
            "locations": list(seed.zones),
            "selfLink": f"https://container.googleapis.com/v1/{seed.path}",
            "status": status,
            "createTime": "2025-06-02T08:31:44+00:00",
            "initialClusterVersion": f"{seed.version}.2-gke.1111000",
            "currentMasterVersion": f"{seed.version}.2-gke.1111000",
            "currentNodeCount": sum(pool.size for pool in seed.node_pools),
            "network": "default",
            "subnetwork": "default",
            "releaseChannel": {"channel": "REGULAR"},
            "nodePools": [self._pool(cluster, pool) for pool in seed.node_pools],
            "masterAuth": {},
            "controlPlaneEndpointsConfig": self._endpoints(cluster) if created else {},
        }
        if seed.labels:
            shown["resourceLabels"] = dict(seed.labels)
        if seed.autopilot:
            shown["autopilot"] = {"enabled": True}
        if seed.workload_pool:
            shown["workloadIdentityConfig"] = {"workloadPool": seed.workload_pool}
        if seed.gateway_api:
            channel = {"channel": "CHANNEL_STANDARD"}
            shown["networkConfig"] = {"gatewayApiConfig": channel}
        if created:
            authority = base64.b64encode(cluster.ca_pem).decode()
            shown["masterAuth"] = {"clusterCaCertificate": authority}
            if seed.ip_endpoint:
                shown["endpoint"] = cluster.endpoint
        return shown

    def _endpoints(self, cluster: Cluster) -> dict[str, Any]:
        seed = cluster.seed
        found: dict[str, Any] = {
            "dnsEndpointConfig": {
                "endpoint": cluster.dns_endpoint,
                "allowExternalTraffic": seed.dns_endpoint,
            },
            "ipEndpointsConfig": {"enabled": seed.ip_endpoint},
        }
        if seed.ip_endpoint:
            which = "publicEndpoint" if seed.public_endpoint else "privateEndpoint"
            networks = [{"cidrBlock": cidr} for cidr in seed.admitted]
            found["ipEndpointsConfig"] |= {
                "enablePublicEndpoint": seed.public_endpoint,
                which: cluster.endpoint,
                "authorizedNetworksConfig": {"enabled": True, "cidrBlocks": networks}
                if networks
                else {},
            }
        return found

    def _pool(self, cluster: Cluster, pool: NodePoolSeed) -> dict[str, Any]:
        seed = cluster.seed
        config: dict[str, Any] = {
            "machineType": pool.machine_type,
            "diskSizeGb": 100,
            "imageType": "COS_CONTAINERD",
            "oauthScopes": list(_SCOPES),
            "serviceAccount": "default",
        }
        if seed.workload_identity:
            config["workloadMetadataConfig"] = {"mode": cluster.metadata_modes[pool.name]}
        if pool.labels:
            config["labels"] = dict(pool.labels)
        if pool.taints:
            config["taints"] = [
                {"key": taint.key, "value": taint.value, "effect": _EFFECTS[taint.effect]}
                for taint in pool.taints
            ]
        if pool.spot:
            config["spot"] = True
        if pool.accelerator:
            driver = {"gpuDriverVersion": pool.accelerator.driver}
            config["accelerators"] = [
                {
                    "acceleratorCount": str(pool.accelerator.count),
                    "acceleratorType": pool.accelerator.type,
                    "gpuDriverInstallationConfig": driver,
                }
            ]
        return {
            "name": pool.name,
            "selfLink": f"https://container.googleapis.com/v1/{seed.path}/nodePools/{pool.name}",
            "config": config,
            "initialNodeCount": pool.size,
            "autoscaling": {"enabled": True, "minNodeCount": 0, "maxNodeCount": pool.max_size},
            "management": {"autoUpgrade": True, "autoRepair": True},
            "locations": list(seed.zones),
            "version": f"{seed.version}.2-gke.1111000",
            "status": "RUNNING",
        }
