"""The provider itself: each part of the contract, handed to the module that knows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck, Finding
from anyscale_k8s_cli.cloud_side import CloudSide, Identity, Storage, WorkloadEndpoints
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
    install_on,
    unplaced,
)
from anyscale_k8s_cli.providers.gcs.sdk.session import default_project
from anyscale_k8s_cli.providers.gke import checks as checks_of_google
from anyscale_k8s_cli.providers.gke import (
    cloud_side,
    discovery,
    labels,
    permissions,
    rights,
    search,
    tags,
    teardown,
    wording,
)
from anyscale_k8s_cli.providers.gke import load_balancer as balancing
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import (
    AccountSpec,
    CloudSpec,
    ClusterSpec,
    CredentialsSpec,
    RulesSpec,
    Scope,
)


class GkeProvider:
    """Google GKE. One object serves one command; sessions with Google are kept and shared."""

    name = "gke"
    control_plane_name = "GCP"
    workload_identity = True
    environment: Mapping[str, tuple[str, ...]] = {
        "account.project_id": ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
    }
    required = ("account.project_id", "cluster.name")
    settings = frozenset(
        {
            "account.project_id",
            "credentials.impersonate",
            "identity.workloads",
            "rules.kms_key",
            "rules.storage_role",
        }
    )
    spot_labels: Mapping[str, str] = {labels.SPOT: "true"}

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._projects: dict[tuple[str, str | None], Google] = {}
        self._impersonate: str | None = None

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        return discovery.discover(self._of(spec), spec)

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return ("account.project_id", "region", "existing.zones")

    def unplaced(self, spec: CloudSpec) -> Cluster:
        """The pool that vouches for service accounts is the project's, whatever the cluster."""
        project = self._of(spec).project
        facts = discovery.GkeFacts("", f"{project}.svc.id.goog", {})
        return unplaced(project, spec.region or "", facts)

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        return cloud_side.build(
            self._of(spec), spec, cluster, install, plane.cors_origin, dropped_tags
        )

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        return {
            "gcp_config": {"project_id": cluster.account},
            "kubernetes_config": {
                "zones": list(cluster.zones),
                "anyscale_operator_iam_identity": identity.registered,
            },
        }

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        return {"global": {"auth": {"iamIdentity": identity.helm}}}

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        asked, compute = balancing.load_balancer(spec), self._of(spec).compute
        return replace(asked, unlike=partial(balancing.unlike, compute, cluster.region, asked))

    def workload_endpoints(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage
    ) -> WorkloadEndpoints:
        return WorkloadEndpoints(self._of(spec).session.endpoint("storage"))

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        """GKE brings its own plugin to every pool with GPUs, so there is nothing to set."""
        return {}

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        names = cloud_side.names(spec, install_on(cluster, spec))
        return checks_of_google.checks(spec, cluster, self._of(spec), names)

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        return permissions.documents(verb)

    def makes(self, install: Install) -> Sequence[Made]:
        return cloud_side.makes(install)

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        return tuple(cloud_side.grants(spec, install, bucket))

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        return cloud_side.protection(spec)

    def search(self, scope: Scope, cloud: str | None) -> Search:
        return search.search(self._in(scope), scope, cloud)

    def completed(self, scope: Scope) -> Scope:
        project = scope.account.project_id or default_project()
        if not project:
            raise errors.CliError(
                errors.MISSING_INPUT,
                "It is not known which Google Cloud project to search",
                cause="neither an option, nor GOOGLE_CLOUD_PROJECT, nor the credentials tell",
                fix="give --project-id",
            )
        account = scope.account.model_copy(update={"project_id": project})
        return scope.model_copy(update={"account": account})

    def caller(self) -> str:
        project = default_project()
        session = self._google(project or "").session
        session.bearer()
        who = session.principal or "a person"
        return f"{who}, project {project}" if project else who

    def clusters(self, scope: Scope) -> Sequence[str]:
        found, _ = self._in(scope).container.clusters()
        where = scope.region
        return [item.name for item in found if where in (None, item.region, item.location)]

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        self._impersonate = scope.credentials.impersonate or self._impersonate
        return teardown.find_owned(self._google(install.account), install)

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        return rights.to_remove(self._google(install.account), install, going, staying)

    def cluster_state(self, install: Install) -> ClusterState:
        return discovery.state_of(self._google(install.account), install.cluster)

    def locate(self, install: Install) -> CloudSpec:
        _, location, name = tags.cluster_parts(install.cluster)
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=location,
            namespace=install.namespace,
            cluster=ClusterSpec(name=name),
            account=AccountSpec(project_id=install.account),
            credentials=CredentialsSpec(impersonate=self._impersonate),
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        if not addresses:
            return ()
        rules = self._google(install.account).compute.forwarding_rules(install.region)
        return tuple(rule.name for rule in rules if rule.address in addresses)

    # -- sessions ------------------------------------------------------------------

    def _of(self, spec: CloudSpec) -> Google:
        self._impersonate = spec.credentials.impersonate
        return self._google(spec.account.project_id or "")

    def _in(self, scope: Scope) -> Google:
        """Raises `missing-input` when nothing says which project."""
        self._impersonate = scope.credentials.impersonate
        return self._google(self.completed(scope).account.project_id or "")

    def _google(self, project: str) -> Google:
        with self._lock:
            place = (project, self._impersonate)
            if place not in self._projects:
                self._projects[place] = Google(self._run, project, self._impersonate)
            return self._projects[place]
