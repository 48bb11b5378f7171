"""The GKE platform of the sandbox: a Google project and clusters that know each other."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli.sandbox.clusters import add_variables, cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.google import GcsSigner, IdTokenVerifier
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.google import gateway_api
from anyscale_k8s_cli.sandbox.google.balancing import GkeLoadBalancers
from anyscale_k8s_cli.sandbox.google.metadata import MetadataServer
from anyscale_k8s_cli.sandbox.google.nodes import GPU, METADATA_LABEL, gpu_plugin, nodes
from anyscale_k8s_cli.sandbox.google.seed import (
    AUTOPILOT,
    CPU_NODES,
    ENABLED,
    GKE_METADATA,
    GPU_NODES,
    ZONAL,
    GkeClusterSeed,
)
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings, GoogleStandIn
from anyscale_k8s_cli.sandbox.issuers import published_keys
from anyscale_k8s_cli.sandbox.kubernetes.authentication import static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import GkeWorld, World


@dataclass(frozen=True)
class GkeCluster:
    """One cluster with what Google runs beside it."""

    seed: GkeClusterSeed
    kubernetes: KubernetesStandIn
    metadata: MetadataServer
    load_balancers: GkeLoadBalancers


class GkePlatform:
    """The project and its clusters. `authority` signs what everybody trusts.

    The addresses of the clusters have an authority of their own, as each cluster's in life.
    """

    def __init__(self, world: World, wire: Wire, authority: Authority) -> None:
        self._wire = wire
        self._world = world
        self._public = authority
        self._authority = Authority()
        seeds = cluster_seeds(world.gke)
        self.google = GoogleStandIn(
            wire, _settings(world.gke, seeds), issuer_keys=self._issuer_keys
        )
        self._clusters = {seed.name: self._cluster(seed) for seed in seeds}

    def _cluster(self, seed: GkeClusterSeed) -> GkeCluster:
        token = secrets.token_urlsafe(24)
        server = User("system:gke-metadata-server", (SUPERUSERS,))
        metadata = MetadataServer(self.google, seed, token)
        load_balancers = self.google.load_balancers(seed.name)
        load_balancers.answers = not self._world.gke.load_balancer_never_answers

        def admit(pod: dict[str, Any], _account: dict[str, Any] | None) -> None:
            _tolerate_gpus(pod)
            add_variables(pod, {"GCE_METADATA_HOST": metadata.host, **self.google.endpoints()})

        kubernetes = cluster_stand_in(
            self._wire,
            self._authority,
            self._world,
            name=seed.name,
            version=seed.version,
            authenticators=[static_tokens({token: server}), self._authenticate],
            pod_admission=[admit],
            load_balancers=load_balancers,
            issuer=seed.issuer,
            nodes=nodes(seed),
            public_authority=self._public if seed.dns_endpoint else None,
        )
        return GkeCluster(seed, kubernetes, metadata, load_balancers)

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {f"gke/{name}": cluster.kubernetes for name, cluster in self._clusters.items()}

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        project = self.google.project.id
        return {
            f"gke_{project}_{cluster.seed.location}_{name}": cluster.kubernetes
            for name, cluster in self._clusters.items()
        }

    @property
    def main(self) -> str:
        """The name of the cluster that worlds are mostly about."""
        return self._world.gke.cluster

    def cluster(self, name: str = "") -> GkeCluster:
        """A cluster, the main one by default. Raises LookupError once it was deleted."""
        name = name or self.main
        if name not in self._clusters:
            raise LookupError(f"the cluster {name} was deleted")
        return self._clusters[name]

    async def start(self) -> None:
        clusters = list(self._clusters.values())
        await asyncio.gather(self.google.start(), *map(self._start_cluster, clusters))
        for cluster in clusters:
            kubernetes = cluster.kubernetes
            self.google.set_endpoint(
                cluster.seed.name,
                urlsplit(kubernetes.url).netloc,
                kubernetes.ca_pem,
                urlsplit(kubernetes.public_url).netloc,
            )

    async def _start_cluster(self, cluster: GkeCluster) -> None:
        kubernetes = cluster.kubernetes
        await kubernetes.start()
        await cluster.metadata.start(kubernetes.url, kubernetes.ca_pem)
        if not cluster.seed.autopilot:
            kubernetes.store.create("daemonsets.apps", gpu_plugin(), namespace="kube-system")
        if cluster.seed.gateway_api:
            await kubernetes.add([*gateway_api.definitions(), *gateway_api.classes()])

    async def stop(self) -> None:
        for cluster in self._clusters.values():
            await _stop(cluster)
        await self.google.stop()

    async def delete_cluster(self, name: str = "") -> None:
        """What its owner would do: it is gone, what its controllers made in the project stays."""
        cluster = self.cluster(name)
        del self._clusters[cluster.seed.name]
        self.google.delete_cluster(cluster.seed.name)
        await _stop(cluster)

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        return {"GCP": IdTokenVerifier(f"{self.google.endpoint('www')}/oauth2/v3/certs", http)}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        credentials = self.google.endpoint("iamcredentials")
        return {"gs": GcsSigner(self.google.endpoint("storage"), credentials, http)}

    def environment(self, folder: Path) -> dict[str, str]:
        return {
            **self.google.environment(folder),
            # The SDKs look there for somebody's login.
            "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        }

    def addresses(self) -> dict[str, str]:
        clusters = {f"kubernetes/{name}": item.url for name, item in self.clusters.items()}
        return {"google": self.google.url, **clusters}

    def snapshot(self) -> dict[str, Any]:
        return {"google": self.google.snapshot()}

    def set_metadata_mode(self, mode: str, name: str = "") -> None:
        """Switch the nodes of a cluster to another kind of metadata server."""
        cluster = self.cluster(name)
        self.google.set_metadata_mode(cluster.seed.name, mode)
        store = cluster.kubernetes.store
        for node in store.items("nodes"):
            labels = {**(node["metadata"].get("labels") or {}), METADATA_LABEL: "true"}
            if mode != GKE_METADATA:
                del labels[METADATA_LABEL]
            changed = {**node, "metadata": {**node["metadata"], "labels": labels}}
            store.update("nodes", changed)

    def _issuer_keys(self, issuer: str) -> Mapping[str, Any] | None:
        for cluster in self._clusters.values():
            if cluster.seed.issuer == issuer:
                return cluster.kubernetes.issuer_keys()
        return published_keys(issuer, self._public.client_context())

    async def _authenticate(self, token: str) -> User | None:
        found = self.google.kubernetes_user(token)
        if found is None:
            return None
        name, admin = found
        return User(name, (SUPERUSERS,) if admin else ())


def cluster_seeds(world: GkeWorld) -> tuple[GkeClusterSeed, ...]:
    """The clusters of a world, the main one first."""
    main = GkeClusterSeed(
        name=world.cluster,
        location=world.location,
        version=world.version,
        status=world.status,
        autopilot=world.autopilot,
        workload_identity=world.workload_identity,
        node_pools=tuple(
            replace(pool, metadata_mode=world.metadata_mode)
            for pool in ((CPU_NODES, GPU_NODES) if world.gpu_nodes else (CPU_NODES,))
        ),
        ip_endpoint=world.ip_endpoint,
        public_endpoint=world.public_endpoint,
        dns_endpoint=world.dns_endpoint or not world.ip_endpoint,
        gateway_api=world.gateway_api,
        reads_while_creating=world.reads_while_creating,
    )
    return (main, ZONAL, AUTOPILOT) if world.others else (main,)


def _settings(world: GkeWorld, seeds: tuple[GkeClusterSeed, ...]) -> GoogleSettings:
    return GoogleSettings(
        clusters=seeds,
        enabled=tuple(name for name in ENABLED if name not in world.disabled_services),
        kms_keys=world.kms_keys,
        own_roles=world.own_roles,
        admin_permissions=world.admin_permissions,
        refused_attempts=world.refused_attempts,
        removal_seconds=world.removal_seconds,
    )


async def _stop(cluster: GkeCluster) -> None:
    await cluster.kubernetes.stop()
    await cluster.metadata.stop()


def _tolerate_gpus(pod: dict[str, Any]) -> None:
    """Let pods that ask for GPUs onto the tainted nodes, as GKE's admission does."""
    spec = pod["spec"]
    asked = any(
        GPU in ((container.get("resources") or {}).get(kind) or {})
        for container in spec.get("containers") or ()
        for kind in ("requests", "limits")
    )
    present = {item.get("key") for item in spec.get("tolerations") or ()}
    if asked and GPU not in present:
        toleration = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
        spec.setdefault("tolerations", []).append(toleration)
