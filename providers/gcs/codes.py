"""Kinds of failure that Google's APIs have; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

GCP_FAILED = ErrorCode("gcp-failed", ExitCode.OPERATION_FAILED)
GCP_THROTTLED = ErrorCode("gcp-throttled", ExitCode.OPERATION_FAILED)
GCP_UNREACHABLE = ErrorCode("gcp-unreachable", ExitCode.OPERATION_FAILED)
API_DISABLED = ErrorCode("gcp-api-disabled", ExitCode.NOT_PERMITTED)
