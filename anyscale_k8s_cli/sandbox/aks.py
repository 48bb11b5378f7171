"""The AKS platform of the sandbox: an Azure subscription and its clusters that know each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.azure.load_balancers import AksLoadBalancers, LoadBalancerFailed
from anyscale_k8s_cli.sandbox.azure.nodes import nodes
from anyscale_k8s_cli.sandbox.azure.seed import (
    ADMIN_ROLES,
    BARE,
    CPU_POOL,
    GPU_POOL,
    NO_SHARED_KEY,
    OWN_KEY,
    TEAM_IDENTITY,
    AksClusterSeed,
    IdentitySeed,
    PolicySeed,
    VaultSeed,
    guid,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings, AzureStandIn
from anyscale_k8s_cli.sandbox.clusters import cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.azure import BlobSigner, EntraVerifier
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.issuers import published_keys
from anyscale_k8s_cli.sandbox.kubernetes.admission import PodAdmission
from anyscale_k8s_cli.sandbox.kubernetes.authentication import TokenAuthenticator
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import LoadBalancerError
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import AksWorld, World

_OUTSIDER = "demo-outsider"
_LOCAL = "masterclient"
_ADMINS = guid("group", "aks-admins")
# Of clusters without an issuer of their own; nobody outside knows its keys.
_INTERNAL_ISSUER = "https://kubernetes.default.svc.cluster.local"


class AksPlatform:
    """The subscription and its clusters: an ordinary one, and one without workload identity."""

    def __init__(self, world: World, wire: Wire, authority: Authority) -> None:
        self._authority = authority
        self.seed = cluster_seed(world.aks)
        self._seeds = (self.seed, BARE)
        settings = _settings(world.aks, self._seeds)
        self.azure = AzureStandIn(wire, authority, settings, issuer_keys=self._issuer_keys)
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._outsider: dict[str, str] = {}
        self._clusters = {
            seed.name: self._cluster(world, seed, wire, authority) for seed in self._seeds
        }

    def _cluster(
        self, world: World, seed: AksClusterSeed, wire: Wire, authority: Authority
    ) -> KubernetesStandIn:
        return cluster_stand_in(
            wire,
            authority,
            world,
            name=seed.name,
            version=seed.version,
            authenticators=[self._authenticator(seed)],
            pod_admission=[self._admission(seed)],
            load_balancers=_LoadBalancers(self.azure, seed.name),
            issuer=seed.issuer if seed.oidc_issuer else _INTERNAL_ISSUER,
            nodes=nodes(seed),
        )

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {f"aks/{name}": cluster for name, cluster in self._clusters.items()}

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        return {f"{name}-admin": cluster for name, cluster in self._clusters.items()}

    @property
    def main(self) -> str:
        """The name of the ordinary cluster."""
        return self.seed.name

    @property
    def cluster(self) -> KubernetesStandIn:
        """The ordinary cluster. Raises LookupError once it was deleted."""
        if self.seed.name not in self._clusters:
            raise LookupError(f"the cluster {self.seed.name} was deleted")
        return self._clusters[self.seed.name]

    @property
    def load_balancers(self) -> AksLoadBalancers:
        """What serves the Services of the ordinary cluster."""
        return self.azure.load_balancers(self.seed.name)

    async def start(self) -> None:
        starts = [self._start_cluster(seed) for seed in self._seeds]
        await asyncio.gather(self.azure.start(), *starts)
        for name, cluster in self._clusters.items():
            local = self._authority.client_certificate(_LOCAL, SUPERUSERS)
            self.azure.set_endpoint(name, cluster.url, cluster.ca_pem, local)

    async def _start_cluster(self, seed: AksClusterSeed) -> None:
        cluster = self._clusters[seed.name]
        if seed.oidc_issuer:
            # Made once and here: Entra asks for the keys from a thread of its own.
            self._keys[seed.issuer] = await asyncio.to_thread(cluster.issuer_keys)
        await cluster.start()

    async def stop(self) -> None:
        for cluster in self._clusters.values():
            await cluster.stop()
        await self.azure.stop()

    async def delete_cluster(self) -> None:
        """What its owner would do: its node resource group goes with it."""
        cluster = self.cluster
        del self._clusters[self.seed.name]
        self.azure.delete_cluster(self.seed.name)
        await cluster.stop()

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        return {"AZURE": EntraVerifier(self.azure.world.login_url, http)}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        signer = BlobSigner(http)
        return {"abfss": signer, "azure": signer}

    def environment(self, folder: Path) -> dict[str, str]:
        # What the SDKs look for, who use `requests`; the file is the whole sandbox's.
        return {**self.azure.environment(), "REQUESTS_CA_BUNDLE": str(folder / "ca.pem")}

    def addresses(self) -> dict[str, str]:
        world = self.azure.world
        clusters = {f"kubernetes/{name}": cluster.url for name, cluster in self.clusters.items()}
        return {
            "azure": world.management_url,
            "entra": world.login_url,
            "azure-blob": world.blob_url,
            **clusters,
        }

    def snapshot(self) -> dict[str, Any]:
        return {"azure": self.azure.snapshot()}

    def outsider(self) -> dict[str, str]:
        """Variables of an application that may do everything but enter clusters with Entra."""
        if not self._outsider:
            principal = self.azure.world.add_application(_OUTSIDER, ADMIN_ROLES)
            self._outsider = {
                "AZURE_CLIENT_ID": principal.app_id,
                "AZURE_CLIENT_SECRET": principal.secret,
            }
        return self._outsider

    def _issuer_keys(self, issuer: str) -> Mapping[str, Any] | None:
        return self._keys.get(issuer) or published_keys(issuer, self._authority.client_context())

    def _authenticator(self, seed: AksClusterSeed) -> TokenAuthenticator:
        """Local accounts, and whoever Entra vouches for."""

        def user(token: str) -> User | None:
            world = self.azure.world
            if seed.local_accounts and token == world.clusters.named(seed.name).local_token:
                return User(_LOCAL, (SUPERUSERS,))
            found = self.azure.aks_user(token, seed.name)
            return User(*found) if found else None

        async def authenticate(token: str) -> User | None:
            # In a thread: the subscription may be busy.
            return await asyncio.to_thread(user, token)

        return authenticate

    def _admission(self, seed: AksClusterSeed) -> PodAdmission:
        def admit(pod: dict[str, Any], account: dict[str, Any] | None) -> None:
            self.azure.inject(pod, account, cluster=seed.name)

        return admit


class _LoadBalancers:
    """A cluster's load balancers, with what Azure refuses told as the cluster tells it."""

    def __init__(self, azure: AzureStandIn, cluster: str) -> None:
        self._azure = azure
        self._cluster = cluster

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        try:
            return await self._azure.load_balancers(self._cluster).ensure(service)
        except LoadBalancerFailed as refused:
            raise LoadBalancerError(f"Error syncing load balancer: {refused}") from refused

    async def remove(self, service: dict[str, Any]) -> None:
        await self._azure.load_balancers(self._cluster).remove(service)


