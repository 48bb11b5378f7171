"""Who is calling: IAM tokens, and the keys of service accounts that they are exchanged for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import grpc

from anyscale_k8s_cli.sandbox import rsa_keys
from anyscale_k8s_cli.sandbox.nebius.collection import Clock
from anyscale_k8s_cli.sandbox.nebius.refusals import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

AUDIENCE = "token-service.iam.new.nebiuscloud.net"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
LIFETIME = timedelta(hours=12)


class AuthorizedKey:
    """A key of a service account: the public half is Nebius', the private half in a file."""

    def __init__(self) -> None:
        self.id = f"publickey-e00{secrets.token_hex(7)}"

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


@dataclass(frozen=True)
class Token:
    value: str = field(repr=False)
    subject: str
    expires_at: datetime


@dataclass
class Tokens:
    """All IAM tokens that were given out, and the keys that may ask for one."""

    clock: Clock
    keys: dict[str, tuple[str, AuthorizedKey]] = field(default_factory=dict)
    _tokens: dict[str, Token] = field(default_factory=dict)

    def issue(self, subject: str, lifetime: timedelta = LIFETIME) -> Token:
        token = Token(f"ne1{secrets.token_urlsafe(64)}", subject, self.clock() + lifetime)
        self._tokens[token.value] = token
        return token

    def subject(self, value: str) -> str:
        """Whose token it is. Raises Refused for one that is unknown or has ended."""
        token = self._tokens.get(value)
        if token is None:
            raise _unauthenticated("The token is invalid")
        if token.expires_at <= self.clock():
            raise _unauthenticated("The token has expired")
        return token.subject

    def add_key(self, subject: str, key: AuthorizedKey) -> None:
        self.keys[key.id] = (subject, key)

    def exchange(self, signed: str) -> Token:
        """A token for whoever signed a JWT. Raises Refused."""
        import jwt

        try:
            key_id = str(jwt.get_unverified_header(signed).get("kid"))
            subject, key = self.keys[key_id]
            claims = jwt.decode(
                signed,
                key.private.public_key(),
                algorithms=["RS256"],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iat"]},
            )
        except (jwt.InvalidTokenError, KeyError) as problem:
            raise _unauthenticated("The subject token is invalid") from problem
        if claims.get("iss") != subject or claims.get("sub") != subject:
            raise _unauthenticated("The subject token is of somebody else")
        if claims["exp"] < self.clock().timestamp():
            raise _unauthenticated("The subject token has expired")
        return self.issue(subject)

    def expire_all(self) -> None:
        self._tokens.clear()


def _unauthenticated(message: str) -> Refused:
    return Refused(grpc.StatusCode.UNAUTHENTICATED, message)
