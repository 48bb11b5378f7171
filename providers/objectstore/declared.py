"""The checks of S3 stores, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.checks import ANY_TIME, Check, Need, Severity
from anyscale_k8s_cli.checks.declared import WITHOUT_STORAGE
from anyscale_k8s_cli.providers.objectstore import codes

_CLOUD = frozenset({Need.CLOUD})

STORE_PATH_STYLE_REFUSED = Check(
    "store-path-style-refused",
    "The object store takes buckets that are named by paths",
    ANY_TIME,
    _CLOUD,
    error=codes.STORE_PATH_STYLE_REFUSED,
)
STORE_VIRTUAL_HOST_REFUSED = Check(
    "store-virtual-host-refused",
    "The object store takes buckets that are named by hosts",
    ANY_TIME,
    _CLOUD,
    error=codes.STORE_VIRTUAL_HOST_REFUSED,
)
STORE_UNREACHABLE = Check(
    "store-unreachable",
    "The object store answers",
    ANY_TIME,
    _CLOUD,
    error=codes.STORE_UNREACHABLE,
    breaks=WITHOUT_STORAGE,
)
STORE_KEYS_DENIED = Check(
    "store-keys-denied",
    "The object store takes the keys",
    ANY_TIME,
    _CLOUD,
    error=codes.STORE_KEYS_DENIED,
    breaks=WITHOUT_STORAGE,
)
STORE_SIGNING_REGION = Check(
    "store-signing-region",
    "The object store takes signatures for the region",
    ANY_TIME,
    _CLOUD,
    error=codes.STORE_SIGNING_REGION,
)
STORE_CHECKSUM_REFUSED = Check(
    "store-checksum-refused",
    "The object store takes the checksums that are sent",
    ANY_TIME,
    _CLOUD,
    error=codes.STORE_CHECKSUM_REFUSED,
)
STORE_CORS_UNSUPPORTED = Check(
    "store-cors-unsupported",
    "The object store can be told to let the console in (CORS)",
    ANY_TIME,
    _CLOUD,
    Severity.WARNING,
)

CHECKS = (
    STORE_PATH_STYLE_REFUSED,
    STORE_VIRTUAL_HOST_REFUSED,
    STORE_UNREACHABLE,
    STORE_KEYS_DENIED,
    STORE_SIGNING_REGION,
    STORE_CHECKSUM_REFUSED,
    STORE_CORS_UNSUPPORTED,
)
