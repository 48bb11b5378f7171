"""Where users come in, as it is there: a Gateway, Ingresses of ours, or a way of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.addons.addresses import service_reached
from anyscale_k8s_cli.addons.gateway import GATEWAY_API, programmed
from anyscale_k8s_cli.addons.given_address import address_from
from anyscale_k8s_cli.addons.names import GATEWAY, USUAL_CLASS
from anyscale_k8s_cli.addons.nginx import (
    controller_deployment,
    controller_service,
    ingress_class,
    ingress_key,
)
from anyscale_k8s_cli.addons.no_address import in_the_way, of_ingress_controller
from anyscale_k8s_cli.addons.no_load_balancer import NoAddress
from anyscale_k8s_cli.addons.traces import gateway_keys
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.dns import Lookup, dns_checks, ingress_dns_check
from anyscale_k8s_cli.checks.gateway import gateway_checks, ingress_checks
from anyscale_k8s_cli.cluster.diagnosis import conditions_of
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.troubles import Cause

# What setup makes again; the others are for the load balancer's own people.
_OURS_TO_MEND = (Cause.NO_CLASS, Cause.NO_CONTROLLER, Cause.NO_SERVICE)
_INGRESSES = "networking.k8s.io/v1"


@dataclass(frozen=True)
class Entrance:
    """`networking` is what the operator was told; None where there is no operator.

    `server` tells who is to serve the load balancer.
    """

    kubernetes: Kubernetes
    install: Install
    networking: Mapping[str, Any] | None
    server: Callable[[], LoadBalancer | None]
    again: str

    @property
    def by_gateway(self) -> bool:
        """Also where no operator was told anything: it is what setup makes."""
        return self.networking is None or bool(self.gateway_values.get("enabled"))

    @property
    def by_own_ingresses(self) -> bool:
        return not self.by_gateway and self.ingress_class == ingress_class(self.install)

    @property
    def gateway_values(self) -> Mapping[str, Any]:
        return (self.networking or {}).get("gateway") or {}

    @property
    def gateway(self) -> Reference:
        """The one that the operator was told of; ours where it was told of none."""
        told = self.gateway_values
        return Reference(
            GATEWAY_API,
            "Gateway",
            told.get("name") or GATEWAY,
            told.get("namespace") or self.install.namespace,
        )

    @property
    def ingress_class(self) -> str:
        """Of the Ingresses that the operator makes."""
        return str(self._ingress.get("classNameOverride") or USUAL_CLASS)

    @property
    def told(self) -> str | None:
        """The address that the operator publishes for its Ingresses; None if it finds it out."""
        return self._ingress.get("address") or None

    @property
    def keys(self) -> tuple[str, ...]:
        """Of our own objects that it consists of."""
        if self.by_gateway:
            return gateway_keys(self.install)
        return (ingress_key(self.install.namespace),) if self.by_own_ingresses else ()

    def check(self) -> Finding:
        """Whether users reach it where the operator was told."""
        if self.by_gateway:
            return self._of_gateway()
        if self._get(Reference(_INGRESSES, "IngressClass", self.ingress_class)) is None:
            # Another's way in is that one's matter: setup warns, too.
            return Finding(
                Status.FAIL if self.by_own_ingresses else Status.WARN,
                f"the operator makes Ingresses of class {self.ingress_class}, and the cluster "
                "has no such class",
                fix=self.again
                if self.by_own_ingresses
                else "install your controller, or name its class with --values "
                "(networking.ingress.classNameOverride)",
            )
        if self.by_own_ingresses:
            return self._of_own_ingresses()
        return Finding(
            Status.UNKNOWN,
            f"the way in is your own: whether {self.told or 'the address of its Ingresses'} "
            f"leads to the controller of class {self.ingress_class} is not known here",
        )

    def of_names(self, look: Callable[[], Lookup]) -> tuple[BoundCheck, ...]:
        """Whether DNS leads to it."""
        namespace = self.install.namespace
        if self.by_gateway:
            values = {"networking": self.networking or {}}
            return dns_checks(self.kubernetes, self.gateway, namespace, values, look, self.again)
        told = self.told or ""

        def address() -> tuple[str, bool] | None:
            found = self._service()
            reached = service_reached(found) if found else None
            if not self.by_own_ingresses:
                reached = address_from(told) if told else None
            return (reached.value, reached.is_ip) if reached else None

        return (ingress_dns_check(self.kubernetes, address, told, namespace, look, self.again),)

    def of_certificates(self, *, ours: bool = True) -> tuple[BoundCheck, ...]:
        """What its listeners say, and whether its certificates are valid."""
        if not self.by_gateway:
            return ingress_checks(self.kubernetes, self.install.namespace)
        about = gateway_keys(self.install) if ours else ()
        return gateway_checks(self.kubernetes, self.gateway, self.again, about)

    def _of_gateway(self) -> Finding:
        reference = self.gateway
        found = self._get(reference)
        if found is None:
            return self._fails(f"{reference} is not there")
        blocker = in_the_way(self.kubernetes, reference, found, self.server())
        if blocker is not None:
            return self._blocked(reference, blocker)
        try:
            address = programmed(found).value
        except StillWaiting as waiting:
            return self._fails(f"{reference}: {waiting}", conditions_of(found))
        told = self.gateway_values
        return self._told(reference, address, told.get("hostname") or told.get("ip"))

    def _of_own_ingresses(self) -> Finding:
        reference = controller_service(self.install)
        found = self._service()
        if found is None:
            return self._fails(f"{reference} is not there")
        workload = controller_deployment(self.install)
        blocker = of_ingress_controller(self.kubernetes, workload, found, self.server())
        if blocker is not None:
            return self._blocked(reference, blocker)
        reached = service_reached(found)
        if reached is None:
            return self._fails(f"{reference} has no address")
        return self._told(reference, reached.value, self.told)

    def _told(self, reference: Reference, address: str, given: Any) -> Finding:
        if given and address != given:
            return self._fails(f"the operator was told {given}, and {reference} is at {address}")
        return passed(address)

    def _blocked(self, reference: Reference, blocker: NoAddress) -> Finding:
        return Finding(
            Status.FAIL,
            f"{reference} has no address: {blocker.text}",
            blocker.evidence,
            self.again if blocker.cause in _OURS_TO_MEND else blocker.look,
        )

    @property
    def _ingress(self) -> Mapping[str, Any]:
        return (self.networking or {}).get("ingress") or {}

    def services(self) -> Iterator[Document]:
        """Those of our own with a load balancer behind them, of Ingresses."""
        found = self._service()
        if found is not None and self.by_own_ingresses:
            yield found

    def _service(self) -> Document | None:
        return self._get(controller_service(self.install))

    def _fails(self, detail: str, evidence: tuple[str, ...] = ()) -> Finding:
        return Finding(Status.FAIL, detail, evidence, self.again)

    def _get(self, reference: Reference) -> Document | None:
        return self.kubernetes.get(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )
