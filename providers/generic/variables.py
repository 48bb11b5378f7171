"""Variables that say of a store what no option and no file does."""

from __future__ import annotations

from collections.abc import Mapping

# Spec fields of the store, with the variables that set them, our own first.
STORE_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "storage.kind": ("ANYSCALE_K8S_STORAGE_KIND",),
    "storage.location": ("ANYSCALE_K8S_STORAGE_LOCATION",),
    "storage.account": ("ANYSCALE_K8S_STORAGE_ACCOUNT",),
    "storage.endpoint": (
        "ANYSCALE_K8S_STORAGE_ENDPOINT",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
    ),
    "storage.region": ("ANYSCALE_K8S_STORAGE_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "storage.addressing": ("ANYSCALE_K8S_STORAGE_ADDRESSING",),
    "storage.checksums": ("ANYSCALE_K8S_STORAGE_CHECKSUMS",),
}
