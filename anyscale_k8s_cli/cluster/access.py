"""How to reach a cluster: endpoint, authority, credentials; never the user's kubeconfig file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class BearerToken:
    """A token and when it ends (UTC); None when that is not known."""

    value: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True)
class ClusterAccess:
    """What a client needs, built in memory from discovery or copied from a context.

    `token` gives a fresh token at each call. `principal` is who that is, for
    people; `grant` the exact command that lets the principal in, for a 401, and
    `grant_rights` the one that lets it do everything there, for a 403, where the
    platform has one of its own.
    `proxy_url` is set only where a kubeconfig names a proxy of its own; else
    the usual variables say.
    """

    endpoint: str
    ca_pem: str
    token: Callable[[], BearerToken] | None
    principal: str = ""
    grant: str = ""
    grant_rights: str = ""
    client_certificate_pem: str = field(default="", repr=False)
    client_key_pem: str = field(default="", repr=False)
    tls_server_name: str = ""
    proxy_url: str = ""
