"""Which proxy leads to a host, by the variables that every program on the machine heeds."""

from __future__ import annotations

import os
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """The proxy's URL; None where the connection is direct."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = getproxies().get(parts.scheme)
    return None if not proxy or proxy_bypass(host) or _in_excepted_network(host) else proxy


def _in_excepted_network(host: str) -> bool:
    """NO_PROXY may name networks too, which Python's own rule passes over."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(_holds(item.strip(), address) for item in named.split(","))


def _holds(network: str, address: object) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False
