"""Kinds of failure that only GKE has; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

AUTOPILOT = ErrorCode("gke-autopilot", ExitCode.BAD_INPUT)
CLUSTER_NOT_RUNNING = ErrorCode("gke-cluster-not-running", ExitCode.OPERATION_FAILED)
CLUSTER_AMBIGUOUS = ErrorCode("gke-cluster-ambiguous", ExitCode.BAD_INPUT)
WORKLOAD_IDENTITY_OFF = ErrorCode("gke-workload-identity-off", ExitCode.BAD_INPUT)
ACCOUNT_MISSING = ErrorCode("gke-service-account-missing", ExitCode.OPERATION_FAILED)
BINDING_MISSING = ErrorCode("gke-workload-identity-binding-missing", ExitCode.OPERATION_FAILED)
TOKEN_CREATOR_MISSING = ErrorCode("gke-token-creator-missing", ExitCode.OPERATION_FAILED)
NOT_IMPERSONABLE = ErrorCode("gke-service-account-not-usable", ExitCode.OPERATION_FAILED)
POLICY_CONTENDED = ErrorCode("gcp-policy-contended", ExitCode.OPERATION_FAILED)
