"""Objects at their plain addresses, as browsers and signed URLs use them.

https://cloud.google.com/storage/docs/xml-api/overview
https://cloud.google.com/storage/docs/authentication/signatures (V4)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from urllib.parse import quote
from xml.sax.saxutils import escape

from anyscale_k8s_cli.sandbox.google.accounts import ServiceAccount
from anyscale_k8s_cli.sandbox.google.api import NOBODY, Call, Method, Reply
from anyscale_k8s_cli.sandbox.google.buckets import Bucket
from anyscale_k8s_cli.sandbox.google.errors import GoogleError
from anyscale_k8s_cli.sandbox.google.object_api import media, put_object
from anyscale_k8s_cli.sandbox.google.project import Project, account_caller
from anyscale_k8s_cli.sandbox.google.storage_access import READ, WRITE, StorageAccess
from anyscale_k8s_cli.sandbox.google.tokens import Caller

_PATH = "/{bucket:[^/]+}/{object:.+}"
_CREDENTIAL = re.compile(r"([^/]+)/(\d{8})/[\w-]+/storage/goog4_request")
_ALGORITHM = "GOOG4-RSA-SHA256"
_LONGEST = timedelta(days=7)
_LEEWAY = timedelta(minutes=15)
_NEEDED = {
    "GET": "storage.objects.get",
    "HEAD": "storage.objects.get",
    "PUT": "storage.objects.create",
    "DELETE": "storage.objects.delete",
}
_SIMPLE_HEADERS = frozenset({"accept", "accept-language", "content-language", "range"})


class XmlError(Exception):
    """A refusal in the XML API's form."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details

    def reply(self) -> Reply:
        details = f"<Details>{escape(self.details)}</Details>" if self.details else ""
        body = (
            "<?xml version='1.0' encoding='UTF-8'?>"
            f"<Error><Code>{self.code}</Code><Message>{escape(str(self))}</Message>{details}</Error>"
        )
        headers = {"Content-Type": "application/xml; charset=UTF-8"}
        return Reply(body.encode(), self.status, headers)


@dataclass(frozen=True)
class XmlApi:
    access: StorageAccess

    def methods(self) -> tuple[Method, ...]:
        def method(verb: str, http: str, *, write: bool = False) -> Method:
            name = f"storage.xml.{verb}"
            return Method(name, http, _PATH, self._handle, write=write, secret=True, open=True)

        return (
            method("getObject", "GET"),
            method("headObject", "HEAD"),
            method("putObject", "PUT", write=True),
            method("deleteObject", "DELETE", write=True),
            method("preflight", "OPTIONS"),
        )

    def _handle(self, call: Call) -> Reply:
        bucket = self.access.buckets.find(call.params["bucket"])
        if call.http_method == "OPTIONS":
            return Reply(headers=_preflight(bucket, call))
        try:
            reply = self._object(call, bucket)
        except XmlError as refused:
            reply = refused.reply()
        except GoogleError as refused:
            code = {403: "AccessDenied", 401: "AccessDenied"}.get(refused.status, "InvalidArgument")
            reply = XmlError(refused.status, code, "Access denied.", refused.message).reply()
        allowed = _allowed(bucket, call, call.http_method)
        return Reply(reply.body, reply.status, {**reply.headers, **allowed})

    def _object(self, call: Call, bucket: Bucket | None) -> Reply:
        caller = self._caller(call)
        if bucket is None:
            raise XmlError(404, "NoSuchBucket", "The specified bucket does not exist.")
        self.access.check(caller, _NEEDED[call.http_method], bucket)
        name = call.params["object"]
        if call.http_method == "PUT":
            signed = replace(call, caller=caller)
            content_type = call.headers.get("Content-Type", "")
            made = put_object(self.access, signed, bucket, name, call.body, content_type, {})
            headers = {"ETag": f'"{made.md5}"', "X-Goog-Generation": str(made.generation)}
            return Reply(b"", headers=headers)
        stored = bucket.objects.find(name)
        if stored is None:
            raise XmlError(404, "NoSuchKey", "The specified key does not exist.")
        if call.http_method != "DELETE":
            return media(stored, call)
        bucket.objects.delete(
            name,
            None,
            self.access.buckets.clock(),
            versioned=bucket.versioned,
            soft_delete=bool(bucket.soft_delete),
        )
        return Reply(b"", status=204)

    def _caller(self, call: Call) -> Caller:
        if "X-Goog-Signature" in call.query:
            account = signer(call, self.access.project)
            return account_caller(account, WRITE)
        header = call.headers.get("Authorization")
        if not header:
            return NOBODY
        caller = self.access.project.caller(header.partition(" ")[2], "storage.googleapis.com")
        if caller is None or not caller.scopes & READ:
            raise XmlError(401, "AuthenticationRequired", "Authentication required.")
        return caller


