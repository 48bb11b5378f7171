"""Oracle Kubernetes Engine, on Oracle's own SDK.

Belongs here: what is particular to Oracle Cloud, in one file per part of the provider
contract. Every call to Oracle is in `sdk`. What S3 stores have in common is in
`providers/objectstore`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.oke.provider import OkeProvider

__all__ = ["OkeProvider"]


def __getattr__(name: str) -> type[OkeProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "OkeProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.oke.provider import OkeProvider

    return OkeProvider
