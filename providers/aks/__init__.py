"""Azure AKS, on Azure's own SDKs alone.

Belongs here: what is particular to AKS and the Azure services around it, in one
file per part of the provider contract. Every call to Azure is in `sdk`;
documents are in `templates/aks`.
"""

from anyscale_k8s_cli.providers.aks.provider import AksProvider

__all__ = ["AksProvider"]
