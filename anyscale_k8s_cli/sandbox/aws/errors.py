"""AWS errors, rendered as each protocol renders them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response


class AwsError(Exception):
    """An error answer; `fields` are further members of the error's shape."""

    def __init__(
        self, status: int, code: str, message: str, fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})

    def response(self, protocol: str, *, head: bool = False) -> Response:
        """The answer in a protocol of botocore's service models."""
        request_id = str(uuid.uuid4())
        body, content_type = _BODIES[protocol](self, request_id)
        response = Response(b"" if head else body, status=self.status, content_type=content_type)
        response.headers["x-amzn-requestid"] = request_id
        if "json" in protocol:
            response.headers["x-amzn-errortype"] = self.code
        return response


def _elements(error: AwsError) -> str:
    members = {"Code": error.code, "Message": error.message, **error.fields}
    return "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in members.items())


def _query(error: AwsError, request_id: str) -> tuple[str, str]:
    kind = "Sender" if error.status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{kind}</Type>{_elements(error)}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>",
        "text/xml",
    )


def _ec2(error: AwsError, request_id: str) -> tuple[str, str]:
    return (
        f"<Response><Errors><Error>{_elements(error)}</Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>",
        "text/xml",
    )


def _s3(error: AwsError, request_id: str) -> tuple[str, str]:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error>{_elements(error)}'
        f"<RequestId>{request_id}</RequestId></Error>",
        "application/xml",
    )


def _json(error: AwsError, _request_id: str) -> tuple[str, str]:
    body = {"__type": error.code, "message": error.message, **error.fields}
    return json.dumps(body), "application/x-amz-json-1.1"


_BODIES = {"query": _query, "ec2": _ec2, "rest-xml": _s3, "rest-json": _json, "json": _json}
