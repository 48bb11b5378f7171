"""Refusals as Google's APIs word them.

https://cloud.google.com/apis/design/errors; the storage and compute APIs use the
older form with `errors` and a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "CONDITION_NOT_MET": 412,
    "RANGE_NOT_SATISFIABLE": 416,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
_REASONS = {
    "INVALID_ARGUMENT": "invalid",
    "FAILED_PRECONDITION": "failedPrecondition",
    "UNAUTHENTICATED": "authError",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "notFound",
    "ALREADY_EXISTS": "alreadyExists",
    "ABORTED": "aborted",
    "CONDITION_NOT_MET": "conditionNotMet",
    "RANGE_NOT_SATISFIABLE": "requestedRangeNotSatisfiable",
    "RESOURCE_EXHAUSTED": "rateLimitExceeded",
    "INTERNAL": "backendError",
    "UNIMPLEMENTED": "notImplemented",
    "UNAVAILABLE": "backendError",
}
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class GoogleError(Exception):
    """An API says no. `code` is the canonical one; `reason` belongs to the older form."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _HTTP.get(code, 500)
        self.reason = reason or _REASONS.get(code, "backendError")
        self.details = details

    def as_json(self, *, old_form: bool = False) -> dict[str, Any]:
        """The body, in the form of gRPC's status or in the older one."""
        listed = {"message": self.message, "domain": "global", "reason": self.reason}
        error: dict[str, Any] = {
            "code": self.status,
            "message": self.message,
            "errors": [listed],
        }
        if not old_form:
            error["status"] = self.code
            if self.details:
                error["details"] = [dict(detail) for detail in self.details]
        return {"error": error}


class OAuthError(Exception):
    """A token endpoint says no: RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description

    def as_json(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


def error_info(reason: str, domain: str, **metadata: str) -> dict[str, Any]:
    return {"@type": _ERROR_INFO, "reason": reason, "domain": domain, "metadata": metadata}


def invalid(message: str) -> GoogleError:
    return GoogleError("INVALID_ARGUMENT", message)


def not_found(message: str) -> GoogleError:
    return GoogleError("NOT_FOUND", message)


def denied(permission: str, resource: str) -> GoogleError:
    """How the IAM APIs say that a permission is missing; they do not tell it from absence."""
    return GoogleError(
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource (or it may not exist).",
        details=[
            error_info(
                "IAM_PERMISSION_DENIED",
                "iam.googleapis.com",
                permission=permission,
                resource=resource,
            )
        ],
    )


def concurrent_change(sent: str, present: str) -> GoogleError:
    return GoogleError(
        "ABORTED",
        "There were concurrent policy changes. Please retry the whole read-modify-write with "
        f"exponential backoff. The request's ETag '{sent}' did not match the current policy's "
        f"ETag '{present}'.",
    )
