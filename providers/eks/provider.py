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
)
from anyscale_k8s_cli.providers.eks import (
    capacity,
    cloud_side,
    discovery,
    gpu,
    identity_kind,
    labels,
    permissions,
    rights,
    search,
    teardown,
    wording,
)
from anyscale_k8s_cli.providers.eks import checks as checks_of_aws
from anyscale_k8s_cli.providers.eks import identity as roles
from anyscale_k8s_cli.providers.eks import load_balancer as balancing
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
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


class EksProvider:
    """Amazon EKS. One object serves one command; sessions with AWS are kept and shared."""

    name = "eks"
    control_plane_name = "AWS"
    workload_identity = True
    # A profile in the environment is left to the SDK, which has its own rules of precedence.
    environment: Mapping[str, tuple[str, ...]] = {"region": ("AWS_REGION", "AWS_DEFAULT_REGION")}
    required = ("region", "cluster.name")
    settings = frozenset(
        {
            "account.id",
            "credentials.aws_profile",
            "existing.oidc_provider",
            "identity.kind",
            "identity.workloads",
            "rules.role_path",
            "rules.permissions_boundary",
            "rules.kms_key",
        }
    )
    spot_labels: Mapping[str, str] = {
        labels.CAPACITY_TYPE: labels.SPOT,
        labels.KARPENTER_CAPACITY_TYPE: labels.KARPENTER_SPOT,
    }

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str | None, str | None], Aws] = {}
        self._profile: str | None = None

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)
        near = wording.near_region(spec.region or "")
        if near:
            text = f"the AWS SDK knows no region {spec.region}; did you mean {near}?"
            self._run.emit(Notice(level="warning", text=text))

    def discover(self, spec: CloudSpec) -> Cluster:
        aws = self._of(spec)
        return identity_kind.chosen(aws, spec, discovery.discover(aws, spec))

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        return ("region", "existing.zones")

    def unplaced(self, spec: CloudSpec) -> Cluster:
        return discovery.unplaced(self._of(spec), spec)

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
            "aws_config": {},
            "kubernetes_config": {
                "zones": list(cluster.zones),
                "anyscale_operator_iam_identity": identity.registered,
            },
        }

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        facts: EksFacts = cluster.facts
        market = capacity.market_values(
            nodes, node_groups=bool(cluster.node_pools), auto_mode=facts.auto_mode
        )
        values: dict[str, Any] = {
            "global": {
                "aws": {"region": cluster.region},
                # With it the chart would annotate the account for IRSA, which comes first
                # for every SDK.
                "auth": {"iamIdentity": "" if facts.pod_identity else identity.helm},
            }
        }
        return {**values, "workloads": market} if market else values

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        asked = balancing.load_balancer(spec, cluster.facts, install, reader, self._run)
        return replace(asked, unlike=partial(balancing.unlike, self._of(spec).network, asked))

    def workload_endpoints(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage
    ) -> WorkloadEndpoints:
        """Of the bucket's own region, and for tokens of the cluster's."""
        here, there = self._of(spec).session, self._aws(storage.region).session
        return WorkloadEndpoints(there.endpoint("s3"), here.endpoint("sts"))

    def gpu_plugin_values(self, cluster: Cluster) -> dict[str, Any]:
        return gpu.plugin_values(cluster.node_pools)

    def checks(self, spec: CloudSpec, cluster: Cluster) -> Sequence[BoundCheck]:
        aws, install = self._of(spec), install_on(cluster, spec)
        bounded = partial(cloud_side.bounded, aws, spec, cluster, install)
        names = cloud_side.names(spec, install)
        return checks_of_aws.checks(spec, cluster, aws, names, bounded)

    def same_identity(self, registered: str, held: str) -> bool:
        return roles.assumed(registered, held)

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        return permissions.documents(verb)

    def makes(self, install: Install) -> Sequence[Made]:
        return cloud_side.makes(install)

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        return tuple(cloud_side.grants(spec, install, bucket))

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        return cloud_side.protection(spec)

    def search(self, scope: Scope, cloud: str | None) -> Search:
        self._profile = scope.credentials.aws_profile
        return search.search(self._aws(scope.region), scope, cloud)

    def caller(self) -> str:
        return self._aws(None).caller.arn

    def clusters(self, scope: Scope) -> Sequence[str]:
        self._profile = scope.credentials.aws_profile
        return self._aws(scope.region).eks.names()

    def find_owned(self, scope: Scope, install: Install) -> Sequence[Resource[Any]]:
        self._profile = scope.credentials.aws_profile or self._profile
        aws = self._aws(install.region)
        discovery.check_account(aws.caller, install.account)
        deleted = self.cluster_state(install) is ClusterState.DELETED
        return teardown.find_owned(aws, install, cluster_deleted=deleted)

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        return rights.to_remove(self._aws(install.region), install, going, staying)

    def cluster_state(self, install: Install) -> ClusterState:
        aws = self._aws(install.region)
        try:
            discovery.check_account(aws.caller, install.account)
            described = aws.eks.describe(Arn.parse(install.cluster).name)
        except errors.CliError as problem:
            if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
                raise
            return ClusterState.UNKNOWN
        if described is None or described.status == "DELETING":
            return ClusterState.DELETED
        return ClusterState.PRESENT

    def locate(self, install: Install) -> CloudSpec:
        return CloudSpec(
            provider=self.name,
            name=install.cloud,
            region=install.region,
            namespace=install.namespace,
            cluster=ClusterSpec(name=Arn.parse(install.cluster).name),
            account=AccountSpec(id=install.account),
            credentials=CredentialsSpec(aws_profile=self._profile),
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        wanted = {address.lower() for address in addresses}
        if not wanted:
            return ()
        network = self._aws(install.region).network
        there = [*network.load_balancers(), *network.classic_load_balancers()]
        return tuple(item.arn or item.name for item in there if item.dns_name.lower() in wanted)

    # -- sessions ------------------------------------------------------------------

    def _of(self, spec: CloudSpec) -> Aws:
        self._profile = spec.credentials.aws_profile
        return self._aws(spec.region)

    def _aws(self, region: str | None) -> Aws:
        with self._lock:
            place = (self._profile, region)
            if place not in self._sessions:
                self._sessions[place] = Aws(self._run, self._profile, region)
            return self._sessions[place]
