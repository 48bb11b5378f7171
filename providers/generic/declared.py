"""The checks of any cluster with any store: those of the store."""

from __future__ import annotations

from anyscale_k8s_cli.providers.objectstore.declared import CHECKS

__all__ = ["CHECKS"]
