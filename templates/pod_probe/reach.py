"""Whether hosts can be reached: the name, the port, and who is behind it, each told apart.

An address is `https://host[:port]`, where TLS must come about with a certificate that the
image's authorities vouch for, or `http://host[:port]` and `tcp://host:port`, where the
port is all. A proxy that the environment names is used as HTTP clients would.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import SplitResult, urlsplit

from .report import tell
from .wire import Unanswered, described, unanswered

SECONDS = 10.0
_AT_ONCE = 8
_PORTS = {"https": 443, "http": 80}


def try_all(addresses: Sequence[str]) -> None:
    """One line for each, in whichever order they answer."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_try, addresses))


def _try(address: str) -> None:
    try:
        said = reached(address, os.environ)
    except Unanswered as problem:
        tell("reach", address, **described(problem))
    else:
        tell("reach", address, ok=True, said=said)


def reached(address: str, environment: Mapping[str, str]) -> str:
    """How it was reached. Raises :class:`Unanswered`."""
    parts = urlsplit(address)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    proxy = _proxy(parts, environment)
    try:
        if proxy is not None:
            return _through(proxy, host, port, tls=parts.scheme == "https")
        return _directly(host, port, tls=parts.scheme == "https")
    except OSError as problem:
        raise unanswered(address, problem) from None
    except http.client.HTTPException as problem:
        raise Unanswered(address, "proxy", str(problem) or type(problem).__name__) from None


def _directly(host: str, port: int, *, tls: bool) -> str:
    with socket.create_connection((host, port), SECONDS) as connection:
        address = str(connection.getpeername()[0])
        if not tls:
            return address
        context = ssl.create_default_context()
        with context.wrap_socket(connection, server_hostname=host) as secured:
            return f"{address}, {secured.version()}"


def _through(proxy: SplitResult, host: str, port: int, *, tls: bool) -> str:
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(str(proxy.hostname), proxy.port or _PORTS["http"], timeout=SECONDS)
    connection.set_tunnel(host, port)
    try:
        connection.connect()
    finally:
        connection.close()
    return f"through {proxy.hostname}"


def _proxy(parts: SplitResult, environment: Mapping[str, str]) -> SplitResult | None:
    """What is plain TCP goes by no proxy."""
    if parts.scheme == "tcp" or urllib.request.proxy_bypass(str(parts.hostname)):
        return None
    name = f"{parts.scheme}_proxy"
    found = environment.get(name) or environment.get(name.upper())
    return urlsplit(found if "://" in found else f"http://{found}") if found else None
