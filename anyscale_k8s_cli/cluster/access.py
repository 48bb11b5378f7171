"""How to reach a cluster: endpoint, authority, credentials; never the user's kubeconfig file."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


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
    the usual variables say. `context` and `kubeconfig` are what the user named, and `platform`
    is what commands call it, where that is known.
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
    context: str = ""
    kubeconfig: Path | None = None
    platform: str = ""

    def kubectl(self, *words: str) -> str:
        """A command for people to copy, that can reach no other cluster than this one.

        It names the context that the user named, else the endpoint: from a context of
        another cluster that fails, because its authority did not sign this endpoint.
        """
        return _typed("kubectl", self._place("--context", "--server"), words)

    def helm(self, *words: str) -> str:
        """The same for helm."""
        return _typed("helm", self._place("--kube-context", "--kube-apiserver"), words)

    def _place(self, by_context: str, by_endpoint: str) -> list[str]:
        if not self.context:
            return [by_endpoint, self.endpoint]
        named = [by_context, self.context]
        return [*named, "--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else named


def _typed(program: str, place: list[str], words: tuple[str, ...]) -> str:
    """`words` go in as they are: whole arguments, or several of them."""
    return " ".join((program, *map(shlex.quote, place), *words))