def signer(call: Call, project: Project) -> ServiceAccount:
    """The account that signed an address. Raises :class:`XmlError`."""
    query = {name: value for name, value in call.query.items() if name != "X-Goog-Signature"}
    credential = _CREDENTIAL.fullmatch(query.get("X-Goog-Credential", ""))
    if query.get("X-Goog-Algorithm") != _ALGORITHM or credential is None:
        raise XmlError(400, "InvalidArgument", "Invalid argument.", "The signature is not V4.")
    _check_times(query, project.clock())
    account = project.accounts.find(credential[1])
    to_sign = _to_sign(call, query, credential[0].partition("/")[2])
    try:
        signature = bytes.fromhex(call.query["X-Goog-Signature"])
    except ValueError:
        signature = b""
    if account is None or not any(
        key.verifies(signature, to_sign) for key in (project.google_key, *project.own_keys(account))
    ):
        raise XmlError(
            403,
            "SignatureDoesNotMatch",
            "Access denied.",
            "The request signature we calculated does not match the signature you provided. "
            "Check your Google secret key and signing method.",
        )
    return account


def string_to_sign(canonical: Sequence[str], date: str, scope: str) -> bytes:
    """What is signed for a canonical request."""
    hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    return "\n".join([_ALGORITHM, date, scope, hashed]).encode()


def _check_times(query: Mapping[str, str], now: datetime) -> None:
    try:
        start = datetime.strptime(query.get("X-Goog-Date", ""), "%Y%m%dT%H%M%SZ")
        lasts = timedelta(seconds=int(query.get("X-Goog-Expires", "")))
    except ValueError:
        raise XmlError(400, "InvalidArgument", "Invalid argument.", "A time is missing.") from None
    start = start.replace(tzinfo=UTC)
    if not timedelta(0) < lasts <= _LONGEST:
        raise XmlError(400, "InvalidArgument", "Invalid argument.", "It is to last too long.")
    if not start - _LEEWAY <= now < start + lasts:
        raise XmlError(400, "ExpiredToken", "Invalid argument.", "The provided token has expired.")


def _to_sign(call: Call, query: Mapping[str, str], scope: str) -> bytes:
    def encoded(text: str) -> str:
        return quote(text, safe="-_.~")

    names = query.get("X-Goog-SignedHeaders", "")
    lines = [f"{name}:{' '.join(call.headers.get(name, '').split())}" for name in names.split(";")]
    path = f"/{call.params['bucket']}/{quote(call.params['object'], safe='/-_.~')}"
    pairs = sorted(f"{encoded(name)}={encoded(value)}" for name, value in query.items())
    payload = call.headers.get("X-Goog-Content-SHA256", "UNSIGNED-PAYLOAD")
    canonical = [call.http_method, path, "&".join(pairs), *lines, "", names, payload]
    return string_to_sign(canonical, query["X-Goog-Date"], scope)


def _preflight(bucket: Bucket | None, call: Call) -> dict[str, str]:
    asked = call.headers.get("Access-Control-Request-Method", "")
    return _allowed(bucket, call, asked, preflight=True)


def _allowed(
    bucket: Bucket | None, call: Call, method: str, *, preflight: bool = False
) -> dict[str, str]:
    """The CORS headers of an answer; none where no rule of the bucket fits."""
    origin = call.headers.get("Origin", "")
    if bucket is None or not origin:
        return {}
    for rule in bucket.settings.get("cors") or ():
        origins, methods = rule.get("origin") or (), rule.get("method") or ()
        if not any(fnmatchcase(origin, pattern) for pattern in origins):
            continue
        if method not in methods and "*" not in methods:
            continue
        shared = [str(header) for header in rule.get("responseHeader") or ()]
        found = {
            "Access-Control-Allow-Origin": "*" if "*" in origins else origin,
            "Vary": "Origin",
        }
        if not preflight:
            return (
                {**found, "Access-Control-Expose-Headers": ", ".join(shared)} if shared else found
            )
        if not _headers_allowed(call.headers.get("Access-Control-Request-Headers", ""), shared):
            return {}
        found["Access-Control-Allow-Methods"] = ",".join(str(name) for name in methods)
        found["Access-Control-Max-Age"] = str(rule.get("maxAgeSeconds") or 0)
        if shared:
            found["Access-Control-Allow-Headers"] = ",".join(shared)
        return found
    return {}


def _headers_allowed(asked: str, shared: Sequence[str]) -> bool:
    wanted = {name.strip().lower() for name in asked.split(",") if name.strip()}
    known = {name.lower() for name in shared}
    return "*" in known or wanted <= known | _SIMPLE_HEADERS
