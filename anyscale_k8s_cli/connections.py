"""Connections over HTTP: which proxy leads to a host, and the pool that goes through it.

Proxies are named by the variables that every program on the machine heeds; user and
password in a proxy's URL become basic authentication.
"""

from __future__ import annotations

import os
import ssl
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3

from anyscale_k8s_cli import errors

VARIABLES = "One of HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
# More threads than pooled connections would make urllib3 warn on standard error.
_CONNECTIONS = 32
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def pool(proxy: str | None, *, named_by: str = VARIABLES, **settings: Any) -> urllib3.PoolManager:
    """Connections by way of a proxy, or direct ones. Raises `usage` for a proxy that is none."""
    settings = {"maxsize": _CONNECTIONS, **settings}
    if not proxy:
        return urllib3.PoolManager(**settings)
    try:
        return _through(proxy, settings)
    except (ValueError, ImportError) as problem:
        # The value is not shown: it may hold a password.
        no_socks = isinstance(problem, ImportError)
        raise errors.CliError(
            errors.USAGE,
            f"{named_by} is not the address of a proxy that can be used",
            cause="SOCKS needs the package PySocks" if no_socks else "it cannot be read",
            fix="pip install PySocks" if no_socks else "write it as http://HOST:PORT, or remove it",
        ) from problem


def _through(proxy: str, settings: dict[str, Any]) -> urllib3.PoolManager:
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, **settings)
    login = urlsplit(proxy)
    headers = None
    if login.username:
        name_and_password = f"{unquote(login.username)}:{unquote(login.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=name_and_password)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)


def trust() -> ssl.SSLContext:
    """The authorities that OpenSSL's own variables name, else the usual public ones."""
    if any(os.environ.get(name) for name in _AUTHORITIES):
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=certifi.where())


def proxies() -> set[str]:
    """All proxies that are named for what may be asked."""
    named = getproxies()
    return {named[scheme] for scheme in ("http", "https", "all") if named.get(scheme)}


def proxy_for(url: str) -> str | None:
    """The proxy's URL; None where the connection is direct."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
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
