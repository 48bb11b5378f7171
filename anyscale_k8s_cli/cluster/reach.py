"""Whether a cluster's endpoint answers to a connection from here; says in seconds if not."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

# Several addresses may stand behind the name, and each is tried for so long.
CONNECT_SECONDS = 4.0


def why_unreachable(endpoint: str) -> str:
    """What stopped a connection; empty when there was one, or a proxy is in between."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return ""
    try:
        socket.create_connection((host, parts.port or 443), timeout=CONNECT_SECONDS).close()
    except OSError as problem:
        return f"{host}: {problem}"
    return ""
