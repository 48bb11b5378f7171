"""Google as the control plane uses it: identity tokens checked, addresses signed for storage."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import jwt

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import Body, fitting
from anyscale_k8s_cli.sandbox.controlplane.storage import SECONDS, Target, no_operator

# Whom operators must have their identity tokens made for.
AUDIENCE = "https://console.anyscale.com"
_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_ALGORITHM = "GOOG4-RSA-SHA256"

Http = Callable[[], aiohttp.ClientSession]


class IdentityToken(Body):
    """What an operator on Google Cloud sends."""

    id_token: str


class StorageToken(Body):
    """An access token of the operator's account, held in memory only."""

    email: str
    access_token: str


class StorageKey(Body):
    """A key of the operator's account, held in memory only."""

    email: str
    private_key: str


@dataclass(frozen=True)
class IdTokenVerifier:
    """Checks identity tokens with Google's published keys.

    `http` gives the client session to use; it lives as long as the stand-in.
    """

    certs_url: str
    http: Http

    async def verify(self, proof: Mapping[str, Any], registered: str) -> None:
        token = fitting(IdentityToken, proof).id_token
        claims = await self._claims(token)
        email = str(claims.get("email") or "")
        if not email or claims.get("email_verified") is not True:
            raise Refused(403, "The operator's identity token names no e-mail address.")
        if email != registered:
            raise Refused(
                403, f"The operator's identity {email} does not match the registered {registered}."
            )

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            async with self.http().get(self.certs_url) as answer:
                keys = jwt.PyJWKSet.from_dict(await answer.json())
        except aiohttp.ClientError as failure:
            kind = type(failure).__name__
            raise Refused(503, f"Google does not publish its keys: {kind}") from failure
        try:
            key = keys[jwt.get_unverified_header(token)["kid"]]
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=AUDIENCE,
                issuer=_ISSUERS,
                options={"require": ["aud", "exp", "iss", "sub"]},
            )
        except (jwt.PyJWTError, KeyError) as problem:
            raise Refused(403, f"The operator's identity token is not valid: {problem}.") from None
        return claims


@dataclass(frozen=True)
class GcsSigner:
    """Signs for Google's storage (V4): with the key of the operator's account, or as that signs
    what it is asked to.

    `storage_url` and `credentials_url` are where storage and the credentials API answer.
    """

    storage_url: str
    credentials_url: str
    http: Http

    async def sign(self, method: str, target: Target, keys: Mapping[str, Any] | None) -> str:
        if keys is None:
            raise no_operator()
        account: StorageKey | StorageToken
        if "private_key" in keys:
            account = fitting(StorageKey, keys)
        else:
            account = fitting(StorageToken, keys)
        now = datetime.now(UTC)
        scope = f"{now:%Y%m%d}/auto/storage/goog4_request"
        endpoint = target.endpoint or self.storage_url
        query = {
            "X-Goog-Algorithm": _ALGORITHM,
            "X-Goog-Credential": f"{account.email}/{scope}",
            "X-Goog-Date": f"{now:%Y%m%dT%H%M%SZ}",
            "X-Goog-Expires": str(SECONDS),
            "X-Goog-SignedHeaders": "host",
        }
        path = f"/{urlsplit(target.bucket).netloc}/{quote(target.path, safe='/-_.~')}"
        encoded = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items())
        host = f"host:{urlsplit(endpoint).netloc}"
        canonical = "\n".join([method, path, encoded, host, "", "host", "UNSIGNED-PAYLOAD"])
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = "\n".join([_ALGORITHM, query["X-Goog-Date"], scope, hashed])
        signature = await self._signature(account, to_sign.encode())
        return f"{endpoint}{path}?{encoded}&X-Goog-Signature={signature.hex()}"

    async def _signature(self, account: StorageKey | StorageToken, content: bytes) -> bytes:
        if isinstance(account, StorageKey):
            rsa = jwt.get_algorithm_by_name("RS256")
            signature: bytes = rsa.sign(content, rsa.prepare_key(account.private_key))
            return signature
        url = f"{self.credentials_url}/v1/projects/-/serviceAccounts/{account.email}:signBlob"
        headers = {"Authorization": f"Bearer {account.access_token}"}
        body = {"payload": base64.b64encode(content).decode()}
        try:
            async with self.http().post(url, json=body, headers=headers) as answer:
                found = await answer.json()
        except aiohttp.ClientError as failure:
            raise Refused(503, f"Google does not answer: {type(failure).__name__}") from failure
        if answer.status != 200:
            said = found.get("error", {}).get("message", answer.status)
            raise Refused(403, f"The operator's account cannot sign addresses: {said}")
        return base64.b64decode(found["signedBlob"])
