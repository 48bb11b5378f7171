"""Any Kubernetes cluster, reached by a context of a kubeconfig, with any S3 store.

Belongs here: what no cloud can be asked, because there is none. The store and its
bucket are `providers/objectstore`.
"""

from anyscale_k8s_cli.providers.generic.provider import GenericProvider

__all__ = ["GenericProvider"]
