"""What can go wrong behind the tool's back in the Oracle tenancy and its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.oke import OkePlatform
from anyscale_k8s_cli.sandbox.platforms import Break


@dataclass(frozen=True)
class OkeBreaks:
    oke: OkePlatform

    def named(self) -> Mapping[str, Break]:
        return {
            "storage-key": lambda _: self.oke.oci.revoke_keys(),
            "bucket-access": lambda _: self.oke.oci.withdraw_policies(),
            "load-balancer": self._remove_load_balancers,
        }

    def _remove_load_balancers(self, _: str | None) -> list[str]:
        """Those that are there go, and no Service gets one from now on."""
        store = self.oke.cluster.store
        gone = self.oke.oci.balancers.remove_all()
        for service in store.items("services"):
            if service["spec"].get("type") == "LoadBalancer":
                store.set_status("services", service, {"loadBalancer": {}}, "sandbox")
        return gone or ["none from now on"]
