"""CoreWeave Kubernetes Service, by CoreWeave's own HTTP API.

Belongs here: what is particular to CoreWeave, in one file per part of the provider
contract. Every call to its API is in `sdk`. What S3 stores have in common is in
`providers/objectstore`.
"""

from anyscale_k8s_cli.providers.coreweave.provider import CoreWeaveProvider

__all__ = ["CoreWeaveProvider"]
