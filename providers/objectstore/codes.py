"""Kinds of failure that S3 stores have; `docs/errors.md` documents each.

Those that a check before setup can find are also the names of these checks.
"""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

STORE_FAILED = ErrorCode("store-failed", ExitCode.OPERATION_FAILED)
STORE_UNREACHABLE = ErrorCode("store-unreachable", ExitCode.CHECKS_FAILED)
STORE_KEYS_DENIED = ErrorCode("store-keys-denied", ExitCode.CHECKS_FAILED)
STORE_SIGNING_REGION = ErrorCode("store-signing-region", ExitCode.CHECKS_FAILED)
STORE_PATH_STYLE_REFUSED = ErrorCode("store-path-style-refused", ExitCode.CHECKS_FAILED)
STORE_VIRTUAL_HOST_REFUSED = ErrorCode("store-virtual-host-refused", ExitCode.CHECKS_FAILED)
STORE_CHECKSUM_REFUSED = ErrorCode("store-checksum-refused", ExitCode.CHECKS_FAILED)
STORE_BUCKET_REFUSED = ErrorCode("store-bucket-refused", ExitCode.OPERATION_FAILED)
STORE_NOT_EMPTIED = ErrorCode("store-bucket-not-emptied", ExitCode.OPERATION_FAILED)
