"""A cluster as an issuer of tokens, and time: what the stand-ins of all clouds are started with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

OPERATOR = "system:serviceaccount:anyscale-operator:anyscale-operator"
WORKLOADS = "system:serviceaccount:anyscale-operator:anyscale-workloads"


@dataclass
class Issuer:
    """Signs service-account tokens as a cluster does, and publishes its keys.

    `audience` and `subject` are those of a token of which nothing else is said.
    """

    url: str
    key: rsa.RSAPrivateKey
    audience: str
    subject: str = OPERATOR

    def keys(self, issuer: str) -> dict[str, Any] | None:
        if issuer != self.url:
            return None
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def token(
        self,
        subject: str = "",
        *,
        audience: str = "",
        issuer: str = "",
        lifetime: timedelta = timedelta(hours=1),
        key: rsa.RSAPrivateKey | None = None,
    ) -> str:
        """With a negative `lifetime`, one that ended so long ago."""
        now = datetime.now(UTC)
        claims = {
            "iss": issuer or self.url,
            "sub": subject or self.subject,
            "aud": [audience or self.audience],
            "iat": now + min(lifetime, timedelta()) - timedelta(minutes=1),
            "exp": now + lifetime,
        }
        return jwt.encode(claims, key or self.key, "RS256", headers={"kid": "one"})


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        return self.seconds
