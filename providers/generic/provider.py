"""The provider itself: a cluster by its context; the store beside it is `stores.py`'s."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.checks import BoundCheck
from anyscale_k8s_cli.cloud_side import CloudSide, Identity, Storage, WorkloadEndpoints
from anyscale_k8s_cli.cluster.context import context_names
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import (
    Cluster,
    ClusterReader,
    ClusterState,
    ControlPlaneFacts,
    LoadBalancer,
    Made,
    PolicyDocument,
    Search,
    Verb,
    unplaced,
)
from anyscale_k8s_cli.providers.federation.issuer import public_issuer
from anyscale_k8s_cli.providers.federation.sdk.session import Session
from anyscale_k8s_cli.providers.generic import wording
from anyscale_k8s_cli.providers.generic.clusters import Clusters, Place
from anyscale_k8s_cli.providers.generic.stores import Kind, Store, StoreSide, kind_of, store_of
from anyscale_k8s_cli.providers.generic.troubles import TROUBLES
from anyscale_k8s_cli.providers.generic.variables import STORE_VARIABLES
from anyscale_k8s_cli.providers.objectstore import permissions as store_permissions
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import (
    CloudSpec,
    ClusterSpec,
    RulesSpec,
    Scope,
    Settings,
    leaves,
)

# Taints of nodes with GPUs: NVIDIA's own custom, and the operator chart's.
_TOLERATED = (
    "nvidia.com/gpu",
    "node.anyscale.com/capacity-type",
    "node.anyscale.com/accelerator-type",
)


class GenericProvider:
    """Kubernetes without a cloud. One object serves one command."""

    name = "generic"
    control_plane_name = "GENERIC"
    workload_identity = False
    environment: Mapping[str, tuple[str, ...]] = STORE_VARIABLES
    required = ("region", "cluster.context")
    settings = frozenset(
        {
            "credentials.aws_profile",
            "credentials.google_key_file",
            "existing.identity_provider",
            "existing.identity_audience",
            *STORE_VARIABLES,
        }
    )

    def __init__(self, run: Run) -> None:
        self._run = run
        self._clusters = Clusters(run)
        self._side: StoreSide | None = None
        self._said = Scope()

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        (variable,) = STORE_VARIABLES["storage.kind"]
        known = {"storage.kind": environment.get(variable), **settings}
        return self._store(known).secrets(settings, environment)

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check_region(spec)
        wording.check_network(spec)
        self._store(_settings(spec)).check_spec(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        return self._clusters.at(_place(spec), spec.region or "")

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return ("region",)

    def unplaced(self, spec: CloudSpec) -> Cluster:
        return unplaced("", spec.region or "")

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        place, store = _place(spec), self._store(_settings(spec))
        self._side = store.side(
            spec, install, plane, dropped_tags, lambda: self._clusters.issuer(place)
        )
        return self._side.cloud

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        return {"kubernetes_config": {"zones": list(cluster.zones)}} if cluster.zones else {}

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        return {}

    def workload_endpoints(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage
    ) -> WorkloadEndpoints:
        return self._side.endpoints(storage) if self._side else WorkloadEndpoints()

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        """Whoever serves such Services in the cluster; how it is asked is the user's to say."""
        network = spec.network
        return LoadBalancer(
            served_by="the cluster's own load balancer",
            annotations=dict(network.annotations),
            source_ranges=network.allow_cidrs,
            troubles=TROUBLES,
        )

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        """On all nodes with NVIDIA's devices, which are found out and labelled."""
        tolerations = [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _TOLERATED
        ]
        return {
            "tolerations": tolerations,
            "gfd": {"enabled": True},
            "nfd": {"worker": {"tolerations": tolerations}},
        }

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        if self._side is None:
            return ()
        if not self._side.cloud.token_audience:
            return self._side.checks
        place = _place(spec)
        issuer = public_issuer(Session(self._run), lambda: self._clusters.issuer(place))
        return (issuer, *self._side.checks)

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        """Of a store that tells actions apart, in the form of S3's policies; the rest is the
        cluster's, whose administrator sets up."""
        return store_permissions.documents(verb, f"anyscale-k8s-generic-{verb.value}")

    def makes(self, install: Install) -> Sequence[Made]:
        """One of them: an install has one store."""
        return tuple(store_of(kind, self._run).makes(install) for kind in Kind)

    def search(self, scope: Scope, cloud: str | None) -> Search:
        """There is nothing outside of clusters that could be listed: their ledgers tell."""
        self._said = scope
        return Search((), ())

    def clusters(self, scope: Scope) -> Sequence[str]:
        """The contexts of the kubeconfig, of which each may lead to a cluster."""
        self._said = scope
        if scope.cluster.context:
            return [scope.cluster.context]
        return context_names(scope.cluster.kubeconfig)

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        """The bucket: by what is said of the store, else by the Secret that the cluster has."""
        secrets = {kind: self._clusters.secret(install, kind.secret) for kind in Kind}
        (variable,) = STORE_VARIABLES["storage.kind"]
        said = scope.storage.kind or os.environ.get(variable)
        left = [kind for kind in Kind if secrets[kind]]
        kinds = [kind_of({"storage.kind": said})] if said or not left else left
        return tuple(
            item
            for kind in kinds
            for item in store_of(kind, self._run).owned(scope, install, secrets[kind])
        )

    def cluster_state(self, install: Install) -> ClusterState:
        """Nobody can tell that a cluster is deleted: it is there, or not known of."""
        there = self._clusters.place(install.cluster)
        return ClusterState.UNKNOWN if there is None else ClusterState.PRESENT

    def locate(self, install: Install) -> CloudSpec:
        place = self._clusters.place(install.cluster) or Place(self._said.cluster.context or "")
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=install.region,
            namespace=install.namespace,
            cluster=ClusterSpec(context=place.context, kubeconfig=place.kubeconfig),
            credentials=self._said.credentials,
            storage=self._said.storage,
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        """Nobody can be asked: the cluster's own Service is gone with its load balancer."""
        return ()

    def _store(self, settings: Settings) -> Store:
        return store_of(kind_of(settings), self._run)


def _place(spec: CloudSpec) -> Place:
    return Place(spec.cluster.context or "", spec.cluster.kubeconfig)


def _settings(spec: CloudSpec) -> Settings:
    return dict(leaves(spec.model_dump(exclude_none=True)))
