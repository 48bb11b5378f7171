"""What serves Services of type LoadBalancer in an AKS cluster: the cloud controller manager.

All Services of a cluster share one load balancer for public addresses and one for
internal ones, in the node resource group; each public Service has an address there.
https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.azure.errors import ArmError
from anyscale_k8s_cli.sandbox.azure.resources import (
    LOAD_BALANCERS,
    PUBLIC_ADDRESSES,
    Resource,
    Resources,
)

if TYPE_CHECKING:
    import threading

    from anyscale_k8s_cli.sandbox.azure.policies import Policies
    from anyscale_k8s_cli.sandbox.azure.seed import AksClusterSeed
    from anyscale_k8s_cli.sandbox.azure.usages import Usages

ANNOTATION = "service.beta.kubernetes.io/azure-"
_RESERVED_TAGS = {"k8s-azure-service", "k8s-azure-cluster-name", "k8s-azure-dns-label-service"}
_STANDARD = {"name": "Standard", "tier": "Regional"}
_OUTBOUND = "kubernetes"


class LoadBalancerFailed(Exception):
    """Azure refused; the text is for the Service's event."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a Service says about its load balancer."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str]
    load_balancer_class: str
    asked_address: str

    @classmethod
    def of(cls, service: Mapping[str, Any]) -> _Wish:
        metadata, spec = service["metadata"], service.get("spec", {})
        return cls(
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            metadata.get("annotations") or {},
            spec.get("loadBalancerClass") or "",
            spec.get("loadBalancerIP") or "",
        )

    def annotation(self, name: str) -> str:
        return self.annotations.get(ANNOTATION + name, "")

    @property
    def internal(self) -> bool:
        return self.annotation("load-balancer-internal") == "true"

    @property
    def frontend(self) -> str:
        """The name by which the cloud controller knows its own."""
        return "a" + self.uid.replace("-", "")[:31]

    @property
    def address(self) -> str:
        return self.annotation("load-balancer-ipv4") or self.asked_address

    @property
    def tags(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self.annotation("pip-tags").split(","))
        named = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
        return {key: value for key, value in named.items() if key not in _RESERVED_TAGS}


