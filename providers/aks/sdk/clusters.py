"""Kubernetes Service: clusters as its API tells of them, and the ways into them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.providers.azureblob.sdk.enums import word
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_KIND = "Microsoft.ContainerService/managedClusters"
GET = f"{_KIND}/read"
LIST_USER_CREDENTIAL = f"{_KIND}/listClusterUserCredential/action"
# Of the API servers of all clusters, the same in every cloud:
# https://learn.microsoft.com/azure/aks/kubelogin-authentication
_SERVER_APP = "6dae42f8-4368-4678-94ff-3960e28e3630"


@dataclass(frozen=True)
class Pool:
    """A node pool. `gpu_driver` is Install or None, `gpu_managed` whether AKS brings all."""

    name: str
    vm_size: str
    zones: tuple[str, ...]
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    size: int
    gpu_driver: str
    gpu_managed: bool
    spot: bool


@dataclass(frozen=True)
class ClusterDescription:
    """`id` as Azure writes it; `issuer` with the slash at its end, empty without one.

    `entra` is whether Entra's tokens are let in; `azure_rbac` whether Azure's roles
    say what they may do there, else `admin_groups` may do everything. `principal` is the
    object id of the cluster's own identity, `subnet` the id of its nodes', empty where AKS made it.
    """

    name: str
    id: str
    location: str
    version: str
    state: str
    power: str
    fqdn: str
    private: bool
    issuer: str
    workload_identity: bool
    entra: bool
    azure_rbac: bool
    admin_groups: tuple[str, ...]
    node_resource_group: str
    pools: tuple[Pool, ...]
    principal: str = ""
    subnet: str = ""


@dataclass(frozen=True)
class LocalAccess:
    """What a kubeconfig of Azure's says: where the server is, and a local account's proofs."""

    endpoint: str
    ca_pem: str
    token: str = field(default="", repr=False)
    certificate_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)


class Clusters:
    """The clusters of the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, group: str, name: str) -> ClusterDescription | None:
        found = self._session.find(GET, lambda: self._api.get(group, name))
        return _description(found) if found is not None else None

    def list(self) -> list[ClusterDescription]:
        """All of the subscription."""
        return self._session.ask(GET, lambda: [_description(item) for item in self._api.list()])

    def kubeconfig(self, group: str, name: str) -> LocalAccess:
        """What Azure tells the caller of the way in; where Entra is, without any proofs."""
        answer = self._session.ask(
            LIST_USER_CREDENTIAL, lambda: self._api.list_cluster_user_credentials(group, name)
        )
        return _access(yaml.safe_load(bytes(answer.kubeconfigs[0].value)))

    def token(self) -> BearerToken:
        """A token of Entra's for clusters, of whoever the session is."""
        return self._session.token(f"{_SERVER_APP}/.default")

    @property
    def _api(self) -> Any:
        from azure.mgmt.containerservice import ContainerServiceClient

        client = self._session.client(
            "containerservice", lambda arguments: ContainerServiceClient(**arguments)
        )
        return client.managed_clusters


def _description(item: Any) -> ClusterDescription:
    security, entra = item.security_profile, item.aad_profile
    issuer, server = item.oidc_issuer_profile, item.api_server_access_profile
    workload_identity = security.workload_identity if security else None
    return ClusterDescription(
        name=item.name,
        id=item.id,
        location=str(item.location).replace(" ", "").lower(),
        version=str(item.current_kubernetes_version or item.kubernetes_version),
        state=str(item.provisioning_state),
        power=word(item.power_state.code) if item.power_state else "",
        fqdn=str(item.fqdn or item.private_fqdn or ""),
        private=bool(server and server.enable_private_cluster),
        issuer=str((issuer.issuer_url if issuer and issuer.enabled else "") or ""),
        workload_identity=bool(workload_identity and workload_identity.enabled),
        entra=entra is not None,
        azure_rbac=bool(entra and entra.enable_azure_rbac),
        admin_groups=tuple((entra.admin_group_object_i_ds if entra else None) or ()),
        node_resource_group=str(item.node_resource_group or ""),
        pools=tuple(_pool(pool) for pool in item.agent_pool_profiles or ()),
        principal=_principal(item.identity),
        subnet=next(
            (pool.vnet_subnet_id for pool in item.agent_pool_profiles or () if pool.vnet_subnet_id),
            "",
        ),
    )


def _principal(identity: Any) -> str:
    """Of the identity that makes load balancers; empty for a service principal."""
    if identity is None:
        return ""
    users = (item.principal_id for item in (identity.user_assigned_identities or {}).values())
    return str(identity.principal_id or next(users, "") or "")


def _pool(pool: Any) -> Pool:
    gpu = pool.gpu_profile
    # Younger than the oldest version of the SDK that will do.
    nvidia = getattr(gpu, "nvidia", None)
    return Pool(
        name=pool.name,
        vm_size=str(pool.vm_size or ""),
        zones=tuple(pool.availability_zones or ()),
        labels=dict(pool.node_labels or {}),
        taints=tuple(_taint(taint) for taint in pool.node_taints or ()),
        size=int(pool.count or 0),
        gpu_driver=word(gpu.driver) if gpu and gpu.driver else "Install",
        gpu_managed=bool(nvidia and word(nvidia.management_mode) == "Managed"),
        spot=word(pool.scale_set_priority or "") == "Spot",
    )


def _taint(text: str) -> Mapping[str, str]:
    """`key=value:Effect` in its parts."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _access(document: Mapping[str, Any]) -> LocalAccess:
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    return LocalAccess(
        endpoint=str(cluster["server"]),
        ca_pem=_decoded(cluster.get("certificate-authority-data")),
        token=str(user.get("token") or ""),
        certificate_pem=_decoded(user.get("client-certificate-data")),
        key_pem=_decoded(user.get("client-key-data")),
    )


def _decoded(text: str | None) -> str:
    return base64.b64decode(text).decode() if text else ""
