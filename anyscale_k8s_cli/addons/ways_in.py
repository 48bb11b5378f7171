"""How users come in: a Gateway, Ingresses, or a way of the user's own; and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.addons.addresses import Address
from anyscale_k8s_cli.addons.adopted_gateway import AdoptedGateway
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.gateway import GATEWAY_API, Gateway, gateway_reference
from anyscale_k8s_cli.addons.given_address import GivenAddress
from anyscale_k8s_cli.addons.names import GATEWAY
from anyscale_k8s_cli.addons.nginx import RELEASE, NginxIngress, ingress_class
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import NotYetKnown, Resource
from anyscale_k8s_cli.templates import load_yaml

WayIn = Gateway | AdoptedGateway | NginxIngress | GivenAddress


def gateway_of(context: InstallContext) -> Reference:
    """The user's own Gateway, else the install's."""
    named = context.spec.existing.gateway
    if not named:
        return gateway_reference(context)
    namespace, _, name = named.partition("/")
    return Reference(GATEWAY_API, "Gateway", name, namespace)


def address_known(way_in: WayIn) -> Address | None:
    """None where the operator finds it out by itself. Raises `NotYetKnown`."""
    address = way_in.output.address
    if address is None and not isinstance(way_in, GivenAddress):
        raise NotYetKnown(way_in)
    return address


def asked_of_service(resources: Sequence[Resource[Any]]) -> Mapping[str, str] | None:
    """The annotations by which what is there asks for its load balancer; None without."""
    for resource in resources:
        observed = resource.observed
        if observed is None:
            continue
        if resource.key.startswith("k8s:envoyproxy/"):
            settings = observed.output["spec"]["provider"]["kubernetes"]["envoyService"]
            return dict(settings.get("annotations") or {})
        if isinstance(resource, NginxIngress):
            controller = observed.output.record.values.get("controller") or {}
            return dict((controller.get("service") or {}).get("annotations") or {})
    return None


def removals(install: Install, kubernetes: Kubernetes) -> dict[str, str]:
    """The commands that remove what was made for each kind of way in, load balancer and all."""
    place = f"--namespace {install.namespace}"
    return {
        "gateway": kubernetes.access.kubectl(f"delete gateway {GATEWAY} {place}"),
        "nginx": kubernetes.access.helm(f"uninstall {RELEASE} {place}"),
    }


def networking(context: InstallContext, address: Address | None) -> Mapping[str, Any]:
    """What the operator's chart is told; without the address while there is none."""
    if context.spec.network.kind != "gateway":
        ingress = _ingress(context, address)
        return {"networking": {"gateway": {"enabled": False}, "ingress": ingress}}
    gateway = gateway_of(context)
    values: dict[str, Any] = load_yaml(
        "gateway/operator-values.yaml",
        {"gateway": gateway.name, "gateway_namespace": gateway.namespace},
    )
    if address is not None:
        values["networking"]["gateway"]["ip" if address.is_ip else "hostname"] = address.value
    return values


def _ingress(context: InstallContext, address: Address | None) -> dict[str, str]:
    own = context.spec.network.kind == "nginx"
    told = {"classNameOverride": ingress_class(context.install)} if own else {}
    return {**told, **({"address": address.value} if address else {})}
