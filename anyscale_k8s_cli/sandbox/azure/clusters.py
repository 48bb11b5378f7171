"""Microsoft.ContainerService: the clusters of the subscription, and the ways into them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.azure import kubeconfig
from anyscale_k8s_cli.sandbox.azure.arm_routes import (
    GROUP,
    SUBSCRIPTION,
    Answer,
    ArmRequest,
    Needs,
    Route,
)
from anyscale_k8s_cli.sandbox.azure.directory import Directory, Principal
from anyscale_k8s_cli.sandbox.azure.errors import bad_request, resource_not_found
from anyscale_k8s_cli.sandbox.azure.resources import (
    CLUSTERS,
    VIRTUAL_NETWORKS,
    Resource,
    Resources,
)
from anyscale_k8s_cli.sandbox.azure.rights import Rights
from anyscale_k8s_cli.sandbox.azure.seed import AgentPoolSeed, AksClusterSeed, guid

_ADMINS = "system:masters"
_POOL_IMAGE = "AKSUbuntu-2204gen2containerd-202510.19.1"


@dataclass
class AksCluster:
    """A cluster as the subscription knows it.

    `local_token`, and the certificate with its key, are those of its local account.
    """

    seed: AksClusterSeed
    id: str
    endpoint: str = ""
    ca_pem: bytes = b""
    client_certificate: tuple[bytes, bytes] = field(default=(b"", b""), repr=False)
    local_token: str = field(default_factory=lambda: secrets.token_hex(64), repr=False)
    gets: int = 0

    @property
    def state(self) -> str:
        return "Creating" if self.gets < self.seed.gets_while_creating else "Succeeded"


@dataclass
class Clusters:
    """The operations on clusters, and who is let in with what."""

    resources: Resources
    directory: Directory
    rights: Rights
    login_url: str = ""
    items: list[AksCluster] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resources.on_removal.append(self._removed)

    def add(self, seed: AksClusterSeed) -> AksCluster:
        cluster_id = self.resources.id(seed.resource_group, CLUSTERS, seed.name)
        cluster = AksCluster(seed, cluster_id, seed.endpoint, seed.ca_pem)
        self.items.append(cluster)
        self.resources.put(
            Resource(cluster_id, CLUSTERS, seed.location, dict(seed.tags), extra=_EXTRA)
        )
        return cluster

    def named(self, name: str) -> AksCluster:
        """Raises LookupError for a cluster that is not there."""
        found = next((item for item in self.items if item.seed.name == name), None)
        if found is None:
            raise LookupError(f"there is no cluster {name}")
        return found

    def _removed(self, resource: Resource) -> None:
        self.items = [item for item in self.items if item.id != resource.id]

    # -- operations ---------------------------------------------------------------------

    def routes(self) -> list[Route]:
        kind, name = f"/providers/{CLUSTERS}", "ManagedClusters"
        one = GROUP + kind + "/{cluster}"
        read = f"{CLUSTERS}/read"
        return [
            Route("GET", one, f"{name}_Get", read, self.get),
            Route("GET", GROUP + kind, f"{name}_ListByResourceGroup", read, self.list),
            Route("GET", SUBSCRIPTION + kind, f"{name}_List", read, self.list, Needs.IN_LIST),
            Route(
                "GET",
                one + "/agentPools",
                "AgentPools_List",
                f"{CLUSTERS}/agentPools/read",
                self.pools,
            ),
            Route(
                "POST",
                one + "/listClusterUserCredential",
                f"{name}_ListClusterUserCredentials",
                f"{CLUSTERS}/listClusterUserCredential/action",
                self.user_credentials,
            ),
            Route(
                "POST",
                one + "/listClusterAdminCredential",
                f"{name}_ListClusterAdminCredentials",
                f"{CLUSTERS}/listClusterAdminCredential/action",
                self.admin_credentials,
            ),
        ]

    def get(self, request: ArmRequest) -> Answer:
        cluster = self._cluster(request)
        shown = self._shown(cluster)
        cluster.gets += 1
        return Answer(shown)

    def list(self, request: ArmRequest) -> Answer:
        group = request.labels.get("group", "").lower()
        found = [
            self._shown(item)
            for item in self.items
            if group in ("", item.seed.resource_group.lower())
        ]
        return Answer({"value": found})

    def pools(self, request: ArmRequest) -> Answer:
        cluster = self._cluster(request)
        found = [
            {
                "id": f"{cluster.id}/agentPools/{pool.name}",
                "name": pool.name,
                "type": f"{CLUSTERS}/agentPools",
                "properties": _pool(cluster.seed, pool),
            }
            for pool in cluster.seed.pools
        ]
        return Answer({"value": found})

    def user_credentials(self, request: ArmRequest) -> Answer:
        cluster = self._cluster(request)
        if not cluster.seed.entra:
            return self._local(cluster, "clusterUser")
        style = request.query.get("format", "exec").lower()
        if style not in ("exec", "azure"):
            raise bad_request(
                "InvalidParameter", f"The value of parameter format is invalid: {style}."
            )
        document = kubeconfig.entra(cluster, self.directory.tenant_id, with_plugin=style == "exec")
        return Answer(kubeconfig.answer("clusterUser", document))

    def admin_credentials(self, request: ArmRequest) -> Answer:
        return self._local(self._cluster(request), "clusterAdmin")

    @staticmethod
    def _local(cluster: AksCluster, account: str) -> Answer:
        if not cluster.seed.local_accounts:
            raise bad_request(
                "BadRequest",
                "Getting static credential is not allowed because this cluster is set to disable "
                "local accounts.",
            )
        return Answer(kubeconfig.answer(account, kubeconfig.local(cluster, account)))

    def _cluster(self, request: ArmRequest) -> AksCluster:
        group, name = request["group"].lower(), request["cluster"].lower()
        for item in self.items:
            if item.seed.name.lower() == name and item.seed.resource_group.lower() == group:
                return item
        raise resource_not_found(CLUSTERS, request["cluster"], request["group"])

    # -- who is let in ------------------------------------------------------------------

    def user(self, cluster: AksCluster, principal: Principal) -> tuple[str, tuple[str, ...]] | None:
        """The user name and groups of an Entra token's bearer; None where such are not let in."""
        seed = cluster.seed
        if not seed.entra:
            return None
        groups = tuple(principal.groups)
        # Azure decides beside the cluster; here the cluster knows those it lets do everything.
        by_role = seed.azure_rbac and any(
            item.role.allows(f"{CLUSTERS}/*", data=True)
            for item in self.rights.held(principal, cluster.id)
        )
        if by_role or set(groups) & set(seed.admin_groups):
            groups = (*groups, _ADMINS)
        return principal.object_id, groups

    # -- what is told ---------------------------------------------------------------------

    def _shown(self, cluster: AksCluster) -> dict[str, Any]:
        seed = cluster.seed
        label = f"{seed.name}-dns-{seed.digest('dns')[:8]}"
        host = f"{label}.hcp.{seed.location}.azmk8s.io"
        properties: dict[str, Any] = {
            "provisioningState": cluster.state,
            "powerState": {"code": "Running"},
            "kubernetesVersion": seed.version,
            "currentKubernetesVersion": f"{seed.version}.5",
            "dnsPrefix": f"{seed.name}-dns",
            "fqdn": host,
            "azurePortalFQDN": host.replace(".hcp.", ".portal.hcp."),
            "agentPoolProfiles": [
                {"name": p.name, **_pool(seed, p), **self._placed(seed)} for p in seed.pools
            ],
            "servicePrincipalProfile": {"clientId": "msi"},
            "nodeResourceGroup": seed.node_resource_group,
            "enableRBAC": True,
            "supportPlan": "KubernetesOfficial",
            "networkProfile": _NETWORK,
            "maxAgentPools": 100,
            "identityProfile": {"kubeletidentity": self._kubelet(seed)},
            "disableLocalAccounts": not seed.local_accounts,
            "securityProfile": {},
            "oidcIssuerProfile": {"enabled": seed.oidc_issuer},
            "storageProfile": {"diskCSIDriver": {"enabled": True}},
            "resourceUID": seed.digest("uid")[:24],
        }
        if seed.oidc_issuer:
            properties["oidcIssuerProfile"]["issuerURL"] = seed.issuer
        if seed.workload_identity:
            properties["securityProfile"]["workloadIdentity"] = {"enabled": True}
        if seed.private:
            properties["apiServerAccessProfile"] = {"enablePrivateCluster": True}
            properties["privateFQDN"] = f"{label}.privatelink.{seed.location}.azmk8s.io"
        if seed.entra:
            properties["aadProfile"] = {
                "managed": True,
                "adminGroupObjectIDs": list(seed.admin_groups),
                "enableAzureRBAC": seed.azure_rbac,
                "tenantID": self.directory.tenant_id,
            }
        return {
            "id": cluster.id,
            "location": seed.location,
            "name": seed.name,
            "tags": dict(seed.tags),
            "type": CLUSTERS,
            "properties": properties,
            "identity": {
                "type": "SystemAssigned",
                "principalId": guid("control-plane", seed.resource_group, seed.name),
                "tenantId": self.directory.tenant_id,
            },
            **_EXTRA,
        }

    def _placed(self, seed: AksClusterSeed) -> dict[str, str]:
        """Where its nodes are, which Azure tells of a network that somebody made."""
        if not seed.own_network:
            return {}
        network = self.resources.id(seed.network[0], VIRTUAL_NETWORKS, seed.network[1])
        return {"vnetSubnetID": f"{network}/subnets/aks-subnet"}

    def _kubelet(self, seed: AksClusterSeed) -> dict[str, str]:
        kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
        return {
            "resourceId": self.resources.id(
                seed.node_resource_group, kind, f"{seed.name}-agentpool"
            ),
            "clientId": guid("kubelet-client", seed.resource_group, seed.name),
            "objectId": seed.kubelet_identity,
        }


