"""Signatures of requests, as Oracle's services check them.

https://docs.oracle.com/iaas/Content/API/Concepts/signingrequests.htm
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from anyscale_k8s_cli.sandbox import rsa_keys
from anyscale_k8s_cli.sandbox.oci.refusals import Refused, not_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

SKEW = timedelta(minutes=5)
# A signed request to the cluster is a token for four minutes.
TOKEN_LIFETIME = timedelta(minutes=4)
_PARTS = re.compile(r'(\w+)="([^"]*)"')
_NEEDED = ("date", "(request-target)", "host")
_NEEDED_WITH_BODY = ("content-length", "content-type", "x-content-sha256")


@dataclass(frozen=True)
class Request:
    """A request as it stood on the wire: `target` undecoded, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class ApiKey:
    """A user's signing key, made at its first use."""

    @cached_property
    def private(self) -> RSAPrivateKey:
        return rsa_keys.new()

    @cached_property
    def pem(self) -> str:
        from cryptography.hazmat.primitives import serialization

        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @cached_property
    def fingerprint(self) -> str:
        from cryptography.hazmat.primitives import serialization

        der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashlib.md5(der, usedforsecurity=False).hexdigest()
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


@dataclass
class Keys:
    """The public halves of signing keys, by `tenancy/user/fingerprint`."""

    clock: Callable[[], datetime]
    _found: dict[str, tuple[str, RSAPublicKey]] = field(default_factory=dict)

    def add(self, tenancy: str, user: str, key: ApiKey) -> None:
        public = key.private.public_key()
        self._found[f"{tenancy}/{user}/{key.fingerprint}"] = (user, public)

    def remove_all(self, user: str) -> None:
        self._found = {name: found for name, found in self._found.items() if found[0] != user}

    def caller(self, request: Request, longest: timedelta = SKEW) -> str:
        """Whoever has signed a request. Raises `Refused`."""
        said = dict(_PARTS.findall(request.headers.get("authorization", "")))
        signed = said.get("headers", "").split()
        needed = list(_NEEDED)
        if request.method in ("POST", "PUT", "PATCH"):
            needed += _NEEDED_WITH_BODY
            self._check_body(request)
        if missing := [name for name in needed if name not in signed]:
            raise not_signed(f"not signed: {', '.join(missing)}")
        if said.get("algorithm") != "rsa-sha256":
            raise not_signed("the algorithm must be rsa-sha256")
        self._check_date(request, longest)
        found = self._found.get(said.get("keyId", ""))
        if found is None:
            raise not_signed("the key is not known")
        user, public = found
        _verify(public, said.get("signature", ""), _text(request, signed))
        return user

    def bearer(self, token: str, cluster: str, host: str) -> str:
        """Whoever has signed the request that a cluster's token is. Raises `Refused`."""
        try:
            url = base64.urlsafe_b64decode(token.encode()).decode()
        except (binascii.Error, UnicodeError, ValueError) as problem:
            raise not_signed("not a token of a cluster") from problem
        split = urlsplit(url)
        query = parse_qs(split.query)
        if split.netloc != host or not split.path.endswith(f"/cluster_request/{cluster}"):
            raise not_signed("the token is for another cluster")
        headers = {name: values[0] for name, values in query.items()}
        request = Request("GET", split.path, {**headers, "host": split.netloc})
        return self.caller(request, TOKEN_LIFETIME)

    def _check_date(self, request: Request, longest: timedelta) -> None:
        try:
            sent = parsedate_to_datetime(request.headers.get("date", ""))
        except ValueError as problem:
            raise not_signed("the date cannot be read") from problem
        if abs(self.clock() - sent) > longest:
            now = format_datetime(self.clock(), usegmt=True)
            raise not_signed(f"the date is too far from {now}")

    @staticmethod
    def _check_body(request: Request) -> None:
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        if request.headers.get("x-content-sha256") != digest:
            raise not_signed("x-content-sha256 is not that of the body")


def _text(request: Request, signed: list[str]) -> str:
    lines = []
    for name in signed:
        if name == "(request-target)":
            lines.append(f"{name}: {request.method.lower()} {request.target}")
        elif name in request.headers:
            lines.append(f"{name}: {request.headers[name]}")
        else:
            raise not_signed(f"signed, and not sent: {name}")
    return "\n".join(lines)


def _verify(public: RSAPublicKey, signature: str, text: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        value = base64.b64decode(signature, validate=True)
        public.verify(value, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature) as problem:
        raise _wrong() from problem


def _wrong() -> Refused:
    return not_signed("the signature does not fit")