def cluster_seed(world: AksWorld) -> AksClusterSeed:
    """The cluster of a world."""
    return AksClusterSeed(
        name=world.cluster,
        resource_group=world.resource_group,
        location=world.location,
        version=world.version,
        oidc_issuer=world.oidc_issuer,
        workload_identity=world.workload_identity,
        local_accounts=world.local_accounts,
        entra=world.entra,
        azure_rbac=world.azure_rbac,
        admin_groups=(_ADMINS,) if world.entra else (),
        private=world.private,
        load_balancer_never_answers=world.load_balancer_never_answers,
        pools=(CPU_POOL, GPU_POOL) if world.gpu_nodes else (CPU_POOL,),
        gets_while_creating=world.gets_while_creating,
    )


def _settings(world: AksWorld, seeds: tuple[AksClusterSeed, ...]) -> AzureSettings:
    policies = [NO_SHARED_KEY] if world.shared_key_forbidden else []
    policies += [OWN_KEY] if world.own_key_demanded else []
    user = IdentitySeed("team-keys-user", world.resource_group, world.location)
    vault = VaultSeed(
        "team-keys",
        world.kms_keys,
        users=(user.name,),
        resource_group=world.resource_group,
        location=world.location,
    )
    policies += [
        PolicySeed(f"require-{tag}", f"Require the tag {tag}", required_tag=tag)
        for tag in world.required_tags
    ]
    return AzureSettings(
        clusters=seeds,
        policies=tuple(policies),
        identities=(TEAM_IDENTITY, *((user,) if world.kms_keys else ())),
        vaults=(vault,) if world.kms_keys else (),
        own_roles=tuple(map(asdict, world.own_roles)),
        unregistered=world.unregistered,
        limits=world.limits,
        admin_roles=ADMIN_ROLES if world.admin_roles is None else world.admin_roles,
        admin_groups=(_ADMINS,) if world.admin_in_group else (),
        anyscale_known=world.anyscale_known,
        replication_attempts=world.replication_attempts,
        federation_attempts=world.federation_attempts,
        propagation_attempts=world.propagation_attempts,
        operation_polls=world.operation_polls,
        removal_seconds=world.removal_seconds,
    )
