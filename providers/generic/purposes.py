"""What the objects of any cluster with any store are there for: those of the store."""

from __future__ import annotations

from anyscale_k8s_cli.providers.azureblob import purposes as azureblob
from anyscale_k8s_cli.providers.federation import purposes as federation
from anyscale_k8s_cli.providers.gcs import purposes as gcs
from anyscale_k8s_cli.providers.objectstore import purposes as objectstore

PURPOSES = (
    *objectstore.PURPOSES,
    *gcs.PURPOSES,
    *azureblob.PURPOSES,
    *federation.PURPOSES,
)
