"""The provider itself: each part of the contract, handed to the module that knows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck, Finding
from anyscale_k8s_cli.cloud_side import CloudSide, Identity, Storage
from anyscale_k8s_cli.events import Notice
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
from anyscale_k8s_cli.providers.aks import checks as checks_of_azure
from anyscale_k8s_cli.providers.aks import (
    cloud_side,
    discovery,
    gpu,
    labels,
    permissions,
    rights,
    search,
    tags,
    teardown,
    wording,
)
from anyscale_k8s_cli.providers.aks import load_balancer as balancing
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.discovery import AksFacts
from anyscale_k8s_cli.providers.aks.sdk.network import Frontend
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import AccountSpec, CloudSpec, ClusterSpec, RulesSpec, Scope

_VARIABLES = ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID")


class AksProvider:
    """Azure AKS. One object serves one command; sessions with Azure are kept and shared."""

    name = "aks"
    control_plane_name = "AZURE"
    workload_identity = True
    environment: Mapping[str, tuple[str, ...]] = {"account.subscription_id": _VARIABLES}
    required = ("account.subscription_id", "account.resource_group", "cluster.name")
    settings = frozenset(
        {
            "account.subscription_id",
            "account.resource_group",
            "identity.workloads",
            "rules.azure_shared_key",
            "rules.kms_identity",
            "rules.kms_key",
            "rules.storage_role",
        }
    )
    spot_labels: Mapping[str, str] = {labels.PRIORITY: labels.SPOT}

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._subscriptions: dict[str, Azure] = {}
        self._audience: Callable[[], str] | None = None

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        return discovery.discover(self._of(spec), spec)

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return ("account.subscription_id", "region")

    def unplaced(self, spec: CloudSpec) -> Cluster:
        azure = self._of(spec)
        group = spec.account.resource_group or ""
        facts = AksFacts(group, azure.tenant, issuer="", workload_identity=False)
        return unplaced(azure.subscription_id, spec.region or "", facts)

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        self._audience = plane.azure_audience
        return cloud_side.build(self._of(spec), spec, cluster, install, plane, dropped_tags)

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        facts: AksFacts = cluster.facts
        zones = {"zones": list(cluster.zones)} if cluster.zones else {}
        return {
            "azure_config": {"tenant_id": facts.tenant},
            "kubernetes_config": {
                **zones,
                "anyscale_operator_iam_identity": identity.registered,
            },
        }

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        return {"global": {"auth": {"iamIdentity": identity.helm, "audience": identity.audience}}}

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        asked = balancing.load_balancer(spec, install)
        frontends = partial(self._frontends, install)
        return replace(asked, unlike=partial(balancing.unlike, frontends, asked))

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        return gpu.plugin_values()

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        return checks_of_azure.checks(
            spec,
            self._of(spec),
            cluster,
            lambda: cloud_side.names(spec, install_on(cluster, spec)),
            self._audience,
        )

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        return permissions.documents(verb)

    def makes(self, install: Install) -> Sequence[Made]:
        return cloud_side.makes(install)

    def caller(self) -> str:
        return self._azure("").session.principal

    def completed(self, scope: Scope) -> Scope:
        """Where nothing says which subscription it stays open: all that one sees are searched."""
        said = (scope.account.subscription_id, *map(os.environ.get, _VARIABLES))
        named = next(filter(None, said), None)
        account = scope.account.model_copy(update={"subscription_id": named})
        return scope.model_copy(update={"account": account})

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        return tuple(cloud_side.grants(spec, install, bucket))

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        return cloud_side.protection(spec)

    def search(self, scope: Scope, cloud: str | None) -> Search:
        """In one subscription, or in all that one sees where nothing says which."""
        named = self.completed(scope).account.subscription_id
        seen = [named] if named else self._azure("").subscription.seen()
        found = [search.search(self._azure(subscription), scope, cloud) for subscription in seen]
        return Search(
            tuple(install for one in found for install in one.installs),
            tuple(line for one in found for line in one.searched),
            tuple(line for one in found for line in one.unsearched),
        )

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        return teardown.find_owned(self._azure(install.account), install)

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        group = tags.group_of(install)
        return rights.to_remove(self._azure(install.account), group, going, staying)

    def cluster_state(self, install: Install) -> ClusterState:
        _, group, name = tags.cluster_parts(install.cluster)
        try:
            found = self._azure(install.account).clusters.get(group, name)
        except errors.CloudFailure:
            return ClusterState.UNKNOWN
        return ClusterState.PRESENT if found is not None else ClusterState.DELETED

    def locate(self, install: Install) -> CloudSpec:
        _, group, name = tags.cluster_parts(install.cluster)
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=install.region,
            namespace=install.namespace,
            cluster=ClusterSpec(name=name),
            account=AccountSpec(subscription_id=install.account, resource_group=group),
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        """Those in the cluster's node resource group, which goes with the cluster."""
        if not addresses:
            return ()
        try:
            frontends = self._frontends(install)
        except errors.CloudFailure as failure:
            if not failure.denied:
                raise
            text = f"whether the load balancer is gone is not known: {failure}"
            self._run.emit(Notice(level="warning", text=text))
            return ()
        return tuple(item.id for item in frontends if item.names & set(addresses))

    def _frontends(self, install: Install) -> list[Frontend]:
        azure = self._azure(install.account)
        _, group, name = tags.cluster_parts(install.cluster)
        described = azure.clusters.get(group, name)
        if described is None:
            return []
        return list(azure.network.frontends(described.node_resource_group))

    # -- sessions ------------------------------------------------------------------

    def _of(self, spec: CloudSpec) -> Azure:
        return self._azure(spec.account.subscription_id or "")

    def _azure(self, subscription: str) -> Azure:
        with self._lock:
            key = subscription.lower()
            if key not in self._subscriptions:
                self._subscriptions[key] = Azure(self._run, key)
            return self._subscriptions[key]
