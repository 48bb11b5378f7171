"""Shared access signatures: what is signed, and when one is good.

https://learn.microsoft.com/rest/api/storageservices/delegate-access-with-shared-access-signature
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from anyscale_k8s_cli.sandbox.azure.blob_request import BlobError, BlobRequest

# From these versions on there is more to sign.
_ENCRYPTION_SCOPE = "2020-12-06"
_DELEGATED_USER = "2025-07-05"
_REQUEST_PARTS = "2026-04-06"
_OVERRIDES = ("rscc", "rscd", "rsce", "rscl", "rsct")


def sign(key: str, text: str) -> str:
    """The signature of a text by a key in base64."""
    digest = hmac.new(base64.b64decode(key), text.encode(), sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True)
class Sas:
    """The signature in a request's query."""

    request: BlobRequest

    @property
    def _query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def present(self) -> bool:
        return "sig" in self._query

    @property
    def delegated(self) -> bool:
        """Whether it is signed by a user delegation key, and so for somebody of Entra."""
        return "skoid" in self._query

    @property
    def of_account(self) -> bool:
        return "srt" in self._query

    def check(self, keys: Iterable[str], now: datetime) -> None:
        """Raises 403 if it is signed with none of the keys, or not good for this request now."""
        text = self._account_text() if self.of_account else self._text()
        if not any(hmac.compare_digest(sign(key, text), self._query["sig"]) for key in keys):
            raise failed("Signature did not match. String to sign used was different.")
        self._check_time("st", "se", now)
        if self.delegated:
            self._check_time("skt", "ske", now)
        self._check_reach()

    def _check_time(self, start: str, end: str, now: datetime) -> None:
        begins, ends = self._query.get(start), self._query.get(end, "")
        early = begins is not None and now < _moment(begins)
        if not ends or early or now >= _moment(ends):
            raise failed(
                "Signature not valid in the specified time frame: Start "
                f"[{begins or ''}] - Expiry [{ends}] - Current [{now:%a, %d %b %Y %H:%M:%S} GMT]"
            )

    def _check_reach(self) -> None:
        right = self.request.right
        allowed = self._query.get("sp", "")
        if not any(letter in allowed for letter in right.letters):
            raise BlobError(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this permission.",
            )
        if self.of_account:
            reached = right.resource_type in self._query["srt"] and "b" in self._query.get("ss", "")
        else:
            reached = self.request.kind != "service" and (
                self._query.get("sr") == "c" or self.request.kind == "blob"
            )
        if not reached:
            raise BlobError(
                403,
                "AuthorizationResourceTypeMismatch",
                "This request is not authorized to perform this operation using this resource "
                "type.",
            )

    def _text(self) -> str:
        """The text that is signed for a container or a blob."""
        query, version = self._query, self._query.get("sv", "")
        if version < _ENCRYPTION_SCOPE:
            raise failed(f"The version {version} of the signature is too old here.")
        request = self.request
        path = f"/{request.container}"
        if query.get("sr") == "b":
            path += f"/{request.blob}"
        values = [
            *(query.get(name, "") for name in ("sp", "st", "se")),
            f"/blob/{request.account}{path}",
        ]
        if self.delegated:
            names = ["skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid"]
            if version >= _DELEGATED_USER:
                names += ["skdutid", "sduoid"]
        else:
            names = ["si"]
        names += ["sip", "spr", "sv", "sr", "snapshot", "ses"]
        if self.delegated and version >= _REQUEST_PARTS:
            names += ["srh", "srq"]
        return "\n".join([*values, *(query.get(name, "") for name in (*names, *_OVERRIDES))])

    def _account_text(self) -> str:
        """The text that is signed for a whole account."""
        names = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses")
        lines = [self.request.account, *(self._query.get(name, "") for name in names)]
        return "\n".join(lines) + "\n"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise failed(f"{text} is not a time.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def failed(detail: str) -> BlobError:
    """A signature that is no good, or a wrong one."""
    return BlobError(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header "
        f"is formed correctly including the signature. {detail}",
    )
