"""The Oracle platform of the sandbox: a tenancy, its object store, and its clusters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.clusters import cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.kubernetes.authentication import TokenAuthenticator
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.objectstore.state import Key, ObjectStore, Quirk
from anyscale_k8s_cli.sandbox.oci.buckets import Holding
from anyscale_k8s_cli.sandbox.oci.nodes import gpu_plugin, nodes
from anyscale_k8s_cli.sandbox.oci.seed import CPU_NODES, GPU_NODES, REGION, ClusterSeed
from anyscale_k8s_cli.sandbox.oci.standin import OciSettings, OciStandIn
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import OkeWorld, World

# What its buckets' S3 calls are recorded as.
STORE = "oci-s3"
_QUIRKS = frozenset(
    {Quirk.PATH_ONLY, Quirk.NO_CORS, Quirk.CHECKSUM_REFUSED, Quirk.SIGNING_REGION_CHECKED}
)
_BUCKET_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
# Nobody outside knows its keys.
_ISSUER = "https://kubernetes.default.svc.cluster.local"


class TenancyStore(ObjectStore):
    """The object store of a region. Whom it lets in, the tenancy's identity says each time."""

    def __init__(self) -> None:
        super().__init__(region=REGION, quirks=_QUIRKS, name_pattern=_BUCKET_NAME)
        self.oci: OciStandIn | None = None

    def admitted(self, key_id: str) -> Key:
        found = self.oci.admitted(key_id) if self.oci is not None else None
        if found is None:
            raise S3Error(
                403,
                "InvalidAccessKeyId",
                "The Access Key Id you provided does not exist in our records.",
            )
        return Key(key_id, *found)

    # -- for the tenancy's own API of buckets ----------------------------------------

    def names(self) -> list[str]:
        return sorted(self.buckets)

    def is_taken(self, bucket: str) -> bool:
        return bucket in self.taken or bucket in self.buckets

    def create(self, bucket: str) -> None:
        self.create_bucket(bucket)

    def remove(self, bucket: str) -> None:
        self.delete_bucket(bucket)

    def holding(self, bucket: str) -> Holding:
        found = self.buckets[bucket]
        return Holding(
            found.created,
            {key: len(item.content) for key, item in found.objects.items()},
            {upload: item.key for upload, item in found.uploads.items()},
        )

    def remove_object(self, bucket: str, key: str) -> bool:
        return self.buckets[bucket].objects.pop(key, None) is not None

    def abort(self, bucket: str, upload: str) -> bool:
        return self.buckets[bucket].uploads.pop(upload, None) is not None


class OkePlatform:
    """The tenancy with its clusters. Oracle's and the store's addresses are plain HTTP."""

    def __init__(self, world: World, wire: Wire, authority: Authority) -> None:
        self._world = world
        self._authority = authority
        self._wire = wire
        self._seed = cluster_seed(world.oke)
        store = TenancyStore()
        self.oci = OciStandIn(wire, store, _settings(world.oke, self._seed))
        store.oci = self.oci
        self.store = ObjectStoreStandIn(wire, store, STORE)
        self._cluster: KubernetesStandIn | None = self._made(self._seed)
        self.main = self._seed.name

    def _made(self, seed: ClusterSeed) -> KubernetesStandIn:
        return cluster_stand_in(
            self._wire,
            self._authority,
            self._world,
            name=seed.name,
            version=seed.version,
            authenticators=[self._authenticator(seed)],
            load_balancers=self.oci.load_balancers(seed),
            issuer=_ISSUER,
            nodes=nodes(seed),
        )

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {f"oke/{self.main}": self._cluster} if self._cluster else {}

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        name = f"context-{self._seed.id[-11:]}"
        return {name: self._cluster} if self._cluster else {}

    @property
    def cluster(self) -> KubernetesStandIn:
        """The cluster. Raises LookupError once it was deleted."""
        if self._cluster is None:
            raise LookupError(f"the cluster {self.main} was deleted")
        return self._cluster

    async def start(self) -> None:
        cluster = self.cluster
        await asyncio.gather(self.oci.start(), self.store.start(), cluster.start())
        if self._seed.gpu_plugin:
            cluster.store.create("daemonsets.apps", gpu_plugin(), namespace="kube-system")
        self.oci.set_endpoint(self.main, cluster.url, cluster.ca_pem)

    async def stop(self) -> None:
        if self._cluster is not None:
            await self._cluster.stop()
        await self.oci.stop()
        await self.store.stop()

    async def delete_cluster(self) -> None:
        """What its owner would do: it is gone, its load balancers stay."""
        cluster, self._cluster = self.cluster, None
        self.oci.delete_cluster(self.main)
        await cluster.stop()

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        """None: nobody vouches for operators here; they show a token of the control plane's."""
        return {}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        """None of its own: with an endpoint, buckets are signed for as Amazon's are."""
        return {}

    def environment(self, folder: Path) -> dict[str, str]:
        return {**self.oci.environment(folder), "OCI_S3_ENDPOINT": self.store.url}

    def addresses(self) -> dict[str, str]:
        clusters = {f"kubernetes/{name}": cluster.url for name, cluster in self.clusters.items()}
        return {"oci": self.oci.url, STORE: self.store.url, **clusters}

    def snapshot(self) -> dict[str, Any]:
        return {"oci": self.oci.snapshot(), STORE: self.store.store.snapshot()}

    def _authenticator(self, seed: ClusterSeed) -> TokenAuthenticator:
        """Whoever signs a request to the cluster; whoever manages it is its administrator."""

        async def authenticate(token: str) -> User | None:
            found = self.oci.kubernetes_user(token, seed.id)
            if found is None:
                return None
            name, groups, admin = found
            return User(name, (*groups, *((SUPERUSERS,) if admin else ())))

        return authenticate


def cluster_seed(world: OkeWorld) -> ClusterSeed:
    """The cluster of a world."""
    gpu = (GPU_NODES,) if world.gpu_nodes else ()
    return ClusterSeed(
        name=world.cluster,
        version=world.version,
        node_pools=() if world.virtual_nodes else (CPU_NODES, *gpu),
        public_endpoint=world.public_endpoint,
        gpu_plugin=world.gpu_plugin,
        virtual=world.virtual_nodes,
        reads_while_creating=world.reads_while_creating,
    )


def _settings(world: OkeWorld, seed: ClusterSeed) -> OciSettings:
    usual = OciSettings()
    statements = world.admin_statements
    return OciSettings(
        clusters=(seed,),
        admin_statements=usual.admin_statements if statements is None else statements,
        home_region=world.home_region,
        refused_attempts=world.refused_attempts,
        lent_keys=world.lent_keys,
        removal_seconds=world.removal_seconds,
    )
