"""Checks of the CoreWeave side: those of the store, seen with the keys that there are."""

from __future__ import annotations

from anyscale_k8s_cli.checks import Check
from anyscale_k8s_cli.providers.coreweave.cloud_side import Built
from anyscale_k8s_cli.providers.objectstore import checks as checks_of_store


def checks(built: Built) -> list[Check]:
    return checks_of_store.checks(built.s3, built.bucket, built.origin, known=built.keys_are_known)
