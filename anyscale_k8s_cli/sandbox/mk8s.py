"""The Nebius platform of the sandbox: a project, its object store, and its clusters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.clusters import cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.kubernetes.authentication import TokenAuthenticator
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.nebius.nodes import gpu_plugin, nodes
from anyscale_k8s_cli.sandbox.nebius.seed import (
    CPU_NODES,
    GPU_NODES,
    REGION,
    ClusterSeed,
)
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings, NebiusStandIn
from anyscale_k8s_cli.sandbox.nebius.storage import Holding
from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.objectstore.state import Key, ObjectStore
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import NebiusWorld, World

# What its buckets' calls are recorded as.
STORE = "nebius-s3"
# Nobody outside knows its keys.
_ISSUER = "https://kubernetes.default.svc.cluster.local"


class ProjectStore(ObjectStore):
    """The object store of a region. Whom it lets in, the project's IAM says each time."""

    def __init__(self) -> None:
        super().__init__(region=REGION)
        self.iam: NebiusStandIn | None = None

    def admitted(self, key_id: str) -> Key:
        secret = self.iam.key_secret(key_id) if self.iam is not None else None
        if self.iam is None or secret is None:
            raise S3Error(
                403,
                "InvalidAccessKeyId",
                "The access key ID you provided does not exist in our records.",
            )
        return Key(key_id, secret, self.iam.buckets_of(key_id))

    # -- for the project's own API of buckets ----------------------------------------

    def has(self, bucket: str) -> bool:
        return bucket in self.taken or bucket in self.buckets

    def create(self, bucket: str) -> None:
        self.create_bucket(bucket)

    def remove(self, bucket: str) -> None:
        self.delete_bucket(bucket)

    def holds(self, bucket: str) -> Holding:
        found = self.buckets[bucket]
        size = sum(len(item.content) for item in found.objects.values())
        return Holding(len(found.objects), size, len(found.uploads))

    def set_cors(self, bucket: str, rules: Sequence[Mapping[str, Sequence[str]]]) -> None:
        self.buckets[bucket].cors = [
            {name: list(texts) for name, texts in rule.items()} for rule in rules
        ]


class NebiusPlatform:
    """The project with its clusters. Nebius' and the store's addresses are plain HTTP."""

    def __init__(self, world: World, wire: Wire, authority: Authority) -> None:
        self._world = world
        self._authority = authority
        self._wire = wire
        store = ProjectStore()
        seed = cluster_seed(world.nebius)
        self.nebius = NebiusStandIn(wire, store, _settings(world.nebius, seed))
        store.iam = self.nebius
        self.store = ObjectStoreStandIn(wire, store, STORE)
        self._clusters = {seed.name: self._cluster(seed)}
        self.main = seed.name

    def _cluster(self, seed: ClusterSeed) -> KubernetesStandIn:
        return cluster_stand_in(
            self._wire,
            self._authority,
            self._world,
            name=seed.name,
            version=seed.version,
            authenticators=[self._authenticator(seed)],
            load_balancers=self.nebius.load_balancers(seed.name),
            issuer=_ISSUER,
            nodes=nodes(seed),
        )

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {f"nebius/{name}": cluster for name, cluster in self._clusters.items()}

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        return {f"nebius-mk8s-{name}": cluster for name, cluster in self._clusters.items()}

    @property
    def cluster(self) -> KubernetesStandIn:
        """The main cluster. Raises LookupError once it was deleted."""
        if self.main not in self._clusters:
            raise LookupError(f"the cluster {self.main} was deleted")
        return self._clusters[self.main]

    async def start(self) -> None:
        starts = [self._start_cluster(cluster) for cluster in self._clusters.values()]
        await asyncio.gather(self.nebius.start(), self.store.start(), *starts)
        for name, cluster in self._clusters.items():
            self.nebius.set_endpoint(name, cluster.url, cluster.ca_pem)

    async def _start_cluster(self, cluster: KubernetesStandIn) -> None:
        await cluster.start()
        cluster.store.create("daemonsets.apps", gpu_plugin(), namespace="kube-system")

    async def stop(self) -> None:
        for cluster in self._clusters.values():
            await cluster.stop()
        await self.nebius.stop()
        await self.store.stop()

    async def delete_cluster(self) -> None:
        """What its owner would do: it is gone, addresses of its load balancers stay."""
        cluster = self.cluster
        del self._clusters[self.main]
        self.nebius.delete_cluster(self.main)
        await cluster.stop()

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        """None: nobody vouches for operators here; they show a token of the control plane's."""
        return {}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        """None of its own: with an endpoint, buckets are signed for as Amazon's are."""
        return {}

    def environment(self, folder: Path) -> dict[str, str]:
        return {
            **self.nebius.environment(folder),
            "NEBIUS_STORAGE_ENDPOINT": self.store.url,
        }

    def addresses(self) -> dict[str, str]:
        clusters = {f"kubernetes/{name}": cluster.url for name, cluster in self.clusters.items()}
        return {"nebius": self.nebius.url, STORE: self.store.url, **clusters}

    def snapshot(self) -> dict[str, Any]:
        return {"nebius": self.nebius.snapshot(), STORE: self.store.store.snapshot()}

    def _authenticator(self, seed: ClusterSeed) -> TokenAuthenticator:
        """Whoever has an IAM token; whoever may change the cluster is its administrator."""

        async def authenticate(token: str) -> User | None:
            found = self.nebius.kubernetes_user(token, seed.name)
            if found is None:
                return None
            name, admin = found
            return User(name, (SUPERUSERS,) if admin else ())

        return authenticate


def cluster_seed(world: NebiusWorld) -> ClusterSeed:
    """The cluster of a world."""
    gpu_nodes = replace(GPU_NODES, drivers=GPU_NODES.drivers if world.gpu_drivers else "")
    return ClusterSeed(
        name=world.cluster,
        version=world.version,
        node_groups=(CPU_NODES, gpu_nodes) if world.gpu_nodes else (CPU_NODES,),
        public_endpoint=world.public_endpoint,
        reads_while_creating=world.reads_while_creating,
    )


def _settings(world: NebiusWorld, seed: ClusterSeed) -> NebiusSettings:
    return NebiusSettings(
        clusters=(seed,),
        admin_role=world.admin_role,
        operation_polls=world.operation_polls,
        refused_attempts=world.refused_attempts,
        removal_seconds=world.removal_seconds,
    )
