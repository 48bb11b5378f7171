"""What the store does with a request that it takes."""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as Xml
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from xml.sax.saxutils import escape

from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error
from anyscale_k8s_cli.sandbox.objectstore.requests import S3Request
from anyscale_k8s_cli.sandbox.objectstore.state import (
    Bucket,
    ObjectStore,
    Quirk,
    StoredObject,
    Upload,
)

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 1000


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def perform(request: S3Request, store: ObjectStore) -> Answer:
    """Do it. Raises `S3Error`."""
    action = _ACTIONS.get(request.operation)
    if action is None:
        raise S3Error(501, "NotImplemented", "This operation is not implemented by this store.")
    with store.lock:
        return action(request, store)


def _list_buckets(_: S3Request, store: ObjectStore) -> Answer:
    items = "".join(
        f"<Bucket><Name>{name}</Name><CreationDate>{_time(bucket)}</CreationDate></Bucket>"
        for name, bucket in sorted(store.buckets.items())
    )
    return _xml("ListAllMyBucketsResult", f"<Buckets>{items}</Buckets>")


def _create_bucket(request: S3Request, store: ObjectStore) -> Answer:
    if Quirk.NO_BUCKET_CREATION in store.quirks:
        raise S3Error(403, "AccessDenied", "Access Denied.")
    wanted = _text(_parsed(request.body), "LocationConstraint") if request.body else ""
    if wanted and wanted != store.region:
        raise S3Error(400, "InvalidLocationConstraint", f"There is no location {wanted}.")
    store.create_bucket(request.bucket)
    return Answer(headers={"Location": f"/{request.bucket}"})


def _head_bucket(request: S3Request, store: ObjectStore) -> Answer:
    store.bucket(request.bucket)
    return Answer(headers={"x-amz-bucket-region": store.region})


def _delete_bucket(request: S3Request, store: ObjectStore) -> Answer:
    store.delete_bucket(request.bucket)
    return Answer(204)


def _location(request: S3Request, store: ObjectStore) -> Answer:
    store.bucket(request.bucket)
    return _xml("LocationConstraint", escape(store.region))


def _page(request: S3Request, bucket: Bucket) -> tuple[list[str], bool]:
    """The keys that are asked for, and whether there are more."""
    query = request.query
    after = query.get("continuation-token") or query.get("start-after") or query.get("key-marker")
    keys = sorted(
        key
        for key in bucket.objects
        if key.startswith(query.get("prefix", "")) and key > (after or "")
    )
    size = min(int(query.get("max-keys") or _PAGE), _PAGE)
    return keys[:size], len(keys) > size


def _list_objects(request: S3Request, store: ObjectStore) -> Answer:
    bucket = store.bucket(request.bucket)
    keys, more = _page(request, bucket)
    items = "".join(f"<Contents>{_entry(bucket, key)}</Contents>" for key in keys)
    follows = f"<NextContinuationToken>{escape(keys[-1])}</NextContinuationToken>" if more else ""
    return _xml(
        "ListBucketResult",
        f"<Name>{bucket.name}</Name><KeyCount>{len(keys)}</KeyCount>{_truncated(more)}"
        f"{follows}{items}",
    )


def _list_versions(request: S3Request, store: ObjectStore) -> Answer:
    """Nothing is versioned: each object has the version `null`."""
    bucket = store.bucket(request.bucket)
    keys, more = _page(request, bucket)
    items = "".join(
        f"<Version>{_entry(bucket, key)}<VersionId>null</VersionId>"
        "<IsLatest>true</IsLatest></Version>"
        for key in keys
    )
    follows = (
        f"<NextKeyMarker>{escape(keys[-1])}</NextKeyMarker>"
        "<NextVersionIdMarker>null</NextVersionIdMarker>"
        if more
        else ""
    )
    return _xml("ListVersionsResult", f"{_truncated(more)}{follows}{items}")


def _list_uploads(request: S3Request, store: ObjectStore) -> Answer:
    uploads = store.bucket(request.bucket).uploads
    items = "".join(
        f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{upload_id}</UploadId></Upload>"
        for upload_id, upload in sorted(uploads.items())
    )
    return _xml("ListMultipartUploadsResult", f"{_truncated(False)}{items}")


# -- objects -----------------------------------------------------------------------


