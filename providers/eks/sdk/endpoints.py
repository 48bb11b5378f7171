"""By which way a service of AWS is reached: over the internet, or by an endpoint of a network."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from botocore.utils import get_environ_proxies


def private_host(url: str) -> str:
    """The host of a URL if it stands at a private address, as a VPC's own endpoint does.

    Empty for any other, for one that cannot be looked up, and where a proxy looks it up.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if get_environ_proxies(url):
        return ""
    inside = any(item.is_private and not item.is_loopback for item in _addresses(host))
    return host if inside else ""


def _addresses(host: str) -> list[IPv4Address | IPv6Address]:
    with suppress(ValueError):
        return [ip_address(host)]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
