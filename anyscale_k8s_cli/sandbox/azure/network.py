"""Microsoft.Network: public addresses and load balancers, as far as clusters make them."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.azure.arm_routes import (
    GROUP,
    SUBSCRIPTION,
    Answer,
    ArmRequest,
    Needs,
    Route,
)
from anyscale_k8s_cli.sandbox.azure.errors import resource_not_found
from anyscale_k8s_cli.sandbox.azure.resources import (
    LOAD_BALANCERS,
    PUBLIC_ADDRESSES,
    VIRTUAL_NETWORKS,
    Resources,
)

_OPERATIONS = {
    PUBLIC_ADDRESSES: "PublicIPAddresses",
    LOAD_BALANCERS: "LoadBalancers",
    VIRTUAL_NETWORKS: "VirtualNetworks",
}


@dataclass(frozen=True)
class Network:
    """Reads only: who makes and removes them is the cluster's cloud controller."""

    resources: Resources

    def routes(self) -> list[Route]:
        where = f"{GROUP}/providers/{VIRTUAL_NETWORKS}/{{name}}/subnets/{{subnet}}"
        read = f"{VIRTUAL_NETWORKS}/subnets/read"
        own = Route("GET", where, "Subnets_Get", read, self._subnet)
        return [own, *(route for kind in _OPERATIONS for route in self._routes(kind))]

    def _subnet(self, request: ArmRequest) -> Answer:
        found = self.resources.named(request["group"], VIRTUAL_NETWORKS, request["name"])
        subnets = found.properties["subnets"] if found else ()
        for subnet in subnets:
            if found is not None and subnet["name"] == request["subnet"]:
                return Answer({"id": f"{found.id}/subnets/{subnet['name']}", **subnet})
        raise resource_not_found(VIRTUAL_NETWORKS, request["name"], request["group"])

    def _routes(self, kind: str) -> list[Route]:
        name, read = _OPERATIONS[kind], f"{kind}/read"

        def get(request: ArmRequest) -> Answer:
            found = self.resources.named(request["group"], kind, request["name"])
            if found is None:
                raise resource_not_found(kind, request["name"], request["group"])
            return Answer(found.as_json())

        def listed(request: ArmRequest) -> Answer:
            found = self.resources.of(kind, request.labels.get("group", ""))
            return Answer({"value": [item.as_json() for item in found]})

        where = f"/providers/{kind}"
        return [
            Route("GET", GROUP + where + "/{name}", f"{name}_Get", read, get),
            Route("GET", GROUP + where, f"{name}_List", read, listed),
            Route("GET", SUBSCRIPTION + where, f"{name}_ListAll", read, listed, Needs.IN_LIST),
        ]
