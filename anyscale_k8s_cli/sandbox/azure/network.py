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
from anyscale_k8s_cli.sandbox.azure.resources import LOAD_BALANCERS, PUBLIC_ADDRESSES, Resources

_OPERATIONS = {PUBLIC_ADDRESSES: "PublicIPAddresses", LOAD_BALANCERS: "LoadBalancers"}


@dataclass(frozen=True)
class Network:
    """Reads only: who makes and removes them is the cluster's cloud controller."""

    resources: Resources

    def routes(self) -> list[Route]:
        return [route for kind in _OPERATIONS for route in self._routes(kind)]

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
