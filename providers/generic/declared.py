"""The checks of any cluster with any store: those of the store, and of the cluster's issuer."""

from __future__ import annotations

from anyscale_k8s_cli.providers.federation import declared as federation
from anyscale_k8s_cli.providers.objectstore import declared as objectstore

CHECKS = (*federation.CHECKS, *objectstore.CHECKS)
