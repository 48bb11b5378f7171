"""The storage API: objects, and the three ways to upload one.

https://cloud.google.com/storage/docs/json_api/v1/objects
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply
from anyscale_k8s_cli.sandbox.google.buckets import Bucket, moment
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, invalid, not_found
from anyscale_k8s_cli.sandbox.google.objects import Stored, crc32c
from anyscale_k8s_cli.sandbox.google.storage_access import (
    READ,
    WRITE,
    StorageAccess,
    check_precondition,
)
from anyscale_k8s_cli.sandbox.google.tokens import encoded

_ALL = "/storage/v1/b/{bucket:[^/]+}/o"
_ONE = _ALL + "/{object:.+}"
_UPLOAD = "/upload" + _ALL
_DOWNLOAD = "/download" + _ONE
_PAGE = 1000
_LONGEST_NAME = 1024
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_OCTETS = "application/octet-stream"


@dataclass
class _Upload:
    """A resumable upload that has begun. `start` is the call that began it."""

    bucket: Bucket
    resource: Mapping[str, Any]
    start: Call
    content: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class ObjectApi:
    access: StorageAccess
    uploads: dict[str, _Upload] = field(default_factory=dict)

    def methods(self) -> tuple[Method, ...]:
        return (
            Method("storage.objects.list", "GET", _ALL, self._list, scopes=READ),
            Method("storage.objects.get", "GET", _ONE, self._get, scopes=READ),
            Method("storage.objects.get", "GET", _DOWNLOAD, self._get, scopes=READ),
            Method(
                "storage.objects.delete", "DELETE", _ONE, self._delete, write=True, scopes=WRITE
            ),
            Method(
                "storage.objects.insert",
                "POST",
                _UPLOAD,
                self._insert,
                write=True,
                secret=True,
                scopes=WRITE,
            ),
            # The address that a resumable upload was given is all the proof that it needs.
            Method(
                "storage.objects.insert",
                "PUT",
                _UPLOAD,
                self._go_on,
                write=True,
                secret=True,
                open=True,
            ),
        )

    def _list(self, call: Call) -> Reply:
        bucket = self._bucket(call, "storage.objects.list")
        prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
        items: list[dict[str, Any]] = []
        prefixes: dict[str, None] = {}
        shown: list[tuple[Stored, datetime | None]]
        if call.flag("softDeleted"):
            shown = [(stored, None) for stored, _ in bucket.objects.soft_deleted]
        else:
            versions = call.flag("versions")
            shown = list(bucket.objects.listed(versions=versions))
        for stored, deleted in shown:
            if not stored.name.startswith(prefix):
                continue
            end = stored.name.find(delimiter, len(prefix)) if delimiter else -1
            if end >= 0:
                prefixes[stored.name[: end + len(delimiter)]] = None
                continue
            resource = self._shown(bucket, stored)
            items.append({**resource, "timeDeleted": moment(deleted)} if deleted else resource)
        places = [(item["name"], int(item["generation"])) for item in items]
        # A page begins after an object, which may be gone by now.
        token = call.query.get("pageToken")
        start = bisect_right(places, _place(token)) if token else 0
        end = start + min(int(call.query.get("maxResults") or _PAGE), _PAGE)
        found: dict[str, Any] = {"kind": "storage#objects", "prefixes": list(prefixes)}
        found["items"] = items[start:end]
        if end < len(items):
            found["nextPageToken"] = encoded(json.dumps(places[end - 1]).encode())
        return Reply(found)

    def _get(self, call: Call) -> Reply:
        bucket, stored = self._found(call, "storage.objects.get")
        check_precondition(call, "Generation", stored.generation)
        if call.query.get("alt") == "media":
            return media(stored, call)
        return Reply(self._shown(bucket, stored))

    def _delete(self, call: Call) -> Reply:
        bucket, stored = self._found(call, "storage.objects.delete")
        check_precondition(call, "Generation", stored.generation)
        bucket.objects.delete(
            stored.name,
            _generation(call),
            self.access.buckets.clock(),
            versioned=bucket.versioned,
            soft_delete=bool(bucket.soft_delete),
        )
        return Reply(status=204)

    def _insert(self, call: Call) -> Reply:
        bucket = self.access.buckets.get(call.params["bucket"])
        kind = call.query.get("uploadType", "")
        if kind == "media":
            given = {"name": call.query.get("name", "")}
            return self._store(call, bucket, given, call.body, call.headers.get("Content-Type", ""))
        if kind == "multipart":
            resource, content, content_type = _parts(call)
            return self._store(call, bucket, resource, content, content_type)
        if kind == "resumable":
            return self._start(call, bucket)
        raise invalid(f"Unknown upload type: {kind}")

    def _start(self, call: Call, bucket: Bucket) -> Reply:
        self.access.check(call.caller, "storage.objects.create", bucket)
        resource = {"name": call.query.get("name", ""), **call.content}
        resource.setdefault("contentType", call.headers.get("X-Upload-Content-Type", _OCTETS))
        number = secrets.token_urlsafe(32)
        self.uploads[number] = _Upload(bucket, resource, call)
        address = f"{call.base}/upload/storage/v1/b/{bucket.name}/o"
        location = f"{address}?uploadType=resumable&upload_id={number}"
        return Reply(headers={"Location": location, "X-GUploader-UploadID": number})

    def _go_on(self, call: Call) -> Reply:
        number = call.query.get("upload_id", "")
        upload = self.uploads.get(number)
        if upload is None:
            raise not_found("The upload is not known or is over.")
        there = _CONTENT_RANGE.fullmatch(call.headers.get("Content-Range", ""))
        if there is None:
            # All of it at once.
            upload.content[:] = call.body
            total = str(len(call.body))
        else:
            first, _, total = there.groups()
            if first is not None:
                if int(first) > len(upload.content):
                    raise GoogleError("UNAVAILABLE", "Invalid request. There is a gap.")
                upload.content[int(first) :] = call.body
        if total == "*" or len(upload.content) < int(total):
            held = {"Range": f"bytes=0-{len(upload.content) - 1}"} if upload.content else {}
            return Reply(status=308, headers=held)
        reply = self._store(
            upload.start,
            upload.bucket,
            upload.resource,
            bytes(upload.content),
            str(upload.resource["contentType"]),
        )
        del self.uploads[number]
        return reply

    def _store(
        self,
        call: Call,
        bucket: Bucket,
        resource: Mapping[str, Any],
        content: bytes,
        content_type: str,
    ) -> Reply:
        name = str(resource.get("name") or call.query.get("name") or "")
        stored = put_object(self.access, call, bucket, name, content, content_type, resource)
        return Reply(self._shown(bucket, stored))

    def _bucket(self, call: Call, permission: str) -> Bucket:
        bucket = self.access.buckets.get(call.params["bucket"])
        self.access.check(call.caller, permission, bucket)
        return bucket

    def _found(self, call: Call, permission: str) -> tuple[Bucket, Stored]:
        bucket = self._bucket(call, permission)
        name = call.params["object"]
        stored = bucket.objects.find(name, _generation(call))
        if stored is None:
            raise not_found(f"No such object: {bucket.name}/{name}")
        return bucket, stored

    def _shown(self, bucket: Bucket, stored: Stored) -> dict[str, Any]:
        path = f"storage/v1/b/{bucket.name}/o/{quote(stored.name, safe='')}"
        found: dict[str, Any] = {
            "kind": "storage#object",
            "id": f"{bucket.name}/{stored.name}/{stored.generation}",
            "selfLink": f"https://www.googleapis.com/{path}",
            "name": stored.name,
            "bucket": bucket.name,
            "generation": str(stored.generation),
            "metageneration": "1",
            "contentType": stored.content_type,
            "storageClass": bucket.settings["storageClass"],
            "size": str(len(stored.content)),
            "md5Hash": stored.md5,
            "crc32c": stored.crc32c,
            "etag": f"C{stored.generation % 10**8:08d}EAE=",
            "timeCreated": moment(stored.created_at),
            "updated": moment(stored.created_at),
        }
        return {**found, "metadata": dict(stored.metadata)} if stored.metadata else found


def put_object(
    access: StorageAccess,
    call: Call,
    bucket: Bucket,
    name: str,
    content: bytes,
    content_type: str,
    resource: Mapping[str, Any],
) -> Stored:
    """Store an object, for whoever may create one and, over another, delete that one too."""
    access.check(call.caller, "storage.objects.create", bucket)
    if not name or len(name.encode()) > _LONGEST_NAME or name in (".", ".."):
        raise invalid("Required" if not name else "The name of the object is not valid.")
    present = bucket.objects.find(name)
    if present is not None:
        access.check(call.caller, "storage.objects.delete", bucket)
    check_precondition(call, "Generation", present.generation if present else 0)
    sent = resource.get("crc32c")
    if sent and sent != Stored(name, 0, content, "", access.buckets.clock()).crc32c:
        raise invalid(
            f'Provided CRC32C "{sent}" doesn\'t match calculated CRC32C "{crc32c(content)}".'
        )
    return bucket.objects.put(
        name,
        content,
        str(resource.get("contentType") or content_type or _OCTETS),
        access.buckets.clock(),
        metadata=tuple((resource.get("metadata") or {}).items()),
        versioned=bucket.versioned,
        soft_delete=bool(bucket.soft_delete),
    )


def _place(token: str) -> tuple[str, int]:
    try:
        name, generation = json.loads(base64.b64decode(token, validate=True))
    except ValueError:
        raise invalid("Invalid argument.") from None
    return str(name), int(generation)


def media(stored: Stored, call: Call) -> Reply:
    """An object's content, or the part of it that was asked for."""
    size = len(stored.content)
    headers = {
        "Content-Type": stored.content_type,
        "ETag": f'"{stored.md5}"',
        "X-Goog-Generation": str(stored.generation),
        "X-Goog-Metageneration": "1",
        "X-Goog-Hash": f"crc32c={stored.crc32c},md5={stored.md5}",
        "X-Goog-Stored-Content-Encoding": "identity",
        "X-Goog-Stored-Content-Length": str(size),
        "Accept-Ranges": "bytes",
    }
    wanted = _RANGE.fullmatch(call.headers.get("Range", ""))
    if wanted is None:
        return Reply(stored.content, headers=headers)
    first = int(wanted[1])
    last = min(int(wanted[2]), size - 1) if wanted[2] else size - 1
    if first >= size:
        raise GoogleError("RANGE_NOT_SATISFIABLE", "Request range not satisfiable")
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Reply(stored.content[first : last + 1], status=206, headers=headers)


def _generation(call: Call) -> int | None:
    given = call.query.get("generation")
    return int(given) if given else None


def _parts(call: Call) -> tuple[dict[str, Any], bytes, str]:
    """The resource, the content and its type, of a multipart/related body."""
    found = re.search(r'boundary="?([^";]+)"?', call.headers.get("Content-Type", ""))
    if found is None:
        raise invalid("The multipart request has no boundary.")
    parts = call.body.split(b"--" + found[1].encode())
    if len(parts) < 4:
        raise invalid("The multipart request must have two parts.")
    heads, bodies = zip(*(part[2:].split(b"\r\n\r\n", 1) for part in parts[1:3]), strict=True)
    try:
        resource = json.loads(bodies[0])
    except ValueError:
        raise invalid("The first part of the multipart request is not JSON.") from None
    content_type = re.search(rb"content-type:\s*(\S+)", heads[1], re.IGNORECASE)
    # The line break before a boundary belongs to it.
    return resource, bodies[1][:-2], content_type[1].decode() if content_type else ""
