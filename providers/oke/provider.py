"""The provider itself: each part of the contract, handed to the module that knows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck
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
from anyscale_k8s_cli.providers.oke import checks as checks_of_oke
from anyscale_k8s_cli.providers.oke import (
    cloud_side,
    discovery,
    labels,
    permissions,
    search,
    teardown,
    wording,
)
from anyscale_k8s_cli.providers.oke import load_balancer as balancing
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.session import Session
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import AccountSpec, CloudSpec, ClusterSpec, RulesSpec, Scope


class OkeProvider:
    """Oracle Kubernetes Engine. One object serves one command; sessions are kept and shared."""

    name = "oke"
    control_plane_name = "GENERIC"
    workload_identity = False
    environment: Mapping[str, tuple[str, ...]] = {
        "account.compartment_id": ("OCI_COMPARTMENT_ID",),
        "region": ("OCI_CLI_REGION",),
    }
    # Region and compartment may be in the profile, and a cluster is searched for by its name.
    required = ("cluster.name",)
    settings = frozenset({"account.compartment_id", "existing.storage_keys"})
    spot_labels: Mapping[str, str] = {labels.PREEMPTIBLE: "true"}

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._regions: dict[str, Oracle] = {}

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        return discovery.discover(self._in(spec.region), spec, self._compartment(spec.account))

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return ()

    def unplaced(self, spec: CloudSpec) -> Cluster:
        oracle = self._in(spec.region)
        facts = discovery.OkeFacts("", (), gpu_plugin=False)
        return unplaced(self._compartment(spec.account), oracle.region, facts)

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        return cloud_side.build(self._in(cluster.region), spec, install, dropped_tags)

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        """Nothing more: Oracle vouches for no operator."""
        return {}

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Nothing of its own: nodes tell their shapes by the usual label."""
        return {}

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        return balancing.load_balancer(spec)

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        """Where the add-on is not installed, the usual plugin finds GPUs by itself."""
        tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        return {"tolerations": tolerations, "gfd": {"enabled": True}}

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        return checks_of_oke.checks(spec, cluster, self._in(cluster.region))

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        return permissions.documents(verb)

    def makes(self, install: Install) -> Sequence[Made]:
        return cloud_side.makes(install)

    def caller(self) -> str:
        return self._session.principal

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        return tuple(cloud_side.grants(spec, install, bucket))

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        return cloud_side.protection()

    def search(self, scope: Scope, cloud: str | None) -> Search:
        compartment = self._compartment(scope.account)
        return search.search(self._in(scope.region), scope, cloud, compartment)

    def clusters(self, scope: Scope) -> Sequence[str]:
        """In the compartment that is said or set; else in all that may be seen."""
        oracle, compartment = self._in(scope.region), self._compartment(scope.account)
        return sorted({item.name for item in discovery.everything(oracle, compartment)})

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        return teardown.find_owned(self._in(install.region), install)

    def cluster_state(self, install: Install) -> ClusterState:
        oracle = self._in(install.region)
        return discovery.state_of(oracle, install.account, install.cluster_name)

    def locate(self, install: Install) -> CloudSpec:
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=install.region,
            namespace=install.namespace,
            cluster=ClusterSpec(name=install.cluster_name),
            account=AccountSpec(compartment_id=install.account),
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        if not addresses:
            return ()
        there = self._in(install.region).network.balancers(install.account)
        return tuple(balancer for balancer, own in there if own & set(addresses))

    # -- sessions ------------------------------------------------------------------

    @cached_property
    def _session(self) -> Session:
        return Session(self._run)

    def _compartment(self, account: AccountSpec) -> str:
        """What is said, else set; empty for any."""
        return account.compartment_id or self._session.where.compartment

    def _in(self, region: str | None) -> Oracle:
        """Raises `missing-input` when nothing says which region."""
        found = region or self._session.where.region
        if not found:
            raise errors.CliError(
                errors.MISSING_INPUT,
                "Missing: --region",
                cause="neither an option, nor OCI_CLI_REGION, nor the profile of Oracle's "
                "settings tells",
                fix="give --region, such as us-ashburn-1",
            )
        with self._lock:
            if found not in self._regions:
                self._regions[found] = Oracle(self._run, self._session, found)
            return self._regions[found]
