"""Nebius Managed Kubernetes, on Nebius' own SDK.

Belongs here: what is particular to Nebius, in one file per part of the provider
contract. Every call to Nebius is in `sdk`. What S3 stores have in common is in
`providers/objectstore`.
"""

from anyscale_k8s_cli.providers.nebius.provider import NebiusProvider

__all__ = ["NebiusProvider"]
