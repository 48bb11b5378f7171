"""A way in of the user's own, of which nothing is known but where it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar

from anyscale_k8s_cli.addons.addresses import Address
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.resource import AdoptedResource, Observed

_UNNAMED = "as its Ingresses say"


@dataclass(frozen=True)
class GivenState:
    """`address` is None where the operator reads it from the status of its Ingresses."""

    address: Address | None


class GivenAddress(AdoptedResource[GivenState]):
    """Always there: whether it leads anywhere is for the checks to find out."""

    kind: ClassVar[str] = "address"

    def __init__(self, context: InstallContext) -> None:
        said = context.spec.network.address
        super().__init__(
            key=f"{self.kind}/{said or context.install.namespace}",
            title=f"Way in {said}" if said else f"Way in, {_UNNAMED}",
            install=context.install,
        )
        self._said = said

    def read(self) -> Observed[GivenState]:
        address = address_from(self._said) if self._said else None
        return Observed(id=self.key, output=GivenState(address))


def address_from(host: str) -> Address:
    """A name or a number, whichever it is."""
    try:
        ip_address(host)
    except ValueError:
        return Address(host, is_ip=False)
    return Address(host, is_ip=True)
