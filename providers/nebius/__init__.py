"""Nebius Managed Kubernetes, on Nebius' own SDK.

Belongs here: what is particular to Nebius, in one file per part of the provider
contract. Every call to Nebius is in `sdk`. What S3 stores have in common is in
`providers/objectstore`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.nebius.provider import NebiusProvider

__all__ = ["NebiusProvider"]


def __getattr__(name: str) -> type[NebiusProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "NebiusProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.nebius.provider import NebiusProvider

    return NebiusProvider
