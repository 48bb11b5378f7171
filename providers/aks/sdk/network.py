"""Networks, as far as load balancers are to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_VERSION = "2024-05-01"
_ADDRESSES = "Microsoft.Network/publicIPAddresses"
_BALANCERS = "Microsoft.Network/loadBalancers"
_NETWORKS = "Microsoft.Network/virtualNetworks"
JOIN = f"{_NETWORKS}/subnets/join/action"


@dataclass(frozen=True)
class Frontend:
    """A load balancer's address; `names` are the address and the host names for it."""

    id: str
    names: frozenset[str]
    public: bool


class Network:
    """The networks of the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def frontends(self, group: str) -> Iterator[Frontend]:
        """All addresses of a resource group, public ones and those of internal balancers."""
        base = f"/subscriptions/{self._session.subscription}/resourceGroups/{group}/providers"
        for item in self._session.pages(f"{_ADDRESSES}/read", f"{base}/{_ADDRESSES}", _VERSION):
            properties = item["properties"]
            name = (properties.get("dnsSettings") or {}).get("fqdn")
            yield _frontend(item["id"], properties.get("ipAddress"), name, public=True)
        for item in self._session.pages(f"{_BALANCERS}/read", f"{base}/{_BALANCERS}", _VERSION):
            for frontend in item["properties"].get("frontendIPConfigurations") or ():
                address = frontend["properties"].get("privateIPAddress")
                yield _frontend(frontend["id"], address, public=False)

    def networks(self, group: str) -> list[str]:
        """The ids of the virtual networks of a resource group."""
        path = f"/subscriptions/{self._session.subscription}/resourceGroups/{group}/providers"
        found = self._session.pages(f"{_NETWORKS}/read", f"{path}/{_NETWORKS}", _VERSION)
        return [str(item["id"]) for item in found]

    def subnet(self, network: str, name: str) -> str:
        """The id of a network's subnet; empty where there is none of that name."""
        what, path = f"{_NETWORKS}/subnets/read", f"{network}/subnets/{name}"
        found = self._session.find(what, lambda: self._session.get(what, path, _VERSION))
        return str(found["id"]) if found else ""


def _frontend(own_id: str, *names: str | None, public: bool) -> Frontend:
    return Frontend(own_id, frozenset(name for name in names if name), public)