def _put(request: S3Request, store: ObjectStore) -> Answer:
    made = StoredObject.of(request.body, request.headers.get("content-type", ""))
    store.bucket(request.bucket).objects[request.key] = made
    return Answer(headers={"ETag": f'"{made.etag}"'})


def _get(request: S3Request, store: ObjectStore) -> Answer:
    found = store.bucket(request.bucket).objects.get(request.key)
    if found is None:
        raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
    headers = {
        "ETag": f'"{found.etag}"',
        "Content-Type": found.content_type,
        "Last-Modified": f"{found.modified:%a, %d %b %Y %H:%M:%S GMT}",
        "Accept-Ranges": "bytes",
    }
    return Answer(body=found.content, headers=headers)


def _delete(request: S3Request, store: ObjectStore) -> Answer:
    store.bucket(request.bucket).objects.pop(request.key, None)
    return Answer(204)


def _delete_many(request: S3Request, store: ObjectStore) -> Answer:
    bucket = store.bucket(request.bucket)
    _check_digest(request)
    kept = ""
    for item in _all(_parsed(request.body), "Object"):
        key = _text(item, "Key")
        if key in bucket.held:
            kept += (
                f"<Error><Key>{escape(key)}</Key><Code>AccessDenied</Code>"
                "<Message>The object is locked.</Message></Error>"
            )
        else:
            bucket.objects.pop(key, None)
    return _xml("DeleteResult", kept)


def _check_digest(request: S3Request) -> None:
    """These calls must tell a digest of their body."""
    told = [name for name in request.headers if name.startswith("x-amz-checksum-")]
    if "content-md5" not in request.headers and not told:
        raise S3Error(
            400, "InvalidRequest", "Missing required header for this request: Content-MD5"
        )


def _begin_upload(request: S3Request, store: ObjectStore) -> Answer:
    upload_id = secrets.token_hex(16)
    store.bucket(request.bucket).uploads[upload_id] = Upload(request.key)
    return _xml(
        "InitiateMultipartUploadResult",
        f"<Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key>"
        f"<UploadId>{upload_id}</UploadId>",
    )


def _upload(request: S3Request, store: ObjectStore) -> Upload:
    found = store.bucket(request.bucket).uploads.get(request.query["uploadId"])
    if found is None or found.key != request.key:
        raise S3Error(404, "NoSuchUpload", "The specified upload does not exist.")
    return found


def _put_part(request: S3Request, store: ObjectStore) -> Answer:
    _upload(request, store).parts[int(request.query["partNumber"])] = request.body
    return Answer(headers={"ETag": f'"{StoredObject.of(request.body).etag}"'})


def _finish_upload(request: S3Request, store: ObjectStore) -> Answer:
    upload = _upload(request, store)
    wanted = [int(_text(part, "PartNumber")) for part in _all(_parsed(request.body), "Part")]
    if not wanted or any(number not in upload.parts for number in wanted):
        raise S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.")
    bucket = store.bucket(request.bucket)
    made = StoredObject.of(b"".join(upload.parts[number] for number in wanted))
    bucket.objects[request.key] = made
    del bucket.uploads[request.query["uploadId"]]
    return _xml(
        "CompleteMultipartUploadResult",
        f"<Bucket>{request.bucket}</Bucket><Key>{escape(request.key)}</Key>"
        f"<ETag>&quot;{made.etag}-{len(wanted)}&quot;</ETag>",
    )


def _abort_upload(request: S3Request, store: ObjectStore) -> Answer:
    _upload(request, store)
    del store.bucket(request.bucket).uploads[request.query["uploadId"]]
    return Answer(204)


# -- CORS -----------------------------------------------------------------------------

_RULE_FIELDS = ("ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader")


def _has_cors(store: ObjectStore) -> None:
    if Quirk.NO_CORS in store.quirks:
        raise S3Error(501, "NotImplemented", "This operation is not implemented by this store.")


def _get_cors(request: S3Request, store: ObjectStore) -> Answer:
    _has_cors(store)
    rules = store.bucket(request.bucket).cors
    if not rules:
        raise S3Error(404, "NoSuchCORSConfiguration", "The CORS configuration does not exist.")
    return _xml("CORSConfiguration", "".join(_rule_xml(rule) for rule in rules))


