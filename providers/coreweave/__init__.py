"""CoreWeave Kubernetes Service, by CoreWeave's own HTTP API.

Belongs here: what is particular to CoreWeave, in one file per part of the provider
contract. Every call to its API is in `sdk`. What S3 stores have in common is in
`providers/objectstore`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.coreweave.provider import CoreWeaveProvider

__all__ = ["CoreWeaveProvider"]


def __getattr__(name: str) -> type[CoreWeaveProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "CoreWeaveProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.coreweave.provider import CoreWeaveProvider

    return CoreWeaveProvider
