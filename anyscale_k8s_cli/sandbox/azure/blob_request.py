"""A request to blob storage, understood: which account, which operation, on what."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"


class BlobError(Exception):
    """An error answer of blob storage."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self, at: datetime, *, head: bool = False) -> web.Response:
        request_id = str(uuid.uuid4())
        text = f"{self.message}\nRequestId:{request_id}\nTime:{at.isoformat()}"
        body = (
            '<?xml version="1.0" encoding="utf-8"?><Error>'
            f"<Code>{escape(self.code)}</Code><Message>{escape(text)}</Message></Error>"
        )
        headers = {**self.headers, "x-ms-error-code": self.code, "x-ms-request-id": request_id}
        if head:
            return web.Response(status=self.status, headers=headers)
        return web.Response(
            text=body, status=self.status, content_type="application/xml", headers=headers
        )


@dataclass(frozen=True)
class Right:
    """What an operation takes: a role's (data) action, or a letter in a SAS and its resource."""

    action: str
    data: bool
    letters: str
    resource_type: str


# By kind of resource, method and `comp`: the operation's name in Azure's documentation, and
# the right that it takes.
_OPERATIONS: Mapping[tuple[str, str, str], tuple[str, Right]] = {
    ("service", "GET", "list"): (
        "ListContainers",
        Right(f"{_CONTAINERS}/read", data=False, letters="l", resource_type="s"),
    ),
    ("service", "GET", "properties"): (
        "GetBlobServiceProperties",
        Right(f"{_SERVICE}/read", data=False, letters="", resource_type="s"),
    ),
    ("service", "PUT", "properties"): (
        "SetBlobServiceProperties",
        Right(f"{_SERVICE}/write", data=False, letters="", resource_type="s"),
    ),
    ("service", "POST", "userdelegationkey"): (
        "GetUserDelegationKey",
        Right(
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            data=False,
            letters="",
            resource_type="",
        ),
    ),
    ("container", "PUT", ""): (
        "CreateContainer",
        Right(f"{_CONTAINERS}/write", data=False, letters="cw", resource_type="c"),
    ),
    ("container", "PUT", "metadata"): (
        "SetContainerMetadata",
        Right(f"{_CONTAINERS}/write", data=False, letters="w", resource_type="c"),
    ),
    ("container", "GET", ""): (
        "GetContainerProperties",
        Right(f"{_CONTAINERS}/read", data=False, letters="r", resource_type="c"),
    ),
    ("container", "DELETE", ""): (
        "DeleteContainer",
        Right(f"{_CONTAINERS}/delete", data=False, letters="d", resource_type="c"),
    ),
    ("container", "GET", "list"): (
        "ListBlobs",
        Right(f"{_BLOBS}/read", data=True, letters="l", resource_type="c"),
    ),
    ("blob", "PUT", ""): (
        "PutBlob",
        Right(f"{_BLOBS}/write", data=True, letters="cw", resource_type="o"),
    ),
    ("blob", "PUT", "block"): (
        "PutBlock",
        Right(f"{_BLOBS}/write", data=True, letters="cw", resource_type="o"),
    ),
    ("blob", "PUT", "blocklist"): (
        "PutBlockList",
        Right(f"{_BLOBS}/write", data=True, letters="cw", resource_type="o"),
    ),
    ("blob", "GET", ""): (
        "GetBlob",
        Right(f"{_BLOBS}/read", data=True, letters="r", resource_type="o"),
    ),
    ("blob", "HEAD", ""): (
        "GetBlobProperties",
        Right(f"{_BLOBS}/read", data=True, letters="r", resource_type="o"),
    ),
    ("blob", "DELETE", ""): (
        "DeleteBlob",
        Right(f"{_BLOBS}/delete", data=True, letters="d", resource_type="o"),
    ),
}


@dataclass(frozen=True)
class BlobRequest:
    """One request. `raw_path` is as it was sent, for signatures; headers in lower case."""

    method: str
    raw_path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    base: str = ""

    @property
    def _parts(self) -> list[str]:
        return [unquote(part) for part in self.raw_path.lstrip("/").split("/", 2)]

    @property
    def account(self) -> str:
        return self._parts[0]

    @property
    def container(self) -> str:
        return self._parts[1] if len(self._parts) > 1 else ""

    @property
    def blob(self) -> str:
        return self._parts[2] if len(self._parts) > 2 else ""

    @property
    def kind(self) -> str:
        if self.blob:
            return "blob"
        return "container" if self.container else "service"

    @property
    def resource(self) -> str:
        return "/".join(part for part in (self.account, self.container, self.blob) if part)

    def _operation(self) -> tuple[str, Right] | None:
        method = "GET" if self.kind == "container" and self.method == "HEAD" else self.method
        return _OPERATIONS.get((self.kind, method, self.query.get("comp", "")))

    @property
    def name(self) -> str:
        """The operation's name in Azure's documentation; empty for an unknown one."""
        if self.method == "OPTIONS":
            return "PreflightBlobRequest"
        found = self._operation()
        return found[0] if found else ""

    @property
    def right(self) -> Right:
        """Raises 400 for an unknown operation."""
        found = self._operation()
        if found is None:
            raise BlobError(
                400,
                "InvalidQueryParameterValue",
                "Value for one of the query parameters specified in the request URI is invalid.",
            )
        return found[1]

    @property
    def writes(self) -> bool:
        return self.method in ("PUT", "DELETE")
