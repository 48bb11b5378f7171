"""Tokens of service accounts: what one says of its bearer, and who vouches for it.

What a token says is not verified here: whoever it is for does that.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors


@dataclass(frozen=True)
class Issuer:
    """Who signs a cluster's tokens, as the cluster itself tells: its URL and its keys' ids."""

    url: str
    keys: frozenset[str]


@dataclass(frozen=True)
class Claimed:
    """The claims that trust is decided by."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]

    @classmethod
    def of(cls, token: str) -> Claimed:
        """Raises `cluster-failed` for what is no token."""
        try:
            part = token.split(".")[1]
            claims: dict[str, Any] = json.loads(
                base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
            )
        except (IndexError, ValueError, binascii.Error) as problem:
            raise errors.CliError(
                errors.CLUSTER_FAILED,
                "The cluster gave a service account token that cannot be read",
                cause=str(problem),
            ) from problem
        audiences = claims.get("aud", [])
        return cls(
            str(claims.get("iss", "")),
            str(claims.get("sub", "")),
            (audiences,) if isinstance(audiences, str) else tuple(map(str, audiences)),
        )
