"""Signature Version 4, as S3 wants it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Keys:
    """`token` is that of temporary ones, empty for others."""

    access_key: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def signed(
    keys: Keys,
    region: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    moment: str | None = None,
) -> dict[str, str]:
    """The headers to send; `url` is quoted as it will be sent, its query too.

    `moment` (`20260131T120000Z`) is now unless it is given.
    """
    moment = moment or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    parts, digest = urlsplit(url), hashlib.sha256(body).hexdigest()
    all_headers = {**headers, "x-amz-date": moment, "x-amz-content-sha256": digest}
    if keys.token:
        all_headers["x-amz-security-token"] = keys.token
    covered = {name.lower(): " ".join(value.split()) for name, value in all_headers.items()}
    covered["host"] = parts.netloc
    names = ";".join(sorted(covered))
    canonical = "\n".join(
        (
            method,
            parts.path or "/",
            _canonical(parts.query),
            *(f"{name}:{covered[name]}" for name in sorted(covered)),
            "",
            names,
            digest,
        )
    )
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, moment, scope, hashed))
    signature = hmac.new(_signing_key(keys.secret, scope), text.encode(), hashlib.sha256)
    all_headers["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={signature.hexdigest()}"
    )
    return all_headers


def _canonical(query: str) -> str:
    """Sorted, and each with its `=`."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return "&".join(sorted(f"{name}={value}" for name, _, value in pairs))


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
