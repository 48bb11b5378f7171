"""Kinds of failure that only AKS has; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

AKS_NOT_RUNNING = ErrorCode("aks-cluster-not-running", ExitCode.OPERATION_FAILED)
AKS_IDENTITY_OFF = ErrorCode("aks-workload-identity-off", ExitCode.BAD_INPUT)
ADDRESS_TAGS_UNFIT = ErrorCode("aks-load-balancer-tags", ExitCode.BAD_INPUT)
IDENTITY_MISSING = ErrorCode("aks-identity-missing", ExitCode.OPERATION_FAILED)
ISSUER_MISMATCH = ErrorCode("aks-issuer-mismatch", ExitCode.OPERATION_FAILED)
SUBJECT_MISMATCH = ErrorCode("aks-subject-mismatch", ExitCode.OPERATION_FAILED)
IDENTITY_NOT_USABLE = ErrorCode("aks-identity-not-usable", ExitCode.OPERATION_FAILED)
ANYSCALE_NOT_IN_TENANT = ErrorCode("azure-anyscale-not-in-tenant", ExitCode.OPERATION_FAILED)
ASSIGNMENT_MISSING = ErrorCode("azure-role-missing", ExitCode.OPERATION_FAILED)
ASSIGNMENT_NOT_IN_FORCE = ErrorCode("azure-role-not-in-force", ExitCode.TIMED_OUT)
