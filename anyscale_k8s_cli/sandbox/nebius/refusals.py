"""Error answers, with the status and the details that Nebius' services give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

# What the record of calls shows, which knows of HTTP.
HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 412,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_HTTP = {status: code for code, status in reversed(HTTP_STATUS.items())}


@dataclass(frozen=True)
class Quota:
    """What there are too many of."""

    name: str
    limit: int
    requested: int


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, code: grpc.StatusCode, message: str, quota: Quota | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.quota = quota


def code_of(status: int) -> grpc.StatusCode:
    """The code that an HTTP status stands for."""
    return _BY_HTTP.get(status, grpc.StatusCode.UNKNOWN)


def not_found(what: str, name: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"{what} {name} not found")


def exists(what: str, name: str) -> Refused:
    return Refused(grpc.StatusCode.ALREADY_EXISTS, f"{what} {name} already exists")


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def details(refused: Refused) -> bytes:
    """The error as `google.rpc.Status`, as it comes in the trailing metadata."""
    from nebius.api.nebius.common.v1 import QuotaFailure, ServiceError
    from nebius.base.protos.dynamic import REGISTRY

    found: list[Any] = []
    if refused.quota is not None:
        violation = QuotaFailure.Violation(
            quota=refused.quota.name,
            limit=str(refused.quota.limit),
            requested=str(refused.quota.requested),
            message=refused.message,
        )
        error = ServiceError(
            service="iam",
            code="QuotaFailure",
            quota_failure=QuotaFailure(violations=[violation]),
        )
        any_class = REGISTRY.message_class("google.protobuf.Any")
        found.append(
            any_class(
                type_url="type.googleapis.com/nebius.common.v1.ServiceError",
                value=error.SerializeToString(),
            )
        )
    status = REGISTRY.message_class("google.rpc.Status")(
        code=refused.code.value[0], message=refused.message, details=found
    )
    return bytes(status.SerializeToString())
