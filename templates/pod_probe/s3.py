"""An S3 store, Amazon's or another: spoken to as the mounted config says, or the question."""

from __future__ import annotations

import base64
import html
import ipaddress
import re
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from . import aws_credentials
from .aws_credentials import Files
from .sigv4 import Keys, signed
from .store import Store
from .wire import Answer, NoCredentials, Refused, Unlike, origin, send

_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_UPLOAD = re.compile(r"<UploadId>(.*?)</UploadId>", re.DOTALL)


def store(asked: Mapping[str, Any], environment: Mapping[str, str]) -> Store:
    """Raises what finding credentials raises."""
    files = Files.read(environment)
    endpoint = (
        environment.get("AWS_ENDPOINT_URL_S3")
        or environment.get("AWS_ENDPOINT_URL")
        or files.config.get("endpoint_url")
        or asked.get("at")
    )
    if not endpoint:
        raise NoCredentials("it is not known where the store is")
    # A store of one's own that knows roles answers for STS at its own address.
    sts = (
        environment.get("AWS_ENDPOINT_URL_STS")
        or environment.get("AWS_ENDPOINT_URL")
        or files.config.get("endpoint_url")
        or str(asked.get("tokens_at") or "")
    )
    keys, source = aws_credentials.find(environment, files, sts.rstrip("/"))
    bucket = str(asked["url"]).partition("://")[2].strip("/")
    region = files.config.get("region") or str(asked.get("region") or "")
    base = address(str(endpoint).rstrip("/"), bucket, _style(asked, environment, files))
    checksums = files.config.get("request_checksum_calculation") or asked.get("checksums")
    return _S3(keys, source, base, region, checksums != "when_required")


def _style(asked: Mapping[str, Any], environment: Mapping[str, str], files: Files) -> str:
    if environment.get("ANYSCALE_S3_USE_PATH_STYLE") == "true":
        return "path"
    return files.nested("s3").get("addressing_style") or str(asked.get("addressing") or "auto")


def address(endpoint: str, bucket: str, style: str) -> str:
    """Where the bucket is; without a say, in the host's name as far as that can be."""
    parts = urlsplit(endpoint)
    if style == "auto":
        style = "path" if _is_number(str(parts.hostname)) or "." in bucket else "virtual"
    if style == "path":
        return f"{endpoint}/{bucket}"
    return f"{parts.scheme}://{bucket}.{parts.netloc}"


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


class _S3(Store):
    in_parts = True

    def __init__(self, keys: Keys, source: str, base: str, region: str, checksums: bool) -> None:
        self.source = source
        self.at = origin(base)
        self._keys = keys
        self._base = base
        self._region = region
        self._checksums = checksums

    def put(self, key: str, content: bytes) -> None:
        self._call("PUT", key, body=content, checked=True)

    def get(self, key: str) -> bytes:
        return self._call("GET", key).body

    def keys(self, prefix: str) -> list[str]:
        query = {"list-type": "2", "prefix": prefix, "max-keys": "10"}
        text = self._call("GET", "", query).body.decode("utf-8", "replace")
        return [html.unescape(found) for found in _KEY.findall(text)]

    def delete(self, key: str) -> None:
        self._call("DELETE", key)

    def put_in_parts(self, key: str, content: bytes) -> None:
        begun = self._call("POST", key, {"uploads": ""}, b"").body.decode("utf-8", "replace")
        found = _UPLOAD.search(begun)
        if found is None:
            raise Unlike("the store began an upload in parts and did not name it")
        upload = {"uploadId": html.unescape(found[1])}
        try:
            part = self._call("PUT", key, {"partNumber": "1", **upload}, content, checked=True)
            tag = {name.lower(): value for name, value in part.headers.items()}.get("etag", "")
            self._call("POST", key, upload, _completion(tag))
        except Refused:
            self._give_up(key, upload)
            raise

    def _give_up(self, key: str, upload: dict[str, str]) -> None:
        """A right of its own, which workloads can do without."""
        try:
            self._call("DELETE", key, upload)
        except Refused:
            return

    def _call(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        checked: bool = False,
    ) -> Answer:
        url = f"{self._base}/{quote(key)}"
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        # Else Python says that it is a form, and some stores read it as one.
        headers = {} if body is None else {"Content-Type": "application/octet-stream"}
        if checked and self._checksums and body is not None:
            crc = zlib.crc32(body).to_bytes(4, "big")
            headers["x-amz-checksum-crc32"] = base64.b64encode(crc).decode()
        headers = signed(self._keys, self._region, method, url, headers, body or b"")
        return send(method, url, headers, body)


def _completion(tag: str) -> bytes:
    part = f"<Part><PartNumber>1</PartNumber><ETag>{html.escape(tag)}</ETag></Part>"
    return f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
