"""Kinds of failure that Azure's APIs have; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

AZURE_FAILED = ErrorCode("azure-failed", ExitCode.OPERATION_FAILED)
AZURE_THROTTLED = ErrorCode("azure-throttled", ExitCode.OPERATION_FAILED)
AZURE_UNREACHABLE = ErrorCode("azure-unreachable", ExitCode.OPERATION_FAILED)
AZURE_LOCKED = ErrorCode("azure-locked", ExitCode.OPERATION_FAILED)
POLICY_DENIES = ErrorCode("azure-policy-denies", ExitCode.NOT_PERMITTED)
NOT_REGISTERED = ErrorCode("azure-provider-not-registered", ExitCode.NOT_PERMITTED)
CORS_FULL = ErrorCode("azure-cors-full", ExitCode.OPERATION_FAILED)
