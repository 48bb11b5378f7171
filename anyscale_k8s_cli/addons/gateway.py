"""Where users come in: per install a proxy's settings, a class, and the Gateway itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.addresses import (
    Address,
    address_of,
    proxy_services,
    service_addresses,
    service_selector,
)
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.addons.gateway_controller import CONTROLLER
from anyscale_k8s_cli.addons.names import GATEWAY
from anyscale_k8s_cli.addons.no_address import no_address, proxies, without_node
from anyscale_k8s_cli.addons.own_load_balancer import (
    LoadBalancerLeft,
    OwnLoadBalancer,
    service_settings,
)
from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.addons.values import given
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL, KubernetesObject, going, object_key
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.cluster.placing import Placing
from anyscale_k8s_cli.cluster.removal import holding
from anyscale_k8s_cli.cluster.scale_up import SETTLED, Patience
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import GATEWAY_KIND, OTHER_NAMESPACE, FieldChange, Observed, Resource
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.templates import load_yaml

GATEWAY_API = "gateway.networking.k8s.io/v1"
_ENVOY_API = "gateway.envoyproxy.io/v1alpha1"


@dataclass(frozen=True)
class GatewayState:
    """`document` is None where only the proxy's Service is left of a Gateway."""

    document: Document | None
    address: Address | None


def envoy_proxy(
    context: ClusterContext, load_balancer: LoadBalancer | None, needs: Sequence[Resource[Any]]
) -> KubernetesObject:
    """How the proxy's Service asks for its load balancer."""
    # So that the Service is known for ours when its Gateway is gone already.
    ours = {INSTALL_LABEL: context.install.id}
    return KubernetesObject(
        context.surroundings,
        Reference(_ENVOY_API, "EnvoyProxy", GATEWAY, context.install.namespace),
        lambda: proxy_document(context, load_balancer, ours),
        title="Proxy settings",
        needs=needs,
    )


def proxy_document(
    context: InstallContext, load_balancer: LoadBalancer | None, marks: Mapping[str, str]
) -> Document:
    """The proxy's settings, whoever makes them; `marks` go on its Service."""
    manifest: Document = load_yaml(
        "gateway/envoy-proxy.yaml",
        {
            "name": GATEWAY,
            "namespace": context.install.namespace,
            "service": service_settings(context, load_balancer, marks),
        },
    )
    if deployment := _deployment_settings(context.pods):
        manifest["spec"]["provider"]["kubernetes"]["envoyDeployment"] = deployment
    return manifest


def _deployment_settings(pods: PodSettings) -> Document:
    """`envoyDeployment`, where pods are given anything. The controller knows its proxy's image."""
    image = pods.image(pins().images["envoy"]) if pods.registry else ""
    pod = {**pods.placement, **pods.marks, "imagePullSecrets": pods.pull_secrets}
    return given({"pod": pod, "container": {"image": image}})


def gateway_class(context: ClusterContext, needs: Sequence[Resource[Any]]) -> KubernetesObject:
    """A class of our own, since its parameters are ours."""
    return KubernetesObject(
        context.surroundings,
        Reference(GATEWAY_API, "GatewayClass", context.install.name(limit=63)),
        lambda: class_document(context),
        title="Gateway class",
        needs=needs,
        let_go=lambda: remove_gateway(context),
    )


def class_document(context: InstallContext) -> Document:
    """The class of the install's Gateway, whoever makes it."""
    manifest: Document = load_yaml(
        "gateway/gateway-class.yaml",
        {
            "name": context.install.name(limit=63),
            "controller": CONTROLLER,
            "proxy": GATEWAY,
            "namespace": context.install.namespace,
        },
    )
    return manifest


