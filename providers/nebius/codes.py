"""Kinds of failure that only Nebius has; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

NEBIUS_FAILED = ErrorCode("nebius-failed", ExitCode.OPERATION_FAILED)
NEBIUS_THROTTLED = ErrorCode("nebius-throttled", ExitCode.OPERATION_FAILED)
NEBIUS_UNREACHABLE = ErrorCode("nebius-unreachable", ExitCode.OPERATION_FAILED)
NEBIUS_QUOTA = ErrorCode("nebius-quota-exceeded", ExitCode.OPERATION_FAILED)
NEBIUS_CLUSTER_NOT_RUNNING = ErrorCode("nebius-cluster-not-running", ExitCode.OPERATION_FAILED)
