"""Kinds of failure that only Oracle Cloud has; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

OCI_FAILED = ErrorCode("oci-failed", ExitCode.OPERATION_FAILED)
OCI_THROTTLED = ErrorCode("oci-throttled", ExitCode.OPERATION_FAILED)
OCI_UNREACHABLE = ErrorCode("oci-unreachable", ExitCode.OPERATION_FAILED)
OCI_LIMIT = ErrorCode("oci-limit-exceeded", ExitCode.OPERATION_FAILED)
OCI_KEY_LIMIT = ErrorCode("oci-key-limit", ExitCode.REFUSED)
OKE_CLUSTER_NOT_ACTIVE = ErrorCode("oke-cluster-not-active", ExitCode.OPERATION_FAILED)
OKE_CLUSTER_AMBIGUOUS = ErrorCode("oke-cluster-ambiguous", ExitCode.BAD_INPUT)
OKE_VIRTUAL_NODES = ErrorCode("oke-virtual-nodes", ExitCode.BAD_INPUT)