def remove_gateway(context: ClusterContext) -> None:
    """Remove our Gateway, which keeps its class from going; absent is done."""
    kubernetes, reference = context.kubernetes, gateway_reference(context)
    found = kubernetes.get(
        reference.api_version, reference.kind, reference.name, reference.namespace
    )
    owner = Install.from_locator(found["metadata"].get("annotations") or {}) if found else None
    if found is not None and owner is not None and owner.id == context.install.id:
        uid = found["metadata"]["uid"]
        kubernetes.delete(reference, uid=uid)
        kubernetes.wait_gone(reference, timeout=context.spec.timeouts.deletion, uid=uid)


def gateway_reference(context: InstallContext) -> Reference:
    return Reference(GATEWAY_API, "Gateway", GATEWAY, context.install.namespace)


class Gateway(Resource[GatewayState]):
    """The Gateway and, behind it, the platform's load balancer."""

    kind: ClassVar[str] = GATEWAY_KIND
    way_around: ClassVar[str] = OTHER_NAMESPACE

    def __init__(
        self,
        context: ClusterContext,
        its_class: KubernetesObject,
        registration: Resource[Registration],
        load_balancer: LoadBalancer | None,
        load_balancer_left: LoadBalancerLeft,
        needs: Sequence[Resource[Any]],
    ) -> None:
        self.reference = gateway_reference(context)
        super().__init__(
            key=object_key(self.reference),
            title="Gateway",
            install=context.install,
            needs=(registration, its_class, *needs),
        )
        self._context = context
        self._class = its_class
        self._kubernetes = context.kubernetes
        self._registration = registration
        self._balancer = OwnLoadBalancer(context, load_balancer, load_balancer_left)
        self._object = KubernetesObject(context.surroundings, self.reference, self._manifest)

    def read(self) -> Observed[GatewayState] | None:
        observed = self._object.read()
        if observed is not None:
            return self._wrapped(observed)
        services = self._own_services()
        if not services:
            return None
        # A deletion was cut off: the Gateway is gone, its load balancer is not.
        return Observed(
            id=services[0]["metadata"]["uid"],
            output=GatewayState(None, None),
            owner=self.install,
            settled=False,
        )

    def diff(self, observed: Observed[GatewayState]) -> Sequence[FieldChange]:
        if observed.output.document is None:
            return [FieldChange("Gateway", "missing", "present")]
        if self._class_goes():
            return [FieldChange("class", "being deleted", "present")]
        return self._object.diff(_unwrapped(observed, observed.output.document))

    def written(self, observed: Observed[GatewayState] | None) -> Iterable[Trial]:
        del observed  # the whole of it is applied
        return self._object.written(None)

    def create(self) -> Observed[GatewayState]:
        return self._wrapped(self._object.create())

    def update(
        self, observed: Observed[GatewayState], changes: Sequence[FieldChange]
    ) -> Observed[GatewayState]:
        if observed.output.document is None:
            return self.create()
        inner = _unwrapped(observed, observed.output.document)
        return self._wrapped(self._object.update(inner, changes))

    def ready(self, observed: Observed[GatewayState]) -> Observed[GatewayState]:
        last: list[Document | None] = [observed.output.document]
        seconds = self._context.spec.timeouts.load_balancer
        patience = Patience(min(SETTLED, seconds / 10))
        own = partial(proxies, self._kubernetes, self.reference)
        placing = Placing(self._kubernetes, own, patience)

        def done(found: Document | None) -> GatewayState:
            last[0] = found
            if found is None:
                raise StillWaiting("it does not exist")
            try:
                return GatewayState(found, self._served(found))
            except StillWaiting as seen:
                if placing.in_vain():
                    raise without_node(self._kubernetes, self.reference, found) from None
                raise placing.also(seen) from None

        state = self._kubernetes.watch_until(
            self.reference,
            done,
            what="the Gateway's address",
            timeout=seconds,
            expired=lambda seen: no_address(
                self._kubernetes, self.reference, last[0], seen, self._balancer.server
            ),
        )
        return replace(observed, output=state, settled=True)

    def delete(self, observed: Observed[GatewayState]) -> None:
        services = self._own_services()
        addresses = [address for item in services for address in service_addresses(item)]
        if observed.output.document is not None:
            address = address_of(observed.output.document)
            addresses += [address.value] if address else []
            self._object.delete(_unwrapped(observed, observed.output.document))
        self._wait_for_services()
        self._balancer.wait_gone(sorted(set(addresses)))

    def _manifest(self) -> Document:
        return gateway_document(self._context, self._registration.output.cloud_resource_id)

    def _own_services(self) -> Documents:
        return [
            item
            for item in proxy_services(self._kubernetes, self.reference)
            if (item["metadata"].get("annotations") or {}).get(INSTALL_LABEL) == self.install.id
        ]

    def _wait_for_services(self) -> None:
        left: list[Documents] = [[]]

        def none(found: Documents) -> None:
            left[0] = found
            if found:
                service = found[0]
                held = "; ".join(holding(service)) or "still there"
                raise StillWaiting(f"Service {service['metadata']['name']}: {held}")

        self._kubernetes.watch_all_until(
            "v1",
            "Service",
            None,
            none,
            label_selector=service_selector(self.reference),
            what="the proxy's Service to be gone",
            timeout=self._context.spec.timeouts.deletion,
            expired=lambda seen: errors.CliError(
                errors.LEFTOVERS,
                "The load balancer's Service is not gone",
                cause=seen,
                evidence=tuple(str(Reference.of(item)) for item in left[0]),
                fix="see that the gateway controller and the load balancer's controller run, "
                "and run the same command again",
            ),
        )

    def _wrapped(self, inner: Observed[Document]) -> Observed[GatewayState]:
        address: Address | None = None
        if not self._class_goes():
            with suppress(StillWaiting):
                address = self._served(inner.output)
        return Observed(
            id=inner.id,
            output=GatewayState(inner.output, address),
            owner=inner.owner,
            manager=inner.manager,
            settled=address is not None,
        )

    def _served(self, found: Document) -> Address:
        """The Gateway's address; raises `StillWaiting` until its load balancer has it.

        What its status says is not enough: a controller leaves the status of a
        Gateway alone once it no longer accepts the class, and removes the proxy.
        """
        services = proxy_services(self._kubernetes, self.reference)
        self._balancer.look(services)
        address = programmed(found)
        self._balancer.check(address.value, services)
        return address

    def _class_goes(self) -> bool:
        observed = self._class.observed
        return observed is not None and going(observed.output)


