"""The CKS platform: CoreWeave with its clusters, and AI Object Storage beside them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.clusters import cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.coreweave.nodes import (
    NAMESPACE,
    control_plane_namespace,
    gpu_plugin,
    nodes,
)
from anyscale_k8s_cli.sandbox.coreweave.organisation import Organisation
from anyscale_k8s_cli.sandbox.coreweave.seed import CPU_NODES, GPU_NODES, ZONE, ClusterSeed
from anyscale_k8s_cli.sandbox.coreweave.standin import CoreWeaveStandIn
from anyscale_k8s_cli.sandbox.kubernetes.authentication import TokenAuthenticator
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.objectstore.state import Key, ObjectStore, Quirk
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import CoreWeaveWorld, World

# What its buckets' calls are recorded as, and the name that leads to it through a proxy:
# buckets are named by hosts, and no name is anybody's on loopback.
STORE, HOST = "coreweave-s3", "cwobject"
_NAMES = re.compile(r"(?!cw-|vip-|log-stitcher-ch-|xn--)(?!int$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_LB_TYPE = "service.beta.kubernetes.io/coreweave-load-balancer-type"


class OrganisationStore(ObjectStore):
    """AI Object Storage of a zone. Whom it lets in, the organisation says each time."""

    def __init__(self, organisation: Organisation, *, cors: bool = True) -> None:
        quirks = {Quirk.VIRTUAL_HOSTED_ONLY, Quirk.SIGNING_REGION_CHECKED}
        super().__init__(
            region=ZONE,
            quirks=frozenset(quirks if cors else {*quirks, Quirk.NO_CORS}),
            host=HOST,
            name_pattern=_NAMES,
        )
        self._organisation = organisation

    def admitted(self, key_id: str) -> Key:
        organisation = self._organisation
        with organisation.lock:
            key = organisation.key(key_id)
            if key is None or organisation.status(key) != "ACTIVE":
                raise S3Error(
                    403,
                    "InvalidAccessKeyId",
                    "The access key ID you provided does not exist in our records.",
                )
            if key.refusals:
                key.refusals -= 1
                raise S3Error(403, "AccessDenied", "Access Denied.")
            if not organisation.admits(key):
                raise S3Error(403, "AccessDenied", "Access Denied.")
            return Key(
                key.id, key.secret, session=key.session, may=partial(organisation.may_use, key)
            )


class LoadBalancers:
    """Public addresses are for Services that ask for one; all others get a private one."""

    def __init__(self) -> None:
        self._pools = {True: AddressPool("203.0.113."), False: AddressPool("10.16.4.")}

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        annotations = service["metadata"].get("annotations") or {}
        public = annotations.get(_LB_TYPE) == "public"
        await self._pools[not public].remove(service)
        return await self._pools[public].ensure(service)

    async def remove(self, service: dict[str, Any]) -> None:
        for pool in self._pools.values():
            await pool.remove(service)


class CksPlatform:
    """The organisation with its clusters. CoreWeave's and the store's addresses are plain HTTP."""

    def __init__(self, world: World, wire: Wire, authority: Authority) -> None:
        self._world = world
        self._authority = authority
        self._wire = wire
        knobs = world.coreweave
        seed = cluster_seed(knobs)
        self.organisation = Organisation(knobs.refused_attempts)
        if knobs.federated:
            self.organisation.federate(seed.issuer)
        self.coreweave = CoreWeaveStandIn(wire, self.organisation, [seed], self._issuer_keys)
        store = OrganisationStore(self.organisation, cors=knobs.cors)
        self.store = ObjectStoreStandIn(wire, store, STORE)
        self._clusters = {seed.name: self._cluster(seed)}
        self.main = seed.name

    def _cluster(self, seed: ClusterSeed) -> KubernetesStandIn:
        return cluster_stand_in(
            self._wire,
            self._authority,
            self._world,
            name=f"cks-{seed.name}",
            version=seed.version.removeprefix("v"),
            authenticators=[self._authenticator()],
            load_balancers=LoadBalancers(),
            issuer=seed.issuer,
            nodes=nodes(seed),
            names=lambda: self.store.url,
        )

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {f"coreweave/{name}": cluster for name, cluster in self._clusters.items()}

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        return {f"coreweave-{name}": cluster for name, cluster in self._clusters.items()}

    @property
    def cluster(self) -> KubernetesStandIn:
        """The main cluster. Raises LookupError once it was deleted."""
        if self.main not in self._clusters:
            raise LookupError(f"the cluster {self.main} was deleted")
        return self._clusters[self.main]

    async def start(self) -> None:
        starts = [self._start_cluster(cluster) for cluster in self._clusters.values()]
        await asyncio.gather(self.coreweave.start(), self.store.start(), *starts)
        for name, cluster in self._clusters.items():
            # It is told without a scheme.
            self.coreweave.set_endpoint(name, cluster.url.removeprefix("https://"))

    async def _start_cluster(self, cluster: KubernetesStandIn) -> None:
        await cluster.start()
        cluster.store.create("namespaces", control_plane_namespace())
        cluster.store.create("daemonsets.apps", gpu_plugin(), namespace=NAMESPACE)

    async def stop(self) -> None:
        for cluster in self._clusters.values():
            await cluster.stop()
        await self.coreweave.stop()
        await self.store.stop()

    async def delete_cluster(self) -> None:
        """What its owner would do."""
        cluster = self.cluster
        del self._clusters[self.main]
        self.coreweave.delete_cluster(self.main)
        await cluster.stop()

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        """None: nobody vouches for operators here; they show a token of the control plane's."""
        return {}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        """None of its own: with an endpoint, buckets are signed for as Amazon's are."""
        return {}

    def environment(self, folder: Path) -> dict[str, str]:
        """The proxy is what names of buckets are looked up by; this machine's own addresses
        are not asked for through it."""
        return {
            "COREWEAVE_API_ENDPOINT": self.coreweave.url,
            "COREWEAVE_API_TOKEN": self.organisation.token,
            "COREWEAVE_S3_ENDPOINT": f"http://{HOST}",
            "HTTP_PROXY": self.store.url,
            "http_proxy": self.store.url,
        }

    def addresses(self) -> dict[str, str]:
        clusters = {f"kubernetes/{name}": cluster.url for name, cluster in self.clusters.items()}
        return {"coreweave": self.coreweave.url, STORE: self.store.url, **clusters}

    def snapshot(self) -> dict[str, Any]:
        return {"coreweave": self.organisation.snapshot(), STORE: self.store.store.snapshot()}

    def _issuer_keys(self, issuer: str) -> Mapping[str, Any] | None:
        """What CoreWeave publishes of its clusters."""
        for name, seed in self.coreweave.clusters.items():
            if seed.issuer == issuer:
                return self._clusters[name].issuer_keys()
        return None

    def _authenticator(self) -> TokenAuthenticator:
        """Whoever has an API token of the organisation is an administrator."""

        async def authenticate(token: str) -> User | None:
            user = self.organisation.tokens.get(token)
            return User(f"coreweave/{user}", (SUPERUSERS,)) if user else None

        return authenticate


def cluster_seed(world: CoreWeaveWorld) -> ClusterSeed:
    """The cluster of a world."""
    return ClusterSeed(
        name=world.cluster,
        version=world.version,
        pools=(CPU_NODES, GPU_NODES) if world.gpu_nodes else (CPU_NODES,),
        public=world.public,
    )
