"""The provider itself: each part of the contract, handed to the module that knows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck, Finding, passed
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
from anyscale_k8s_cli.providers.nebius import (
    capacity,
    cloud_side,
    discovery,
    labels,
    permissions,
    rights,
    search,
    teardown,
    wording,
)
from anyscale_k8s_cli.providers.nebius import (
    checks as checks_of_nebius,
)
from anyscale_k8s_cli.providers.nebius import load_balancer as balancing
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.whereabouts import Whereabouts
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import AccountSpec, CloudSpec, ClusterSpec, RulesSpec, Scope


class NebiusProvider:
    """Nebius Managed Kubernetes. One object serves one command; sessions are kept and shared."""

    name = "nebius"
    control_plane_name = "GENERIC"
    workload_identity = False
    environment: Mapping[str, tuple[str, ...]] = {"account.project_id": ("NEBIUS_PROJECT_ID",)}
    settings = frozenset({"account.project_id", "existing.storage_keys"})
    spot_labels: Mapping[str, str] = {labels.PREEMPTIBLE: "true"}

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._projects: dict[str, Nebius] = {}

    @property
    def required(self) -> tuple[str, ...]:
        """The project too, where the profile of Nebius' command line does not tell it."""
        known = bool(Whereabouts().project)
        return ("cluster.name",) if known else ("account.project_id", "cluster.name")

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        return discovery.discover(self._of(spec.account), spec)

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return tuple(path for path in self.required if path.startswith("account."))

    def unplaced(self, spec: CloudSpec) -> Cluster:
        nebius = self._of(spec.account)
        facts = discovery.NebiusFacts("", ())
        return unplaced(nebius.project, discovery.region_of(nebius), facts)

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        return cloud_side.build(
            self._nebius(cluster.account), spec, install, plane.cors_origin, dropped_tags
        )

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        """Nothing more: Nebius has no zones, and vouches for no operator."""
        return {}

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Types as the node groups are, where types are to be as the nodes are."""
        facts: discovery.NebiusFacts = cluster.facts
        return capacity.values(facts.groups) if spec.instance_types == "auto" else {}

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        return balancing.load_balancer(spec)

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        """Where Nebius brings no plugin, the usual one finds GPUs by itself."""
        return {}

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        return checks_of_nebius.checks(spec, cluster, self._nebius(cluster.account))

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        return permissions.documents(verb)

    def makes(self, install: Install) -> Sequence[Made]:
        return cloud_side.makes(install)

    def caller(self) -> str:
        return self._nebius("").session.principal

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        return tuple(cloud_side.grants(spec, install, bucket))

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        return cloud_side.protection()

    def search(self, scope: Scope, cloud: str | None) -> Search:
        return search.search(self._of(scope.account), scope, cloud)

    def clusters(self, scope: Scope) -> Sequence[str]:
        return [item.name for item in self._of(scope.account).clusters.all()]

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        return teardown.find_owned(self._nebius(install.account), install)

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        """Which of them makes no difference: a role is for all."""
        if not (going or staying):
            return passed()
        return rights.permitted(self._nebius(install.account), Verb.DELETE)

    def cluster_state(self, install: Install) -> ClusterState:
        return discovery.state_of(self._nebius(install.account), install.cluster_name)

    def locate(self, install: Install) -> CloudSpec:
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=install.region,
            namespace=install.namespace,
            cluster=ClusterSpec(name=install.cluster_name),
            account=AccountSpec(project_id=install.account),
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        if not addresses:
            return ()
        return tuple(
            item.load_balancer
            for item in self._nebius(install.account).network.addresses()
            if item.load_balancer and item.address in addresses
        )

    # -- sessions ------------------------------------------------------------------

    def _of(self, account: AccountSpec) -> Nebius:
        """Raises `missing-input` when nothing says which project."""
        project = account.project_id or Whereabouts().project
        if not project:
            raise errors.CliError(
                errors.MISSING_INPUT,
                "It is not known which Nebius project the cluster is in",
                cause="neither an option, nor NEBIUS_PROJECT_ID, nor the profile of Nebius' "
                "command line tells",
                fix="give --project-id, which the console shows beside the project's name",
            )
        return self._nebius(project)

    def _nebius(self, project: str) -> Nebius:
        with self._lock:
            if project not in self._projects:
                self._projects[project] = Nebius(self._run, project)
            return self._projects[project]
