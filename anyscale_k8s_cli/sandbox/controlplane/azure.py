"""Azure as the control plane uses it: Entra's tokens verified, addresses signed for blobs."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import Body, fitting
from anyscale_k8s_cli.sandbox.controlplane.storage import SECONDS, Target, no_operator

# Of Anyscale's application; the endpoint `azure_operator_audience` tells it.
AUDIENCE = "api://086bc555-6989-4362-ba30-fded273e432b"
_VERSION = "2023-11-03"
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_KEY = re.compile(r"<(Signed\w+|Value)>([^<]*)</")
_TIME = "%Y-%m-%dT%H:%M:%SZ"

Http = Callable[[], aiohttp.ClientSession]


class AccessToken(Body):
    """A token of Entra's."""

    access_token: str


@dataclass(frozen=True)
class EntraVerifier:
    """Believes Entra's tokens for the control plane's own audience, and nobody else's.

    `http` gives the client session to use; it lives as long as the stand-in.
    """

    login_url: str
    http: Http

    async def verify(self, proof: Mapping[str, Any], registered: str) -> None:
        claims = await self._claims(fitting(AccessToken, proof).access_token)
        if str(claims.get("oid", "")).lower() != registered.lower():
            raise Refused(
                403,
                f"The operator's identity {claims.get('oid')} does not match the registered "
                f"{registered}.",
            )

    async def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        keys = await self._keys()
        try:
            wanted = jwt.get_unverified_header(token).get("kid")
            key = next((item for item in keys if item["kid"] == wanted), None)
            if key is None:
                raise Refused(403, "The operator's token is not of the expected issuer.")
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm="RS256").key,
                algorithms=["RS256"],
                audience=AUDIENCE,
                issuer=key["issuer"],
            )
        except jwt.PyJWTError as wrong:
            raise Refused(403, f"The operator's token is not valid: {wrong}.") from wrong
        return claims

    async def _keys(self) -> list[dict[str, Any]]:
        url = f"{self.login_url}/common/discovery/keys"
        try:
            async with self.http().get(url) as answer:
                keys: list[dict[str, Any]] = (await answer.json())["keys"]
        except (aiohttp.ClientError, KeyError) as failure:
            raise Refused(503, f"Entra does not answer: {type(failure).__name__}") from failure
        return keys


@dataclass(frozen=True)
class BlobSigner:
    """Signs with a key that blob storage gives to the operator's identity, for its roles."""

    http: Http

    async def sign(self, method: str, target: Target, keys: Mapping[str, Any] | None) -> str:
        if keys is None:
            raise no_operator()
        bucket = urlsplit(target.bucket)
        container, account = bucket.username or bucket.netloc, (bucket.hostname or "").split(".")[0]
        key = await self._delegation_key(target.endpoint, fitting(AccessToken, keys).access_token)
        blob = f"/{container}/{target.path}"
        query = _signed("r" if method == "GET" else "cw", f"/blob/{account}{blob}", key)
        return f"{target.endpoint}{quote(blob)}?{urlencode(query)}"

    async def _delegation_key(self, endpoint: str, token: str) -> dict[str, str]:
        now = datetime.now(UTC)
        start, expiry = (f"{at:{_TIME}}" for at in (now, now + timedelta(seconds=SECONDS)))
        body = f"<KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
        headers = {"Authorization": f"Bearer {token}", "x-ms-version": _VERSION}
        url = f"{endpoint}/?restype=service&comp=userdelegationkey"
        try:
            async with self.http().post(url, data=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, ValueError) as failure:
            raise Refused(409, f"The bucket does not answer: {type(failure).__name__}") from failure
        if answer.status != 200:
            code = _CODE.search(text)
            said = code[1] if code else answer.status
            raise Refused(409, f"The bucket gives no key to the operator's identity: {said}.")
        return dict(_KEY.findall(text))


def _signed(permissions: str, resource: str, key: Mapping[str, str]) -> dict[str, str]:
    """The query of a user delegation SAS for one blob.

    https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
    """
    query = {
        "sp": permissions,
        "st": key["SignedStart"],
        "se": key["SignedExpiry"],
        "skoid": key["SignedOid"],
        "sktid": key["SignedTid"],
        "skt": key["SignedStart"],
        "ske": key["SignedExpiry"],
        "sks": key["SignedService"],
        "skv": key["SignedVersion"],
        "spr": "https",
        "sv": _VERSION,
        "sr": "b",
    }
    first = [query[name] for name in ("sp", "st", "se")]
    signer = [query[name] for name in ("skoid", "sktid", "skt", "ske", "sks", "skv")]
    # Agents, a correlation id and an address are not named; nor, at the end, a snapshot,
    # an encryption scope and five headers of the answer.
    lines = [*first, resource, *signer, "", "", "", "", "https", _VERSION, "b", *[""] * 7]
    digest = hmac.new(base64.b64decode(key["Value"]), "\n".join(lines).encode(), sha256).digest()
    return {**query, "sig": base64.b64encode(digest).decode()}
