"""Who is calling: access tokens, JWTs that callers sign themselves, and Google's own ID tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox import rsa_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

Clock = Callable[[], datetime]

ALGORITHM = "RS256"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
EMAIL_SCOPE = "https://www.googleapis.com/auth/userinfo.email"
ISSUER = "https://accounts.google.com"
_LEEWAY = timedelta(seconds=60)
_LONGEST = timedelta(hours=1)


class BadToken(Exception):
    """Not a token that proves anything here; the text says why."""


class UnknownSigner(BadToken):
    """Nobody is known who could have signed it."""


class BadSignature(BadToken):
    """Not signed with a known key of its signer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `member` is its name in policies, `uid` its unique id.

    A Kubernetes service account has no uid; policies may also name it by `principal`.
    """

    member: str
    uid: str = ""
    scopes: frozenset[str] = frozenset()
    principal: str = ""
    # Signed by the caller itself, for one service, instead of given out by Google.
    self_signed: bool = False

    @property
    def email(self) -> str:
        return self.member.split(":", 1)[-1]


class SigningKey:
    """An RSA key with its id; made when it is first needed."""

    @cached_property
    def private(self) -> RSAPrivateKey:
        return rsa_keys.new()

    @property
    def public(self) -> RSAPublicKey:
        return self.private.public_key()

    @cached_property
    def id(self) -> str:
        from cryptography.hazmat.primitives import serialization

        der = self.public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()[:40]

    @cached_property
    def pem(self) -> str:
        from cryptography.hazmat.primitives import serialization

        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def as_jwk(self) -> dict[str, str]:
        import jwt.algorithms

        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.public, as_dict=True)
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": ALGORITHM,
            "kid": self.id,
            "n": key["n"],
            "e": key["e"],
        }

    def sign(self, content: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return self.private.sign(content, padding.PKCS1v15(), hashes.SHA256())

    def verifies(self, signature: bytes, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        try:
            self.public.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class AccessToken:
    value: str = field(repr=False)
    caller: Caller
    expires_at: datetime


@dataclass
class AccessTokens:
    """Opaque tokens that Google has given out."""

    clock: Clock
    _tokens: dict[str, AccessToken] = field(default_factory=dict)

    def issue(self, caller: Caller, seconds: float = 3600) -> AccessToken:
        prefix = "ya29.d." if caller.principal else "ya29.c."
        expires = self.clock().replace(microsecond=0) + timedelta(seconds=seconds)
        token = AccessToken(prefix + secrets.token_urlsafe(96), caller, expires)
        self._tokens[token.value] = token
        return token

    def find(self, value: str) -> AccessToken | None:
        """The token, unless it has expired."""
        token = self._tokens.get(value)
        return token if token is not None and self.clock() < token.expires_at else None

    def expire_all(self) -> None:
        self._tokens.clear()


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT says, unverified. Raises :class:`BadToken` if it is none."""
    import jwt

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as problem:
        raise BadToken("not a JSON Web Token") from problem
    return claims


def verify_signature(token: str, keys: Sequence[Mapping[str, Any]]) -> None:
    """Raises :class:`BadToken` unless one of the JSON web keys signed it."""
    import jwt

    try:
        wanted = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError as problem:
        raise BadToken("not a JSON Web Token") from problem
    for key in keys:
        if wanted not in (None, key.get("kid")):
            continue
        try:
            jwt.decode(
                token,
                jwt.PyJWK.from_dict(dict(key)),
                algorithms=[ALGORITHM],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False},
            )
        except jwt.InvalidTokenError:
            continue
        return
    raise BadSignature("not signed with a known key")


def check_times(claims: Mapping[str, Any], now: datetime, *, longest: timedelta = _LONGEST) -> None:
    """Raises :class:`BadToken` for a token before its time, after it, or made to last longer."""
    issued, expires = float(claims.get("iat", 0)), float(claims.get("exp", 0))
    moment = now.timestamp()
    if expires < moment:
        raise BadToken(f"issued at {int(issued)} and expired at {int(expires)}")
    if issued > moment + _LEEWAY.total_seconds():
        raise BadToken(f"issued in the future, at {int(issued)}")
    if expires - issued > longest.total_seconds() + _LEEWAY.total_seconds():
        raise BadToken("made to last too long")


def signed_jwt(claims: Mapping[str, Any], key: SigningKey) -> str:
    import jwt

    return jwt.encode(dict(claims), key.private, algorithm=ALGORITHM, headers={"kid": key.id})


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
