"""What follows from the control plane's address alone.

Sources: the vendor's client (known consoles and their CORS rules), Microsoft's
pages on Anyscale on Azure (user-facing domains).
"""

from __future__ import annotations

from urllib.parse import urlsplit

# Consoles whose CORS rule covers every name below a domain.
_WILDCARD_DOMAINS = {
    "console.anyscale.com": "anyscale.com",
    "console.anyscale-staging.com": "anyscale-staging.com",
    "console.anyscale-dev.dev": "anyscale-dev.dev",
    "console.predeploy.anyscale.dev": "predeploy.anyscale.dev",
}


def console_origin(host: str) -> str:
    """The origin that a browser sends from the console: scheme, name and port."""
    parts = urlsplit(host)
    return f"{parts.scheme}://{parts.netloc}"


def cors_origin(host: str) -> str:
    """The origin to allow in the bucket's CORS rule.

    A console we do not know gets its own exact origin: never that of another
    plane, which would leave the console's log viewer empty without any error.
    """
    domain = _WILDCARD_DOMAINS.get(urlsplit(host).hostname or "")
    return f"https://*.{domain}" if domain else console_origin(host)


def user_data_domain(host: str) -> str:
    """The domain below which users reach sessions (`*.i.`) and services (`*.s.`).

    It follows the control plane and not the cluster's platform. The domains of
    the planes that are not in production are not documented; they get the
    production one of their kind.
    """
    return "azure.anyscaleuserdata.com" if azure_hosted(host) else "anyscaleuserdata.com"


def api_origin(host: str) -> str:
    """Where the plane's API is beside its console; empty for one that has no such name."""
    parts = urlsplit(host)
    name = (parts.hostname or "").partition(".")
    return f"https://api.{name[2]}" if name[0] == "console" and name[2] else ""


def azure_hosted(host: str) -> bool:
    """Whether it is a plane whose clouds are Azure's own resources: its API only shows them."""
    return "azure" in (urlsplit(host).hostname or "").split(".")
