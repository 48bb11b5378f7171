"""Kinds of failure that only CoreWeave has; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

COREWEAVE_FAILED = ErrorCode("coreweave-failed", ExitCode.OPERATION_FAILED)
COREWEAVE_THROTTLED = ErrorCode("coreweave-throttled", ExitCode.OPERATION_FAILED)
COREWEAVE_UNREACHABLE = ErrorCode("coreweave-unreachable", ExitCode.OPERATION_FAILED)
COREWEAVE_CLUSTER_NOT_RUNNING = ErrorCode(
    "coreweave-cluster-not-running", ExitCode.OPERATION_FAILED
)