_NETWORK: dict[str, Any] = {
    "networkPlugin": "azure",
    "networkPluginMode": "overlay",
    "networkDataplane": "azure",
    "loadBalancerSku": "standard",
    "podCidr": "10.244.0.0/16",
    "serviceCidr": "10.0.0.0/16",
    "dnsServiceIP": "10.0.0.10",
    "outboundType": "loadBalancer",
    "ipFamilies": ["IPv4"],
}
_EXTRA: dict[str, Any] = {"sku": {"name": "Base", "tier": "Standard"}, "kind": "Base"}


def _pool(seed: AksClusterSeed, pool: AgentPoolSeed) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "count": pool.size,
        "vmSize": pool.vm_size,
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "mode": pool.mode,
        "type": "VirtualMachineScaleSets",
        "enableAutoScaling": True,
        "minCount": 0 if pool.mode == "User" else 1,
        "maxCount": pool.max_size,
        "maxPods": 110,
        "orchestratorVersion": seed.version,
        "currentOrchestratorVersion": f"{seed.version}.5",
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "nodeImageVersion": _POOL_IMAGE,
        "nodeLabels": dict(pool.labels),
        "nodeTaints": _taints(pool),
    }
    if pool.zones:
        shown["availabilityZones"] = list(pool.zones)
    if pool.spot:
        shown |= {"scaleSetPriority": "Spot", "scaleSetEvictionPolicy": "Delete"}
    if pool.gpu_driver:
        shown["gpuProfile"] = {"driver": pool.gpu_driver}
    return shown


def _taints(pool: AgentPoolSeed) -> Sequence[str]:
    return [f"{taint.key}={taint.value}:{taint.effect}" for taint in pool.taints]
