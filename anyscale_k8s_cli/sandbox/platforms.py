"""What a platform brings into the sandbox: its cloud, its clusters, how clients find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn

Http = Callable[[], aiohttp.ClientSession]
# Breaks what is named, or all that there is; returns what was changed.
Break = Callable[[str | None], list[str]]
# The names of the registered buckets with a scheme.
Registered = Callable[[str], list[str]]


class Platform(Protocol):
    """One cloud with its clusters, each kept apart from the others'."""

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        """The clusters that are there, by names that no other platform uses."""
        ...

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        """The same by the names that the cloud's own tool gives to contexts of a kubeconfig."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """End everything; safe to repeat, and after a start that failed."""
        ...

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        """How the control plane knows its identities, by the control plane's provider."""
        ...

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        """How the control plane signs addresses in its buckets, by their scheme."""
        ...

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables that lead its SDK here; files that they name are written to `folder`."""
        ...

    def addresses(self) -> dict[str, str]:
        """Where its stand-ins listen, by their names."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """What is in its cloud, by the cloud's name. May be called from any thread."""
        ...
