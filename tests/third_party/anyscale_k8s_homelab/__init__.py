"""A platform of somebody else's: clusters in a cellar, with MetalLB before them.

It takes what the generic platform does and says what is particular to it: a cluster is
named by its own name, which is that of its context, and load balancers come from a pool.
"""

from __future__ import annotations

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, ClusterReader, LoadBalancer
from anyscale_k8s_cli.providers.generic.provider import GenericProvider
from anyscale_k8s_cli.spec import CloudSpec

POOL = "metallb.io/address-pool"


class HomelabProvider(GenericProvider):
    """Kubernetes in a cellar."""

    name = "homelab"
    required = ("region", "cluster.name")

    def discover(self, spec: CloudSpec) -> Cluster:
        cluster = spec.cluster.model_copy(update={"context": spec.cluster.name})
        return super().discover(spec.model_copy(update={"cluster": cluster}))

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        pool = "public" if spec.network.expose == "public" else "house"
        return LoadBalancer(
            served_by="MetalLB",
            annotations={POOL: pool, **spec.network.annotations},
            source_ranges=spec.network.allow_cidrs,
        )
