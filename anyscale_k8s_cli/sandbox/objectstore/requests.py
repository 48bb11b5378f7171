"""A request to the store: which bucket, which key, who signed it, which operation it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web

from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error
from anyscale_k8s_cli.sandbox.objectstore.state import Key, ObjectStore, Quirk
from anyscale_k8s_cli.sandbox.signature import BadSignature, Expired, Incoming, Signature, read

# By method, what is addressed (service, bucket, object) and the query's own word.
_OPERATIONS = {
    ("GET", "service", ""): "ListBuckets",
    ("PUT", "bucket", ""): "CreateBucket",
    ("HEAD", "bucket", ""): "HeadBucket",
    ("DELETE", "bucket", ""): "DeleteBucket",
    ("GET", "bucket", ""): "ListObjectsV2",
    ("GET", "bucket", "location"): "GetBucketLocation",
    ("GET", "bucket", "versions"): "ListObjectVersions",
    ("GET", "bucket", "uploads"): "ListMultipartUploads",
    ("GET", "bucket", "cors"): "GetBucketCors",
    ("PUT", "bucket", "cors"): "PutBucketCors",
    ("DELETE", "bucket", "cors"): "DeleteBucketCors",
    ("POST", "bucket", "delete"): "DeleteObjects",
    ("PUT", "object", ""): "PutObject",
    ("GET", "object", ""): "GetObject",
    ("HEAD", "object", ""): "HeadObject",
    ("DELETE", "object", ""): "DeleteObject",
    ("POST", "object", "uploads"): "CreateMultipartUpload",
    ("PUT", "object", "uploadId"): "UploadPart",
    ("POST", "object", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "object", "uploadId"): "AbortMultipartUpload",
    ("OPTIONS", "object", ""): "OptionsObject",
    ("OPTIONS", "bucket", ""): "OptionsObject",
}
_WORDS = ("location", "versions", "uploads", "cors", "delete", "uploadId")
# Where what policies allow is called otherwise than the operation.
_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteObjects": "DeleteObject",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
_READS = ("List", "Head", "Get", "Options")
_CHECKSUM_HEADERS = ("x-amz-checksum-", "x-amz-sdk-checksum", "x-amz-trailer")


@dataclass(frozen=True)
class S3Request:
    """One request. `path_style` says by what it names its bucket."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    bucket: str
    key: str
    path_style: bool
    body: bytes = b""

    @classmethod
    async def of(cls, request: web.Request, store: ObjectStore) -> S3Request:
        headers = {name.lower(): value for name, value in request.headers.items()}
        # A client that goes through a proxy sends the whole address.
        raw = request.raw_path
        target = urlsplit(raw if "://" in raw else f"http://{headers.get('host', '')}{raw}")
        bucket, path_style = _bucket_in_host(target.hostname or "", store.host), False
        path = target.path.lstrip("/")
        if not bucket:
            path_style = True
            bucket, _, path = path.partition("/")
        return cls(
            request.method,
            target.geturl(),
            headers,
            dict(parse_qsl(target.query, keep_blank_values=True)),
            unquote(bucket),
            unquote(path),
            path_style,
            await request.read(),
        )

    @property
    def operation(self) -> str:
        """S3's own word for it; empty for what the store does not know."""
        place = "object" if self.key else "bucket" if self.bucket else "service"
        word = next((word for word in _WORDS if word in self.query), "")
        return _OPERATIONS.get((self.method, place, word), "")

    @property
    def action(self) -> str:
        """What policies must allow for it."""
        return f"s3:{_ACTIONS.get(self.operation, self.operation)}"

    @property
    def writes(self) -> bool:
        return not self.operation.startswith(_READS)

    @property
    def signature(self) -> Signature | None:
        return read(Incoming(self.method, self.url, self.headers, self.body))


def _bucket_in_host(host: str, own: str) -> str:
    return host.removesuffix(f".{own}") if own and host.endswith(f".{own}") else ""


def admit(request: S3Request, store: ObjectStore) -> Key:
    """Who it is. Raises what the store answers to a request that it does not take."""
    _check_addressing(request, store)
    try:
        signature = request.signature
        if signature is None:
            raise S3Error(403, "AccessDenied", "Access Denied.")
        if Quirk.CHECKSUM_REFUSED in store.quirks:
            _refuse_checksums(request)
        _check_region(signature, store)
        key = store.admitted(signature.access_key)
        incoming = Incoming(request.method, request.url, request.headers, request.body)
        signature.verify(incoming, key.secret, datetime.now(UTC))
    except Expired as problem:
        raise S3Error(403, "RequestTimeTooSkewed", str(problem)) from problem
    except BadSignature as problem:
        raise S3Error(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ) from problem
    if (signature.token or "") != key.session:
        raise S3Error(403, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    if key.may is not None and request.bucket and not key.may(request.action, request.bucket):
        raise S3Error(403, "AccessDenied", "Access Denied.")
    if key.buckets is not None and request.bucket and request.bucket not in key.buckets:
        raise S3Error(403, "AccessDenied", "Access Denied.")
    return key


def _check_addressing(request: S3Request, store: ObjectStore) -> None:
    if not request.bucket:
        return
    if request.path_style and Quirk.VIRTUAL_HOSTED_ONLY in store.quirks:
        raise S3Error(400, "InvalidRequest", "Path-style requests are not supported.")
    if not request.path_style and Quirk.PATH_ONLY in store.quirks:
        # What in life is a name that nobody knows, through a proxy.
        raise S3Error(502, "BadGateway", "The name of this host cannot be resolved.")


def _check_region(signature: Signature, store: ObjectStore) -> None:
    if Quirk.SIGNING_REGION_CHECKED not in store.quirks or signature.version == 2:
        return
    if signature.region != store.region:
        raise S3Error(
            400,
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{signature.region}' is wrong; "
            f"expecting '{store.region}'",
            {"Region": store.region},
        )


def _refuse_checksums(request: S3Request) -> None:
    sent = [name for name in request.headers if name.startswith(_CHECKSUM_HEADERS)]
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        sent.append("content-encoding: aws-chunked")
    if sent:
        raise S3Error(400, "InvalidArgument", f"Unsupported header: {sorted(sent)[0]}")
