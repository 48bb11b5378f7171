"""ingress-nginx, for those who want it: a controller of the install's own, and its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from anyscale_k8s_cli.addons.addresses import (
    Address,
    service_addresses,
    service_reached,
)
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.addons.names import INGRESS_RELEASE
from anyscale_k8s_cli.addons.no_address import no_ingress_address
from anyscale_k8s_cli.addons.own_load_balancer import (
    LoadBalancerLeft,
    OwnLoadBalancer,
    service_settings,
)
from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.addons.values import given, merged
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.cluster.release_work import Release
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.resource import (
    INGRESS_KIND,
    OTHER_NAMESPACE,
    FieldChange,
    Observed,
    Resource,
)
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.templates import load_yaml

CHART = "ingress-nginx"
RELEASE = INGRESS_RELEASE
# So that the chart's longest name, with a suffix of 21, is no longer than a label may be.
_LIMIT = 42


@dataclass(frozen=True)
class IngressState:
    """The release, and where its load balancer is reached."""

    record: ReleaseRecord
    address: Address | None


def ingress_key(namespace: str) -> str:
    return f"{INGRESS_KIND}/{namespace}/{RELEASE}"


def ingress_class(install: Install) -> str:
    """The class of an install's Ingresses; objects of the whole cluster have this name, too."""
    return install.name(limit=_LIMIT)


def controller_service(install: Install) -> Reference:
    return Reference("v1", "Service", f"{ingress_class(install)}-controller", install.namespace)


def controller_deployment(install: Install) -> Reference:
    service = controller_service(install)
    return Reference("apps/v1", "Deployment", service.name, service.namespace)


def heeds_all_namespaces(values: Mapping[str, Any]) -> bool:
    """Whether the operator is told to run workloads outside its own namespace, too."""
    workloads = values.get("workloads") or {}
    return bool(workloads.get("enableCrossNamespaceResourceManagement"))


def nginx_values(
    context: InstallContext, load_balancer: LoadBalancer | None, marks: Mapping[str, str]
) -> dict[str, Any]:
    """The chart's values, whoever installs it; `marks` go on the controller's Service."""
    name = ingress_class(context.install)
    ours: dict[str, Any] = load_yaml(
        "nginx/values.yaml",
        {
            "name": name,
            "ingress_class": name,
            "controller": f"k8s.io/{name}",
            "namespace": context.install.namespace,
            "scoped": not heeds_all_namespaces(context.spec.operator.values),
            "service": service_settings(context, load_balancer, marks),
        },
    )
    return merged(ours, pod_values(context.pods), context.spec.addons.nginx.values)


def pod_values(pods: PodSettings) -> dict[str, Any]:
    """What pods are given."""
    registry = {"registry": pods.registry or ""}
    controller = {
        **pods.placement,
        "podLabels": pods.labels,
        "podAnnotations": pods.annotations,
        "image": registry,
    }
    values: dict[str, Any] = given(
        {
            "global": {"image": registry},
            "imagePullSecrets": pods.pull_secrets,
            "controller": controller,
        }
    )
    return values


class NginxIngress(Resource[IngressState]):
    """The release of this install and, behind it, the platform's load balancer.

    Nothing of it is shared: class, controller and the objects of the whole cluster have
    the install's name.
    """

    kind: ClassVar[str] = INGRESS_KIND
    way_around: ClassVar[str] = OTHER_NAMESPACE

    def __init__(
        self,
        context: ClusterContext,
        load_balancer: LoadBalancer | None,
        load_balancer_left: LoadBalancerLeft,
        needs: Sequence[Resource[Any]],
    ) -> None:
        super().__init__(
            key=ingress_key(context.install.namespace),
            title="Ingress controller",
            install=context.install,
            needs=needs,
        )
        self._context = context
        self._kubernetes = context.kubernetes
        self._service = controller_service(context.install)
        self._balancer = OwnLoadBalancer(context, load_balancer, load_balancer_left)
        timeouts = context.spec.timeouts
        marks = {INSTALL_LABEL: context.install.id}
        self.release = Release(
            name=RELEASE,
            namespace=context.install.namespace,
            chart=CHART,
            values=lambda: nginx_values(context, load_balancer, marks),
            addition=context.pods.addition,
            upgrade=context.upgrade,
            seconds=timeouts.controller,
            deletion_seconds=timeouts.deletion,
        )
        self._release = HelmRelease(context.tools, self.release, context.install)

    def told(self) -> Mapping[str, str]:
        return self.release.told()

    def written(self, observed: Observed[IngressState] | None) -> Iterable[Trial]:
        return self._release.written(None if observed is None else _unwrapped(observed))

    def read(self) -> Observed[IngressState] | None:
        observed = self._release.read()
        return None if observed is None else self._wrapped(observed)

    def diff(self, observed: Observed[IngressState]) -> Sequence[FieldChange]:
        return self._release.diff(_unwrapped(observed))

    def create(self) -> Observed[IngressState]:
        return self._wrapped(self._release.create())

    def update(
        self, observed: Observed[IngressState], changes: Sequence[FieldChange]
    ) -> Observed[IngressState]:
        return self._wrapped(self._release.update(_unwrapped(observed), changes))

    def ready(self, observed: Observed[IngressState]) -> Observed[IngressState]:
        """Once its pods are up and its load balancer has an address; raises `no-address`."""
        up = self._release.ready(_unwrapped(observed))
        last: list[Document | None] = [None]

        def done(found: Document | None) -> Address:
            last[0] = found
            if found is None:
                raise StillWaiting("it does not exist")
            return self._served(found)

        address = self._kubernetes.watch_until(
            self._service,
            done,
            what="the load balancer's address",
            timeout=self._context.spec.timeouts.load_balancer,
            expired=lambda seen: no_ingress_address(
                self._kubernetes, self._service, last[0], seen, self._balancer.server
            ),
        )
        return replace(self._wrapped(up), output=IngressState(up.output, address), settled=True)

    def delete(self, observed: Observed[IngressState]) -> None:
        addresses = [item for one in self._services() for item in service_addresses(one)]
        self._release.delete(_unwrapped(observed))
        self._balancer.wait_gone(sorted(set(addresses)))

    def _services(self) -> Documents:
        service = self._service
        found = self._kubernetes.get("v1", "Service", service.name, service.namespace)
        return [found] if found else []

    def _served(self, service: Document) -> Address:
        """Its address; raises `StillWaiting` until the load balancer that is wanted has it."""
        self._balancer.look([service])
        address = service_reached(service)
        if address is None:
            raise StillWaiting("it has no address yet")
        self._balancer.check(address.value, [service])
        return address

    def _wrapped(self, inner: Observed[ReleaseRecord]) -> Observed[IngressState]:
        address: Address | None = None
        for service in self._services():
            try:
                address = self._served(service)
            except StillWaiting:
                address = None
        return Observed(
            id=inner.id,
            output=IngressState(inner.output, address),
            owner=inner.owner,
            manager=inner.manager,
            settled=inner.settled and address is not None,
            state=inner,
        )


def _unwrapped(observed: Observed[IngressState]) -> Observed[ReleaseRecord]:
    inner = observed.state
    assert isinstance(inner, Observed), "only this module makes these"  # noqa: S101
    return inner