def _rule_xml(rule: Mapping[str, list[str]]) -> str:
    inner = "".join(
        f"<{name}>{escape(text)}</{name}>" for name, texts in rule.items() for text in texts
    )
    return f"<CORSRule>{inner}</CORSRule>"


def _put_cors(request: S3Request, store: ObjectStore) -> Answer:
    _has_cors(store)
    bucket = store.bucket(request.bucket)
    _check_digest(request)
    bucket.cors = [
        {
            name: [found.text or "" for found in _all(rule, name)]
            for name in (*_RULE_FIELDS, "MaxAgeSeconds")
            if _all(rule, name)
        }
        for rule in _all(_parsed(request.body), "CORSRule")
    ]
    return Answer()


def _delete_cors(request: S3Request, store: ObjectStore) -> Answer:
    _has_cors(store)
    store.bucket(request.bucket).cors = []
    return Answer(204)


def browser_headers(request: S3Request, store: ObjectStore) -> dict[str, str]:
    """What an answer carries for a browser that the bucket's rules let in."""
    origin = request.headers.get("origin", "")
    bucket = store.buckets.get(request.bucket)
    if not origin or bucket is None:
        return {}
    method = request.headers.get("access-control-request-method") or request.method
    for rule in bucket.cors:
        origins = rule.get("AllowedOrigin", [])
        if method in rule.get("AllowedMethod", []) and any(
            fnmatchcase(origin, pattern) for pattern in origins
        ):
            exposed = ", ".join(rule.get("ExposeHeader", []))
            return {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": ", ".join(rule.get("AllowedMethod", [])),
                "Access-Control-Allow-Headers": ", ".join(rule.get("AllowedHeader", [])),
                "Vary": "Origin",
                **({"Access-Control-Expose-Headers": exposed} if exposed else {}),
            }
    return {}


def _preflight(request: S3Request, store: ObjectStore) -> Answer:
    if not browser_headers(request, store):
        raise S3Error(403, "AccessForbidden", "CORSResponse: This CORS request is not allowed.")
    return Answer()


Action = Callable[[S3Request, ObjectStore], Answer]
_ACTIONS: Mapping[str, Action] = {
    "ListBuckets": _list_buckets,
    "CreateBucket": _create_bucket,
    "HeadBucket": _head_bucket,
    "DeleteBucket": _delete_bucket,
    "GetBucketLocation": _location,
    "ListObjectsV2": _list_objects,
    "ListObjectVersions": _list_versions,
    "ListMultipartUploads": _list_uploads,
    "GetBucketCors": _get_cors,
    "PutBucketCors": _put_cors,
    "DeleteBucketCors": _delete_cors,
    "DeleteObjects": _delete_many,
    "PutObject": _put,
    "GetObject": _get,
    "HeadObject": _get,
    "DeleteObject": _delete,
    "CreateMultipartUpload": _begin_upload,
    "UploadPart": _put_part,
    "CompleteMultipartUpload": _finish_upload,
    "AbortMultipartUpload": _abort_upload,
    "OptionsObject": _preflight,
}


# -- XML ------------------------------------------------------------------------------


def _xml(root: str, inner: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">{inner}</{root}>'
    return Answer(body=text.encode(), headers={"Content-Type": "application/xml"})


def _entry(bucket: Bucket, key: str) -> str:
    item = bucket.objects[key]
    return (
        f"<Key>{escape(key)}</Key><LastModified>{item.modified:%Y-%m-%dT%H:%M:%S.000Z}"
        f"</LastModified><ETag>&quot;{item.etag}&quot;</ETag><Size>{len(item.content)}</Size>"
    )


def _truncated(more: bool) -> str:
    return f"<IsTruncated>{str(more).lower()}</IsTruncated>"


def _time(bucket: Bucket) -> str:
    return f"{bucket.created:%Y-%m-%dT%H:%M:%S.000Z}"


def _parsed(body: bytes) -> Xml.Element:
    try:
        return Xml.fromstring(body)  # noqa: S314 - from clients of this very machine
    except Xml.ParseError as problem:
        raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed.") from problem


def _all(element: Xml.Element, name: str) -> list[Xml.Element]:
    return [item for item in element.iter() if item.tag.rpartition("}")[2] == name]


def _text(element: Xml.Element, name: str) -> str:
    found: Iterable[Xml.Element] = _all(element, name)
    return next((item.text or "" for item in found), "")
