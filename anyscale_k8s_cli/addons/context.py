"""What every add-on is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.cluster.release_work import HelmTools
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, Provider
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec


@dataclass(frozen=True)
class InstallContext:
    """One install, as what it is made of is written down; nothing here can be asked.

    `nodes` are the cluster's nodes as the API tells them. `user_domain` is the
    domain under which the control plane publishes users' addresses.
    """

    spec: CloudSpec
    install: Install
    provider: Provider
    cluster: Cluster
    nodes: Sequence[Document]
    control_plane_url: str
    user_domain: str

    @cached_property
    def pods(self) -> PodSettings:
        return PodSettings(self.spec.pods, (self.cluster.access.endpoint,))


@dataclass(frozen=True)
class ClusterContext(InstallContext):
    """The same with the cluster that it is in, and all that it is made with there.

    `upgrade` lets versions of what is installed move. `teardown` asks for whatever the
    install may have made, needed by the spec or not. `dropped_tags` were written by an
    earlier setup and are wanted no longer.
    """

    kubernetes: Kubernetes
    helm: Helm
    charts: Charts
    run: Run
    upgrade: bool = False
    teardown: bool = False
    dropped_tags: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def pods(self) -> PodSettings:
        """With the address by which pods find the cluster's API."""
        outside = self.cluster.access.endpoint
        if not (self.spec.pods.http_proxy or self.spec.pods.https_proxy):
            return PodSettings(self.spec.pods, (outside,))
        service = self.kubernetes.get("v1", "Service", "kubernetes", "default") or {}
        inside = (service.get("spec") or {}).get("clusterIP") or ""
        return PodSettings(self.spec.pods, (outside, inside))

    @cached_property
    def surroundings(self) -> Surroundings:
        return Surroundings(
            self.kubernetes,
            self.install,
            tags=self.spec.rules.tags,
            dropped=self.dropped_tags,
            deletion_seconds=self.spec.timeouts.deletion,
        )

    @cached_property
    def tools(self) -> HelmTools:
        return HelmTools(self.kubernetes, self.helm, self.charts, self.run)
