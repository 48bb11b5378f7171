"""What can go wrong behind the tool's back in the Nebius project and its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.mk8s import NebiusPlatform
from anyscale_k8s_cli.sandbox.platforms import Break


@dataclass(frozen=True)
class NebiusBreaks:
    nebius: NebiusPlatform

    def named(self) -> Mapping[str, Break]:
        return {
            "storage-key": lambda _: self.nebius.nebius.revoke_keys(),
            "storage-key-age": lambda _: self.nebius.nebius.expire_keys(),
            "bucket-access": lambda _: self.nebius.nebius.withdraw_permits(),
            "load-balancer": self._remove_load_balancers,
        }

    def _remove_load_balancers(self, _: str | None) -> list[str]:
        """Those that are there go, and no Service gets a public address from now on."""
        addresses, store = self.nebius.nebius.addresses, self.nebius.cluster.store
        gone = addresses.remove_all()
        for service in store.items("services"):
            if service["spec"].get("type") == "LoadBalancer":
                store.set_status("services", service, {"loadBalancer": {}}, "sandbox")
        return gone or ["none from now on"]
