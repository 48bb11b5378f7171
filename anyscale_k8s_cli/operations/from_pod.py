"""What a pod of the install is asked: whether the bucket is of use, whom it must reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import NamesEndpoints
from anyscale_k8s_cli.addons.names import SERVICE_ACCOUNT
from anyscale_k8s_cli.addons.pod_probe import PodProbe, Question
from anyscale_k8s_cli.checks import BoundCheck
from anyscale_k8s_cli.checks.functional import Site, functional_checks
from anyscale_k8s_cli.checks.nodes import Machines
from anyscale_k8s_cli.checks.pods import pod_checks
from anyscale_k8s_cli.cloud_side import CloudSide, Storage, WorkloadEndpoints
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.origin import api_origin
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, Provider
from anyscale_k8s_cli.resource import NotYetKnown
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.templates import load_yaml

# Seconds. What was granted some time ago may still be new to the store's one or other machine.
_MOMENT = 3.0


@dataclass(frozen=True)
class FromPod:
    """An install that is there. `host` is Anyscale's, `again` the command that mends what is ours.

    `storage` gives the bucket, where it is known; `values` are the operator's Helm values;
    `image` is what was said just now, before what the spec says. `patience` is how many seconds
    what was granted may take to let a pod into the bucket.
    """

    provider: Provider
    spec: CloudSpec
    cluster: Cluster
    kubernetes: Kubernetes
    install: Install
    cloud_side: CloudSide | None
    storage: Callable[[], Storage] | None
    values: Mapping[str, Any]
    host: str
    again: str
    image: str | None = None
    patience: float = _MOMENT

    def checks(self) -> tuple[BoundCheck, ...]:
        """One pod answers all of them; it is made when the first is run."""
        return pod_checks(self._probe, self._question, self.again, needed=self._needed)

    def functional_checks(self, machines: Machines, *, scale_up: bool) -> tuple[BoundCheck, ...]:
        """Those by work, with a pod for each."""
        site = Site(self._probe, machines, self.again, scale_up)
        return functional_checks(site, self._question)

    @property
    def _probe(self) -> PodProbe:
        return PodProbe(
            self.kubernetes,
            self.install,
            self.cloud_side,
            self.image or self.spec.probe.image,
            self.spec.pods.image_registry,
            _account(self.values),
            self.spec.rules.tags,
            self.spec.timeouts.probe,
        )

    def _question(self) -> Question:
        if self.storage is None:
            return Question(hosts=(*self._needed, *_of_anyscale(self.host)))
        try:
            storage = self.storage()
        except NotYetKnown as unknown:
            raise errors.CliError(
                errors.BUCKET_MISSING, "There is no bucket to ask for", fix=self.again
            ) from unknown
        places = WorkloadEndpoints()
        if isinstance(self.provider, NamesEndpoints):
            places = self.provider.workload_endpoints(self.spec, self.cluster, storage)
        hosts = (*self._needed, *_of_anyscale(self.host))
        return Question(storage, places, hosts, patience=self.patience)

    @property
    def _needed(self) -> tuple[str, ...]:
        redis = self.spec.existing.redis_endpoint
        return (self.host, *((f"tcp://{redis}",) if redis else ()))


def _of_anyscale(host: str) -> tuple[str, ...]:
    """What else of Anyscale's own pods go to; nothing for a plane that stands for itself."""
    api = api_origin(host)
    return (api, *load_yaml("pod_probe/hosts.yaml")) if api else ()


def _account(values: Mapping[str, Any]) -> str:
    account = (values.get("workloads") or {}).get("serviceAccount") or {}
    return str(account.get("name") or SERVICE_ACCOUNT)