def gateway_document(context: InstallContext, resource_id: str) -> Document:
    """The Gateway of a registration, whoever makes it."""
    manifest: Document = load_yaml(
        "gateway/gateway.yaml",
        {
            "name": GATEWAY,
            "namespace": context.install.namespace,
            "gateway_class": context.install.name(limit=63),
            "user_domain": context.user_domain,
            "resource": resource_id.replace("_", "-"),
        },
    )
    return manifest


def listeners(context: InstallContext, resource_id: str) -> Documents:
    """Those of a Gateway for a registration, whoever makes it."""
    found: Documents = gateway_document(context, resource_id)["spec"]["listeners"]
    return found


def programmed(gateway: Document) -> Address:
    """Its address; `StillWaiting` until the Gateway serves its present generation at one."""
    conditions = (gateway.get("status") or {}).get("conditions") or []
    condition = next((item for item in conditions if item.get("type") == "Programmed"), None)
    if condition is None:
        raise StillWaiting("its controller has not answered yet")
    if condition.get("observedGeneration", 0) < gateway["metadata"].get("generation", 0):
        raise StillWaiting("its controller has not seen the change yet")
    if condition.get("status") != "True":
        raise StillWaiting(f"{condition.get('reason')}: {condition.get('message')}")
    address = address_of(gateway)
    if address is None:
        raise StillWaiting("programmed, without an address yet")
    return address


def _unwrapped(observed: Observed[GatewayState], document: Document) -> Observed[Document]:
    return Observed(id=observed.id, output=document, owner=observed.owner, manager=observed.manager)
