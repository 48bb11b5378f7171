"""Google GKE, on Google's own SDKs alone.

Belongs here: what is particular to GKE and the Google Cloud services around it,
in one file per part of the provider contract. Every call to Google is in `sdk`;
documents are in `templates/gke`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.gke.provider import GkeProvider

__all__ = ["GkeProvider"]


def __getattr__(name: str) -> type[GkeProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "GkeProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.gke.provider import GkeProvider

    return GkeProvider
