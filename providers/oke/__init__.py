"""Oracle Kubernetes Engine, on Oracle's own SDK.

Belongs here: what is particular to Oracle Cloud, in one file per part of the provider
contract. Every call to Oracle is in `sdk`. What S3 stores have in common is in
`providers/objectstore`.
"""

from anyscale_k8s_cli.providers.oke.provider import OkeProvider

__all__ = ["OkeProvider"]