@dataclass
class AksLoadBalancers:
    """Makes and removes what one cluster's Services need.

    `answers` is off where nobody takes Services up. A public address is seen for
    `removal_seconds` after its Service has gone.
    """

    resources: Resources
    policies: Policies
    usages: Usages
    seed: AksClusterSeed
    lock: threading.RLock
    removal_seconds: float
    answers: bool = True
    _given: dict[str, tuple[str, bool]] = field(default_factory=dict)
    _public: itertools.count[int] = field(default_factory=lambda: itertools.count(11))
    _internal: itertools.count[int] = field(default_factory=lambda: itertools.count(101))

    def __post_init__(self) -> None:
        self.answers = self.answers and not self.seed.load_balancer_never_answers

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The `status.loadBalancer.ingress` of the Service; None if nobody serves it.

        Repeated calls for one Service give the same address. Raises LoadBalancerFailed.
        """
        with self.lock:
            wish = _Wish.of(service)
            if not self.answers or wish.load_balancer_class:
                return None
            before = self._given.get(wish.uid)
            if before is not None and before[1] is not wish.internal:
                self._take_back(wish)
                before = None
            address = before[0] if before else self._address(wish)
            if wish.internal:
                self._put_frontend(wish, {"privateIPAddress": address})
            else:
                self._put_public(wish, address)
            self._given[wish.uid] = address, wish.internal
            return [{"ip": address, "ipMode": "VIP"}]

    async def remove(self, service: dict[str, Any]) -> None:
        """Begin to remove what the Service had; missing is no error."""
        with self.lock:
            self._take_back(_Wish.of(service))

    def remove_all(self) -> list[str]:
        """Every Service loses what it had; the ids of the public addresses."""
        with self.lock:
            gone = [
                item.id
                for item in self.resources.of(PUBLIC_ADDRESSES, self.seed.node_resource_group)
            ]
            self._given.clear()
            for kind in (PUBLIC_ADDRESSES, LOAD_BALANCERS):
                for item in self.resources.of(kind, self.seed.node_resource_group):
                    self.resources.remove(item)
            return gone

    def _address(self, wish: _Wish) -> str:
        if not wish.internal:
            # The documentation's own network: nobody is there.
            return f"198.51.100.{next(self._public)}"
        if not wish.address:
            return f"10.224.0.{next(self._internal)}"
        try:
            asked = IPv4Address(wish.address)
        except AddressValueError:
            raise LoadBalancerFailed(f"{wish.address} is not an IPv4 address") from None
        if str(asked) in {address for address, _ in self._given.values()}:
            raise LoadBalancerFailed(
                "Code=PrivateIPAddressIsAllocated Message=IP configuration "
                f"{wish.frontend} is using the private IP address {asked} which is already "
                "allocated to another resource."
            )
        return str(asked)

    def _put_public(self, wish: _Wish, address: str) -> None:
        name = f"kubernetes-{wish.frontend}"
        own_id = self.resources.id(self.seed.node_resource_group, PUBLIC_ADDRESSES, name)
        location = self.seed.location
        if self.resources.find(own_id) is None and self.usages.full(PUBLIC_ADDRESSES, location):
            raise LoadBalancerFailed(
                "Code=PublicIPCountLimitReached Message=Cannot create more public IP addresses "
                "for this subscription in this region."
            )
        properties: dict[str, Any] = {
            "provisioningState": "Succeeded",
            "ipAddress": address,
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
        }
        if label := wish.annotation("dns-label-name"):
            host = f"{label}.{self.seed.location}.cloudapp.azure.com"
            properties["dnsSettings"] = {"domainNameLabel": label, "fqdn": host}
        tags = {
            **wish.tags,
            "k8s-azure-cluster-name": "kubernetes",
            "k8s-azure-service": f"{wish.namespace}/{wish.name}",
        }
        found = Resource(
            own_id, PUBLIC_ADDRESSES, self.seed.location, tags, properties, {"sku": _STANDARD}
        )
        try:
            self.policies.check(found)
        except ArmError as refused:
            raise LoadBalancerFailed(f"Code={refused.code} Message={refused.message}") from refused
        self.resources.put(found)
        self._put_frontend(wish, {"publicIPAddress": {"id": own_id}})

    def _put_frontend(self, wish: _Wish, properties: Mapping[str, Any]) -> None:
        balancer = self._balancer(internal=wish.internal)
        frontends = balancer.properties["frontendIPConfigurations"]
        own_id = f"{balancer.id}/frontendIPConfigurations/{wish.frontend}"
        frontends[:] = [item for item in frontends if item["name"] != wish.frontend]
        frontends.append({"name": wish.frontend, "id": own_id, "properties": dict(properties)})

    def _balancer(self, *, internal: bool) -> Resource:
        name = f"{_OUTBOUND}-internal" if internal else _OUTBOUND
        own_id = self.resources.id(self.seed.node_resource_group, LOAD_BALANCERS, name)
        found = self.resources.find(own_id)
        if found is None:
            properties = {"provisioningState": "Succeeded", "frontendIPConfigurations": []}
            found = self.resources.put(
                Resource(
                    own_id,
                    LOAD_BALANCERS,
                    self.seed.location,
                    properties=properties,
                    extra={"sku": _STANDARD},
                )
            )
        return found

    def _take_back(self, wish: _Wish) -> None:
        """A load balancer without frontends goes, too."""
        given = self._given.pop(wish.uid, None)
        if given is None:
            return
        balancer = self._balancer(internal=given[1])
        frontends = balancer.properties["frontendIPConfigurations"]
        frontends[:] = [item for item in frontends if item["name"] != wish.frontend]
        if not frontends:
            self.resources.remove(balancer)
        address = self.resources.named(
            self.seed.node_resource_group, PUBLIC_ADDRESSES, f"kubernetes-{wish.frontend}"
        )
        if address is not None:
            address.properties["provisioningState"] = "Deleting"
            self.resources.leave(address, self.removal_seconds)
