"""Kinds of failure that only AWS has; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

AWS_FAILED = ErrorCode("aws-failed", ExitCode.OPERATION_FAILED)
AWS_THROTTLED = ErrorCode("aws-throttled", ExitCode.OPERATION_FAILED)
AWS_UNREACHABLE = ErrorCode("aws-unreachable", ExitCode.OPERATION_FAILED)
CLUSTER_NOT_ACTIVE = ErrorCode("eks-cluster-not-active", ExitCode.OPERATION_FAILED)
NO_OIDC_ISSUER = ErrorCode("eks-no-oidc-issuer", ExitCode.OPERATION_FAILED)
POD_IDENTITY_AGENT_MISSING = ErrorCode("eks-pod-identity-agent-missing", ExitCode.OPERATION_FAILED)
OIDC_PROVIDER_MISSING = ErrorCode("eks-oidc-provider-missing", ExitCode.OPERATION_FAILED)
OIDC_AUDIENCE_MISSING = ErrorCode("eks-oidc-audience-missing", ExitCode.OPERATION_FAILED)
TRUST_MISMATCH = ErrorCode("eks-trust-mismatch", ExitCode.OPERATION_FAILED)
ROLE_MISSING = ErrorCode("eks-role-missing", ExitCode.OPERATION_FAILED)
ROLE_NOT_ASSUMABLE = ErrorCode("eks-role-not-assumable", ExitCode.OPERATION_FAILED)
BUCKET_BEING_DELETED = ErrorCode("bucket-being-deleted", ExitCode.TIMED_OUT)
BUCKET_NOT_EMPTIED = ErrorCode("bucket-not-emptied", ExitCode.OPERATION_FAILED)
LOAD_BALANCER_TAGS = ErrorCode("eks-load-balancer-tags", ExitCode.BAD_INPUT)
