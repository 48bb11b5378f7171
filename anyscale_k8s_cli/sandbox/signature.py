"""Signatures of requests: what they claim, and whether the claim holds.

Version 4 in headers and in queries, and version 2 in queries, which boto3
still uses to presign for S3. botocore's own signers do the arithmetic.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SKEW = timedelta(minutes=15)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
# By (for S3?, in the query?).
_SIGNERS: Mapping[tuple[bool, bool], type[SigV4Auth]] = {
    (True, True): S3SigV4QueryAuth,
    (True, False): S3SigV4Auth,
    (False, True): SigV4QueryAuth,
    (False, False): SigV4Auth,
}


class BadSignature(Exception):
    """The signature is malformed or wrong."""


class Expired(BadSignature):
    """The request was signed too long ago, or for a time still to come."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it stood on the wire: `url` undecoded, header names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says about who signed it, and for what."""

    access_key: str
    value: str
    service: str
    region: str
    token: str | None
    presigned: bool
    signed_at: datetime
    expires_at: datetime
    signed_headers: tuple[str, ...] = ()
    version: int = 4

    def verify(self, incoming: Incoming, secret: str, now: datetime) -> None:
        """Raises :class:`BadSignature`, or :class:`Expired`, if it is not to be believed."""
        self.check(incoming, secret)
        self.check_time(now)

    def check(self, incoming: Incoming, secret: str) -> None:
        """Raises :class:`BadSignature` if it was not made of this request with this secret."""
        if self.version == 2:
            expected = self._version_2(incoming, secret)
        else:
            expected = self._version_4(incoming, secret)
            _check_payload(incoming)
        if not hmac.compare_digest(expected.encode(), self.value.encode()):
            raise BadSignature("the signature differs")

    def check_time(self, now: datetime) -> None:
        """Raises :class:`Expired` outside of the time for which it was made."""
        if not self.signed_at - SKEW <= now <= self.expires_at:
            raise Expired(f"{now:{_TIMESTAMP}} is not before {self.expires_at:{_TIMESTAMP}}")

    def _version_4(self, incoming: Incoming, secret: str) -> str:
        signer = self._signer(secret)
        headers = {k: v for k, v in incoming.headers.items() if k in self.signed_headers}
        url = _without(incoming.url, "X-Amz-Signature") if self.presigned else incoming.url
        request = AWSRequest(incoming.method, url, headers, incoming.body)
        request.context["timestamp"] = self.signed_at.strftime(_TIMESTAMP)
        to_sign = signer.string_to_sign(request, signer.canonical_request(request))
        return str(signer.signature(to_sign, request))

    def _signer(self, secret: str) -> SigV4Auth:
        credentials = Credentials(self.access_key, secret, self.token)
        return _SIGNERS[self.service == "s3", self.presigned](
            credentials, self.service, self.region
        )

    def _version_2(self, incoming: Incoming, secret: str) -> str:
        signer = _Version2(Credentials(self.access_key, secret, self.token), self.expires_at)
        url = _without(incoming.url, "AWSAccessKeyId", "Signature", "Expires")
        # The signer writes into the headers, and looks them up by any spelling.
        headers: Any = AWSRequest(headers=dict(incoming.headers)).headers
        return str(signer.get_signature(incoming.method, urlsplit(url), headers))


class _Version2(HmacV1QueryAuth):
    """botocore's signer, with the end that the URL has and not one counted from now."""

    def __init__(self, credentials: Credentials, expires_at: datetime) -> None:
        super().__init__(credentials)
        self._end = expires_at

    def _get_date(self) -> str:
        return str(int(self._end.timestamp()))


def read(incoming: Incoming) -> Signature | None:
    """The signature that a request carries; None if there is none.

    Raises :class:`BadSignature` for one that cannot be understood.
    """
    query = dict(parse_qsl(urlsplit(incoming.url).query, keep_blank_values=True))
    try:
        if "authorization" in incoming.headers:
            return _from_header(incoming.headers)
        if "X-Amz-Signature" in query:
            return _from_query(query)
        if "Signature" in query and "AWSAccessKeyId" in query:
            return _from_query_version_2(query)
    except (KeyError, ValueError) as error:
        raise BadSignature("the signature cannot be parsed") from error
    return None


def _from_header(headers: Mapping[str, str]) -> Signature:
    algorithm, _, rest = headers["authorization"].partition(" ")
    if algorithm != "AWS4-HMAC-SHA256":
        raise BadSignature(f"unsupported authorization type {algorithm}")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    access_key, day, region, service, _ = parts["Credential"].split("/")
    signed_at = _timestamp(headers["x-amz-date"])
    if signed_at.strftime("%Y%m%d") != day:
        raise BadSignature("the date of the credential's scope is another")
    return Signature(
        access_key=access_key,
        value=parts["Signature"],
        service=service,
        region=region,
        token=headers.get("x-amz-security-token"),
        presigned=False,
        signed_at=signed_at,
        expires_at=signed_at + SKEW,
        signed_headers=tuple(parts["SignedHeaders"].split(";")),
    )


def _from_query(query: Mapping[str, str]) -> Signature:
    access_key, _, region, service, _ = query["X-Amz-Credential"].split("/")
    signed_at = _timestamp(query["X-Amz-Date"])
    # STS takes a presigned request without an explicit end for 15 minutes.
    lifetime = int(query.get("X-Amz-Expires", SKEW.total_seconds()))
    return Signature(
        access_key=access_key,
        value=query["X-Amz-Signature"],
        service=service,
        region=region,
        token=query.get("X-Amz-Security-Token"),
        presigned=True,
        signed_at=signed_at,
        expires_at=signed_at + timedelta(seconds=lifetime),
        signed_headers=tuple(query["X-Amz-SignedHeaders"].split(";")),
    )


def _from_query_version_2(query: Mapping[str, str]) -> Signature:
    return Signature(
        access_key=query["AWSAccessKeyId"],
        value=query["Signature"],
        service="s3",
        region="",
        token=query.get("x-amz-security-token"),
        presigned=True,
        # This version does not say when it was signed.
        signed_at=datetime.fromtimestamp(0, UTC),
        expires_at=datetime.fromtimestamp(int(query["Expires"]), UTC),
        version=2,
    )


def _check_payload(incoming: Incoming) -> None:
    """The hash in the header must be that of the body, unless it says that there is none."""
    claimed = incoming.headers.get("x-amz-content-sha256", "")
    if len(claimed) == 64 and claimed != sha256(incoming.body).hexdigest():
        raise BadSignature("the body is not the one that was signed")


def _timestamp(text: str) -> datetime:
    return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)


def _without(url: str, *names: str) -> str:
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair.partition("=")[0] not in names]
    return parts._replace(query="&".join(kept)).geturl()


def strip(query: str) -> str:
    """A query without what a presigned request adds to it."""
    pairs: list[tuple[str, Any]] = parse_qsl(query, keep_blank_values=True)
    kept = [
        (name, value)
        for name, value in pairs
        if not name.startswith("X-Amz-")
        and name not in ("AWSAccessKeyId", "Signature", "Expires", "x-amz-security-token")
    ]
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in kept)
