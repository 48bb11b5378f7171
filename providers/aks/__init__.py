"""Azure AKS, on Azure's own SDKs alone.

Belongs here: what is particular to AKS and the Azure services around it, in one
file per part of the provider contract. Every call to Azure is in `sdk`;
documents are in `templates/aks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.aks.provider import AksProvider

__all__ = ["AksProvider"]


def __getattr__(name: str) -> type[AksProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "AksProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.aks.provider import AksProvider

    return AksProvider
