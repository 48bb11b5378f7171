"""What blob storage does once a request was let in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

from aiohttp import web

from anyscale_k8s_cli.sandbox.azure.blob_auth import Admission
from anyscale_k8s_cli.sandbox.azure.blob_request import BlobError, BlobRequest
from anyscale_k8s_cli.sandbox.azure.blob_store import (
    Blob,
    BlobAccount,
    Container,
    valid_container_name,
)
from anyscale_k8s_cli.sandbox.azure.directory import Principal

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_MOST_RESULTS = 5000
_MOST_RULES = 5
# What the data plane and Resource Manager call the same.
_CORS_FIELDS = {
    "AllowedOrigins": "allowedOrigins",
    "AllowedMethods": "allowedMethods",
    "AllowedHeaders": "allowedHeaders",
    "ExposedHeaders": "exposedHeaders",
    "MaxAgeInSeconds": "maxAgeInSeconds",
}


@dataclass(frozen=True)
class BlobOperations:
    """The operations of one account, by their names."""

    admission: Admission
    data: BlobAccount

    def __call__(self, request: BlobRequest, caller: Principal | None) -> web.Response:
        operations: Mapping[str, Callable[[BlobRequest], web.Response]] = {
            "ListContainers": self.list_containers,
            "GetBlobServiceProperties": self.get_properties,
            "SetBlobServiceProperties": self.set_properties,
            "SetContainerMetadata": self.set_metadata,
            "CreateContainer": self.create_container,
            "GetContainerProperties": self.get_container,
            "DeleteContainer": self.delete_container,
            "ListBlobs": self.list_blobs,
            "PutBlob": self.put_blob,
            "PutBlock": self.put_block,
            "PutBlockList": self.put_block_list,
            "GetBlob": self.get_blob,
            "GetBlobProperties": self.get_blob,
            "DeleteBlob": self.delete_blob,
        }
        if request.name == "GetUserDelegationKey":
            return self.delegation_key(request, caller)
        return operations[request.name](request)

    # -- the account ------------------------------------------------------------------

    def list_containers(self, request: BlobRequest) -> web.Response:
        prefix = request.query.get("prefix", "")
        root = Xml.Element("EnumerationResults", ServiceEndpoint=f"{request.base}/")
        parent = Xml.SubElement(root, "Containers")
        for name, container in sorted(self.data.containers.items()):
            if name.startswith(prefix):
                item = Xml.SubElement(parent, "Container")
                Xml.SubElement(item, "Name").text = name
                properties = Xml.SubElement(item, "Properties")
                _add(properties, {"Last-Modified": _date(container.created)})
                _add(properties, {"Etag": f'"{container.etag}"'})
                if "metadata" in request.query.get("include", ""):
                    _add(Xml.SubElement(item, "Metadata"), container.metadata)
        Xml.SubElement(root, "NextMarker")
        return _xml(root)

    def get_properties(self, request: BlobRequest) -> web.Response:
        root = Xml.Element("StorageServiceProperties")
        parent = Xml.SubElement(root, "Cors")
        for rule in self.data.cors:
            item = Xml.SubElement(parent, "CorsRule")
            for name, field in _CORS_FIELDS.items():
                value = rule[field]
                text = ",".join(value) if isinstance(value, list) else str(value)
                Xml.SubElement(item, name).text = text
        return _xml(root)

    def set_properties(self, request: BlobRequest) -> web.Response:
        """What is not named stays as it is."""
        cors = _parsed(request.body).find("Cors")
        if cors is not None:
            rules = [_cors_rule(item) for item in cors.findall("CorsRule")]
            if len(rules) > _MOST_RULES:
                raise BlobError(
                    400,
                    "InvalidXmlDocument",
                    f"XML specified is not valid: more than {_MOST_RULES} CORS rules.",
                )
            self.data.settings["cors"] = {"corsRules": rules}
        return web.Response(status=202)

    def delegation_key(self, request: BlobRequest, caller: Principal | None) -> web.Response:
        """A key for signatures in the name of whoever signed in; keys cannot ask for it."""
        if caller is None or "authorization" not in request.headers:
            raise BlobError(
                403,
                "AuthenticationFailed",
                "Only authentication scheme Bearer is supported for this operation.",
            )
        root = _parsed(request.body)
        start, expiry = (_moment(root.findtext(name) or "") for name in ("Start", "Expiry"))
        version = request.headers.get("x-ms-version", "")
        key = self.admission.delegate(self.data.name, caller, start, expiry, version)
        answer = Xml.Element("UserDelegationKey")
        _add(answer, key)
        return _xml(answer)

    # -- containers -----------------------------------------------------------------------

    def create_container(self, request: BlobRequest) -> web.Response:
        name = request.container
        if not valid_container_name(name):
            raise BlobError(
                400,
                "InvalidResourceName",
                "The specified resource name contains invalid characters.",
            )
        if name in self.data.containers:
            raise BlobError(
                409, "ContainerAlreadyExists", "The specified container already exists."
            )
        if self.data.still_being_deleted(name):
            raise BlobError(
                409,
                "ContainerBeingDeleted",
                "The specified container is being deleted. Try operation later.",
            )
        container = self.data.add_container(name, metadata=_metadata(request))
        return web.Response(status=201, headers=_container_headers(container))

    def get_container(self, request: BlobRequest) -> web.Response:
        container = self._container(request)
        metadata = {f"x-ms-meta-{key}": value for key, value in container.metadata.items()}
        return web.Response(headers={**_container_headers(container), **metadata})

    def set_metadata(self, request: BlobRequest) -> web.Response:
        container = self._container(request)
        container.metadata = _metadata(request)
        return web.Response(headers=_container_headers(container))

    def delete_container(self, request: BlobRequest) -> web.Response:
        self._container(request)
        self.data.remove_container(request.container)
        return web.Response(status=202)

    def list_blobs(self, request: BlobRequest) -> web.Response:
        container, query = self._container(request), request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        most = int(query.get("maxresults") or _MOST_RESULTS)
        names = sorted(name for name in container.blobs if name.startswith(prefix))
        entries = _grouped(names, prefix, delimiter)
        later = [entry for entry in entries if entry >= query.get("marker", "")]
        root = Xml.Element(
            "EnumerationResults",
            ServiceEndpoint=f"{request.base}/{self.data.name}/",
            ContainerName=request.container,
        )
        _add(root, {"Prefix": prefix, "MaxResults": str(most), "Delimiter": delimiter})
        parent = Xml.SubElement(root, "Blobs")
        for entry in later[:most]:
            if entry not in container.blobs:
                _add(Xml.SubElement(parent, "BlobPrefix"), {"Name": entry})
                continue
            _add_blob(parent, entry, container.blobs[entry])
        Xml.SubElement(root, "NextMarker").text = later[most] if len(later) > most else None
        return _xml(root)

    def _container(self, request: BlobRequest) -> Container:
        found = self.data.containers.get(request.container)
        if found is None:
            raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
        return found

    # -- blobs ------------------------------------------------------------------------------

    def put_blob(self, request: BlobRequest) -> web.Response:
        container = self._container(request)
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise BlobError(
                400,
                "InvalidHeaderValue",
                "The value for one of the HTTP headers is not in the correct format: "
                "x-ms-blob-type is BlockBlob here.",
            )
        self._check_conditions(request, container.blobs.get(request.blob))
        return self._store(request, container, request.body)

    def put_block(self, request: BlobRequest) -> web.Response:
        container = self._container(request)
        blocks = container.blocks.setdefault(request.blob, {})
        blocks[request.query.get("blockid", "")] = request.body
        return web.Response(status=201, headers={"x-ms-request-server-encrypted": "true"})

    def put_block_list(self, request: BlobRequest) -> web.Response:
        container = self._container(request)
        self._check_conditions(request, container.blobs.get(request.blob))
        blocks = container.blocks.pop(request.blob, {})
        wanted = [item.text or "" for item in _parsed(request.body)]
        if any(block not in blocks for block in wanted):
            raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.")
        return self._store(request, container, b"".join(blocks[block] for block in wanted))

    def _store(self, request: BlobRequest, container: Container, content: bytes) -> web.Response:
        kind = request.headers.get("x-ms-blob-content-type") or request.headers.get("content-type")
        blob = self.data.put(container, request.blob, content, kind or "")
        headers = {
            "ETag": f'"{blob.etag}"',
            "Last-Modified": _date(blob.modified),
            "Content-MD5": blob.md5,
            "x-ms-request-server-encrypted": "true",
        }
        return web.Response(status=201, headers=headers)

    def get_blob(self, request: BlobRequest) -> web.Response:
        blob = self._blob(request)
        headers = {
            "Content-Type": blob.content_type,
            "ETag": f'"{blob.etag}"',
            "Last-Modified": _date(blob.modified),
            "x-ms-creation-time": _date(blob.modified),
            "x-ms-blob-type": "BlockBlob",
            "x-ms-lease-status": "unlocked",
            "x-ms-lease-state": "available",
            "x-ms-server-encrypted": "true",
            "Accept-Ranges": "bytes",
        }
        if request.method == "HEAD":
            headers |= {"Content-Length": str(len(blob.content)), "Content-MD5": blob.md5}
            return web.Response(headers=headers)
        wanted = request.headers.get("x-ms-range") or request.headers.get("range")
        part = _RANGE.fullmatch(wanted or "")
        if part is None:
            return web.Response(body=blob.content, headers={**headers, "Content-MD5": blob.md5})
        return _part(blob, int(part[1]), part[2], headers)

    def delete_blob(self, request: BlobRequest) -> web.Response:
        self._blob(request)
        del self._container(request).blobs[request.blob]
        return web.Response(status=202, headers={"x-ms-delete-type-permanent": "true"})

    def _blob(self, request: BlobRequest) -> Blob:
        found = self._container(request).blobs.get(request.blob)
        if found is None:
            raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
        self._check_conditions(request, found)
        return found

    @staticmethod
    def _check_conditions(request: BlobRequest, blob: Blob | None) -> None:
        none_match, match = (request.headers.get(n, "") for n in ("if-none-match", "if-match"))
        if none_match == "*" and blob is not None and request.writes:
            raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
        if match and (blob is None or match not in ("*", f'"{blob.etag}"')):
            raise BlobError(
                412,
                "ConditionNotMet",
                "The condition specified using HTTP conditional header(s) is not met.",
            )


def _part(blob: Blob, first: int, last: str, headers: dict[str, str]) -> web.Response:
    size = len(blob.content)
    if first >= size:
        raise BlobError(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
            {"Content-Range": f"bytes */{size}"},
        )
    end = min(int(last) if last else size - 1, size - 1)
    headers["Content-Range"] = f"bytes {first}-{end}/{size}"
    return web.Response(status=206, body=blob.content[first : end + 1], headers=headers)


def _grouped(names: Iterable[str], prefix: str, delimiter: str) -> list[str]:
    """Names, or with a delimiter what they begin with up to it."""
    if not delimiter:
        return list(names)
    found = set()
    for name in names:
        head, separator, _ = name[len(prefix) :].partition(delimiter)
        found.add(prefix + head + separator)
    return sorted(found)


def _add_blob(parent: Xml.Element, name: str, blob: Blob) -> None:
    item = Xml.SubElement(parent, "Blob")
    _add(item, {"Name": name})
    _add(
        Xml.SubElement(item, "Properties"),
        {
            "Creation-Time": _date(blob.modified),
            "Last-Modified": _date(blob.modified),
            "Etag": blob.etag,
            "Content-Length": str(len(blob.content)),
            "Content-Type": blob.content_type,
            "Content-MD5": blob.md5,
            "BlobType": "BlockBlob",
            "AccessTier": "Hot",
            "LeaseStatus": "unlocked",
            "LeaseState": "available",
            "ServerEncrypted": "true",
        },
    )


def _add(parent: Xml.Element, children: Mapping[str, str]) -> None:
    for name, text in children.items():
        Xml.SubElement(parent, name).text = text


def _xml(root: Xml.Element) -> web.Response:
    body = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return web.Response(body=body, content_type="application/xml")


def _parsed(body: bytes) -> Xml.Element:
    try:
        return Xml.fromstring(body)  # noqa: S314 - from our own user, on loopback
    except Xml.ParseError:
        raise BlobError(
            400, "InvalidXmlDocument", "XML specified is not syntactically valid."
        ) from None


def _cors_rule(item: Xml.Element) -> dict[str, Any]:
    said = {field: item.findtext(name) or "" for name, field in _CORS_FIELDS.items()}
    lists = {field: [part for part in text.split(",") if part] for field, text in said.items()}
    return {**lists, "maxAgeInSeconds": int(said["maxAgeInSeconds"] or 0)}


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise BlobError(
            400,
            "InvalidXmlNodeValue",
            "The value for one of the XML nodes is not in the correct format.",
        ) from None


def _metadata(request: BlobRequest) -> dict[str, str]:
    prefix = "x-ms-meta-"
    return {
        name.removeprefix(prefix): value
        for name, value in request.headers.items()
        if name.startswith(prefix)
    }


def _container_headers(container: Container) -> dict[str, str]:
    return {
        "ETag": f'"{container.etag}"',
        "Last-Modified": _date(container.created),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
    }


def _date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)
