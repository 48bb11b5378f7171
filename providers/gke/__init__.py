"""Google GKE, on Google's own SDKs alone.

Belongs here: what is particular to GKE and the Google Cloud services around it,
in one file per part of the provider contract. Every call to Google is in `sdk`;
documents are in `templates/gke`.
"""

from anyscale_k8s_cli.providers.gke.provider import GkeProvider

__all__ = ["GkeProvider"]
