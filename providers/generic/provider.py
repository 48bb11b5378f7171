"""The provider itself: a cluster by its context, a store by its address, keys from the user."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck
from anyscale_k8s_cli.cluster.context import context_names
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import (
    CloudSide,
    Cluster,
    ClusterReader,
    ClusterState,
    ControlPlaneFacts,
    Identity,
    LoadBalancer,
    Made,
    PolicyDocument,
    Search,
    Storage,
    Verb,
)
from anyscale_k8s_cli.providers.generic import wording
from anyscale_k8s_cli.providers.generic.clusters import Clusters, Place
from anyscale_k8s_cli.providers.objectstore import checks as checks_of_store
from anyscale_k8s_cli.providers.objectstore.bucket import (
    AdoptedBucket,
    Bucket,
    bucket_name,
    default_name,
)
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.sdk.given import AMAZONS, OWN, given_keys
from anyscale_k8s_cli.providers.objectstore.stored import stored_settings
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import (
    CloudSpec,
    ClusterSpec,
    CredentialsSpec,
    RulesSpec,
    Scope,
    Settings,
    StorageSpec,
)
from anyscale_k8s_cli.storage_keys import SECRET_NAME, GivenKeys, StorageKeys, kept_keys

# Spec fields of the store, with the variables that set them, our own first.
STORE_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "storage.endpoint": (
        "ANYSCALE_K8S_STORAGE_ENDPOINT",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
    ),
    "storage.region": ("ANYSCALE_K8S_STORAGE_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "storage.addressing": ("ANYSCALE_K8S_STORAGE_ADDRESSING",),
    "storage.checksums": ("ANYSCALE_K8S_STORAGE_CHECKSUMS",),
}
# Taints of nodes with GPUs: NVIDIA's own custom, and the operator chart's.
_TOLERATED = (
    "nvidia.com/gpu",
    "node.anyscale.com/capacity-type",
    "node.anyscale.com/accelerator-type",
)
_MISSING_KEYS = errors.CliError(
    errors.CLOUD_CREDENTIALS_MISSING,
    "There are no keys for the object store",
    cause=f"neither {OWN[0]} and {OWN[1]} nor {AMAZONS[0]} and {AMAZONS[1]} are set, and no "
    "profile was named",
    fix="set them, or name a profile with --aws-profile",
)


@dataclass(frozen=True)
class _Side:
    """What was put together last, for the checks of the same command."""

    s3: S3
    bucket: str
    origin: str


class GenericProvider:
    """Kubernetes without a cloud. One object serves one command."""

    name = "generic"
    control_plane_name = "GENERIC"
    workload_identity = False
    environment: Mapping[str, tuple[str, ...]] = STORE_VARIABLES
    required = ("region", "cluster.context")
    settings = frozenset({"credentials.aws_profile", *STORE_VARIABLES})

    def __init__(self, run: Run) -> None:
        self._run = run
        self._clusters = Clusters(run)
        self._side: _Side | None = None
        self._said = Scope()

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        if settings.get("credentials.aws_profile"):
            return {}
        if any(all(environment.get(name) for name in pair) for pair in (OWN, AMAZONS)):
            return {}
        return {
            OWN[0]: "Access key of the object store (nothing: as an earlier setup was given)",
            OWN[1]: "Its secret (not shown)",
        }

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def discover(self, spec: CloudSpec) -> Cluster:
        place = Place(spec.cluster.context or "", spec.cluster.kubeconfig)
        return self._clusters.at(place, spec.region or "")

    def cloud_side(
        self,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str] = NO_TAGS,
    ) -> CloudSide:
        keys = self._keys(install, spec.credentials)
        s3 = S3(self._run, wording.store(spec.storage), lambda: keys.output)
        adopted, origin = spec.existing.bucket, plane.cors_origin
        storage: Resource[Storage]
        if adopted:
            name = bucket_name(adopted)
            storage = AdoptedBucket(s3, install, name, origin=origin, needs=(keys,))
        else:
            name = spec.rules.names.get("bucket") or default_name(install)
            storage = Bucket(s3, install, name, origin=origin, needs=(keys,))
        self._side = _Side(s3, name, origin)
        return CloudSide(
            resources=(keys, storage),
            storage=storage,
            identity=None,
            service_account_annotations=dict,
            storage_keys=keys,
        )

    def registration(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage, identity: Identity
    ) -> dict[str, Any]:
        return {"kubernetes_config": {"zones": list(cluster.zones)}} if cluster.zones else {}

    def operator_values(
        self, spec: CloudSpec, cluster: Cluster, identity: Identity, nodes: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        return {}

    def load_balancer(
        self, spec: CloudSpec, cluster: Cluster, install: Install, reader: ClusterReader
    ) -> LoadBalancer:
        """Whoever serves such Services in the cluster; how it is asked is the user's to say."""
        network = spec.network
        return LoadBalancer(
            served_by="the cluster's own load balancer",
            annotations=dict(network.annotations),
            source_ranges=network.allow_cidrs,
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
        side = self._side
        return checks_of_store.checks(side.s3, side.bucket, side.origin)

    def permissions(self, verb: Verb) -> Sequence[PolicyDocument]:
        """Nobody grants rights but the cluster, and setup must be its administrator."""
        return ()

    def makes(self, install: Install) -> Sequence[Made]:
        return (Made("S3 bucket", default_name(install), "the object store"),)

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
        """The bucket, by the store's settings and keys as they are said, else as the cluster has
        them in its Secret."""
        found = self._clusters.secret(install, SECRET_NAME)
        storage = stored_settings(found, install)
        if scope.storage.endpoint or not storage.endpoint:
            storage = _said_or_set(scope.storage)
        keys = given_keys(scope.credentials.aws_profile) or kept_keys(found, install)
        if keys is None or not storage.endpoint:
            return ()
        s3 = S3(self._run, wording.store(storage), lambda: keys)
        return (Bucket(s3, install, default_name(install)),)

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
            credentials=CredentialsSpec(aws_profile=self._said.credentials.aws_profile),
            storage=self._said.storage,
            rules=RulesSpec(name_prefix=install.name_prefix),
        )

    def load_balancer_left(self, install: Install, addresses: Sequence[str]) -> Sequence[str]:
        """Nobody can be asked: the cluster's own Service is gone with its load balancer."""
        return ()

    def _keys(self, install: Install, credentials: CredentialsSpec) -> GivenKeys:
        def given() -> StorageKeys | None:
            return given_keys(credentials.aws_profile)

        return GivenKeys(install, given, _MISSING_KEYS)


def _said_or_set(storage: StorageSpec) -> StorageSpec:
    """The store's settings of a search: what was not said, variables may tell."""
    found = {
        path.partition(".")[2]: value
        for path, names in STORE_VARIABLES.items()
        if (value := next((os.environ[name] for name in names if os.environ.get(name)), None))
    }
    said = storage.model_dump(exclude_none=True)
    return StorageSpec.model_validate({**found, **said})
