"""Any Kubernetes cluster, reached by a context of a kubeconfig, with any S3 store.

Belongs here: what no cloud can be asked, because there is none. The store and its
bucket are `providers/objectstore`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.generic.provider import GenericProvider

__all__ = ["GenericProvider"]


def __getattr__(name: str) -> type[GenericProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "GenericProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.generic.provider import GenericProvider

    return GenericProvider
