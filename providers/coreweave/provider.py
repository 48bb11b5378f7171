"""The provider itself: each part of the contract, handed to the module that knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.checks import BoundCheck, Finding
from anyscale_k8s_cli.cloud_side import CloudSide, Identity, Storage
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
from anyscale_k8s_cli.providers.coreweave import (
    checks,
    cloud_side,
    discovery,
    permissions,
    rights,
    search,
    teardown,
    wording,
)
from anyscale_k8s_cli.providers.coreweave import load_balancer as balancing
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.sdk import whereabouts
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, ClusterSpec, RulesSpec, Scope, Settings


class CoreWeaveProvider:
    """CoreWeave Kubernetes Service. One object serves one command; a token is of one
    organisation."""

    name = "coreweave"
    control_plane_name = "GENERIC"
    workload_identity = False
    environment: Mapping[str, tuple[str, ...]] = {}
    # The cluster's name or a context, of which neither is always needed.
    required: tuple[str, ...] = ()
    settings = frozenset({"existing.storage_keys", "existing.identity_audience"})

    def __init__(self, run: Run) -> None:
        self._coreweave = CoreWeave(run)
        self._built: cloud_side.Built | None = None

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        if environment.get(whereabouts.TOKEN):
            return {}
        return {whereabouts.TOKEN: "CoreWeave API token (not shown)"}

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        return discovery.discover(self._coreweave, spec)

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return ("region",)

    def unplaced(self, spec: CloudSpec) -> Cluster:
        return unplaced(self._coreweave.caller.organisation, (spec.region or "").lower())

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        """Attributes of a key never change: dropped tags go with the next key."""
        self._built = cloud_side.build(
            self._coreweave, spec, install, plane.cors_origin, cluster.facts or ""
        )
        return self._built.side

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        """Nothing more: a cluster is in one zone, which is its region."""
        return {}

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Nothing more: types and accelerators are read from the nodes on every platform."""
        return {}

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        return balancing.load_balancer(spec)

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        """CoreWeave brings the plugin wherever there are GPUs."""
        return {}

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        return checks.checks(self._coreweave, self._built) if self._built is not None else ()

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        return permissions.documents(verb)

    def makes(self, install: Install) -> Sequence[Made]:
        return cloud_side.makes(install)

    def caller(self) -> str:
        found = self._coreweave.caller
        return f"{found.user}, organisation {found.organisation}"

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        return tuple(cloud_side.grants(spec, install, bucket))

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        return cloud_side.protection()

    def search(self, scope: Scope, cloud: str | None) -> Search:
        return search.search(self._coreweave, scope, cloud)

    def clusters(self, scope: Scope) -> Sequence[str]:
        region = scope.region.lower() if scope.region else None
        return [
            item.name
            for item in self._coreweave.clusters.all()
            if region in (None, item.zone.lower())
        ]

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        return teardown.find_owned(self._coreweave, install)

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        return rights.to_remove(self._coreweave, going, staying)

    def cluster_state(self, install: Install) -> ClusterState:
        return discovery.state_of(self._coreweave, install.region, install.cluster_name)

    def locate(self, install: Install) -> CloudSpec:
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=install.region,
            namespace=install.namespace,
            cluster=ClusterSpec(name=install.cluster_name),
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        """Nobody can be asked: load balancers of CoreWeave are their Services alone."""
        return ()
