"""The tokens that Entra issues: signed, for one audience, and verified by whoever gets them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox import rsa_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_ALGORITHM = "RS256"
_SECONDS = 3600

Clock = Callable[[], datetime]


class BadToken(Exception):
    """A token that is no good; the text says why."""


class ExpiredToken(BadToken):
    """It was good once."""


class ForeignAudience(BadToken):
    """It is good, but for somebody else; the text is for whom."""


@dataclass(frozen=True)
class Bearer:
    """Whom a token speaks for."""

    object_id: str
    app_id: str
    groups: tuple[str, ...] = ()


@dataclass
class Tokens:
    """Signs with one key, as `issuer`; tokens are over with the clock, or when revoked."""

    tenant_id: str
    clock: Clock
    revoked_before: float = 0.0
    # What tokens with a good signature say: each comes with every call, and is read once.
    _read: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def issuer(self) -> str:
        return f"https://sts.windows.net/{self.tenant_id}/"

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return rsa_keys.new()

    @cached_property
    def _key_id(self) -> str:
        from cryptography.hazmat.primitives import serialization

        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.urlsafe_b64encode(hashlib.sha1(der).digest()).decode().rstrip("=")  # noqa: S324 - a name

    def keys(self) -> dict[str, Any]:
        """The JSON Web Key Set that verifies the tokens."""
        import jwt.algorithms

        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        public = {"kty": key["kty"], "n": key["n"], "e": key["e"]}
        names = {"kid": self._key_id, "x5t": self._key_id}
        return {"keys": [{"use": "sig", **names, **public, "issuer": self.issuer}]}

    def issue(self, bearer: Bearer, audience: str, *, by_secret: bool) -> tuple[str, int]:
        """A token of an application and the seconds for which it is good."""
        import jwt

        now = self.clock().timestamp()
        claims = {
            "aud": audience,
            "iss": self.issuer,
            # Not rounded: what is revoked in the same second is another token.
            "iat": now,
            "nbf": now,
            "exp": int(now) + _SECONDS,
            "appid": bearer.app_id,
            "appidacr": "1" if by_secret else "2",
            "idp": self.issuer,
            "idtyp": "app",
            "oid": bearer.object_id,
            "sub": bearer.object_id,
            "tid": self.tenant_id,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        if bearer.groups:
            claims["groups"] = list(bearer.groups)
        headers = {"kid": self._key_id, "x5t": self._key_id}
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers=headers)
        return token, _SECONDS

    def verify(self, token: str, accepts: Callable[[str], bool]) -> Bearer:
        """The bearer of a token for an audience that `accepts`; raises :class:`BadToken`."""
        if token not in self._read:
            self._read[token] = self._signed_here(token)
        claims = self._read[token]
        now = self.clock().timestamp()
        if now >= claims["exp"] or claims["iat"] < self.revoked_before:
            raise ExpiredToken(moment(claims["exp"]))
        if not accepts(claims["aud"]):
            raise ForeignAudience(claims["aud"])
        return Bearer(claims["oid"], claims["appid"], tuple(claims.get("groups") or ()))

    def _signed_here(self, token: str) -> Mapping[str, Any]:
        """What it says. When it is over, and for whom it is, are for others to judge."""
        import jwt

        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as wrong:
            raise BadToken(str(wrong)) from wrong
        return claims

    def revoke(self) -> None:
        """Every token issued so far is over."""
        self.revoked_before = self.clock().timestamp()


def moment(seconds: float) -> str:
    """A moment as Azure's errors write it."""
    from datetime import UTC

    return f"{datetime.fromtimestamp(seconds, UTC):%m/%d/%Y %H:%M:%S}"


def unverified(token: str) -> dict[str, Any] | None:
    """The claims of a token that nobody has checked; None if it is no token."""
    import jwt

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    return claims


def signed_by(token: str, keys: Mapping[str, Any]) -> bool:
    """Whether one of the keys of a set signed the token."""
    import jwt

    for key in _matching(keys.get("keys") or (), token):
        try:
            jwt.decode(
                token,
                jwt.PyJWK(key, algorithm=_ALGORITHM).key,
                algorithms=[_ALGORITHM],
                options={"verify_aud": False, "verify_exp": False},
            )
        except jwt.PyJWTError:
            continue
        return True
    return False


def _matching(keys: Sequence[Mapping[str, Any]], token: str) -> list[dict[str, Any]]:
    import jwt

    wanted = jwt.get_unverified_header(token).get("kid")
    return [dict(key) for key in keys if wanted in (None, key.get("kid"))]
