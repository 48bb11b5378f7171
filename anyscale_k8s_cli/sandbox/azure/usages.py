"""What a subscription may have in a region, and what of it is used: the few that matter here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.azure.arm_routes import SUBSCRIPTION, Answer, ArmRequest, Route
from anyscale_k8s_cli.sandbox.azure.resources import PUBLIC_ADDRESSES, Resource, Resources

ACCOUNTS = "Microsoft.Storage/storageAccounts"
# By resource provider: name, the type that is counted, and the limit that Azure begins with.
LIMITS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "Microsoft.Network": (
        ("PublicIPAddresses", PUBLIC_ADDRESSES, 1000),
        ("StandardSkuPublicIpAddresses", PUBLIC_ADDRESSES, 1000),
    ),
    "Microsoft.Storage": (("StorageAccounts", ACCOUNTS, 250),),
}


@dataclass(frozen=True)
class Usages:
    """`limits` has those that are not as Azure begins with them, by name."""

    resources: Resources
    limits: Mapping[str, int]

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                f"{SUBSCRIPTION}/providers/{namespace}/locations/{{location}}/usages",
                "Usages_List",
                f"{namespace}/locations/usages/read",
                lambda request, namespace=namespace: self._listed(request, namespace),  # type: ignore[misc]
            )
            for namespace in LIMITS
        ]

    def full(self, kind: str, location: str) -> bool:
        """Whether there may be no more of them."""
        return any(
            len(self._used(kind, location)) >= self.limits.get(name, limit)
            for counted in LIMITS.values()
            for name, of, limit in counted
            if of == kind
        )

    def _used(self, kind: str, location: str) -> list[Resource]:
        return [item for item in self.resources.of(kind) if item.location == location]

    def _listed(self, request: ArmRequest, namespace: str) -> Answer:
        return Answer(
            {
                "value": [
                    self._shown(request["location"], name, kind, limit)
                    for name, kind, limit in LIMITS[namespace]
                ]
            }
        )

    def _shown(self, location: str, name: str, kind: str, limit: int) -> dict[str, Any]:
        return {
            "name": {"value": name, "localizedValue": name},
            "currentValue": len(self._used(kind, location)),
            "limit": self.limits.get(name, limit),
            "unit": "Count",
        }
