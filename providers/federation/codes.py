"""Kinds of failure of clusters that prove themselves; `docs/errors.md` documents each."""

from __future__ import annotations

from anyscale_k8s_cli.errors import ErrorCode, ExitCode

ISSUER_NOT_PUBLIC = ErrorCode("issuer-not-public", ExitCode.CHECKS_FAILED)
FEDERATION_REFUSED = ErrorCode("federation-refused", ExitCode.NOT_PERMITTED)
FEDERATION_UNREACHABLE = ErrorCode("federation-unreachable", ExitCode.OPERATION_FAILED)
