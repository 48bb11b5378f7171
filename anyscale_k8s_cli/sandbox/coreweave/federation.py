"""Whom the organisation believes: issuers that somebody has entered in the console, with the
audience that their tokens must have.

https://docs.coreweave.com/products/storage/object-storage/auth-access/workload-identity-federation/use-oidc-tokens
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jwt

from anyscale_k8s_cli.sandbox.coreweave.refusals import Refused

IssuerKeys = Callable[[str], Mapping[str, Any] | None]
AUDIENCE = "https://coreweave.com/iam"


def role_of(token: str, audiences: Mapping[str, str], issuer_keys: IssuerKeys) -> str:
    """The role that a token stands for, as policies name it. Raises `Refused`.

    `audiences` are those of the issuers that are believed.
    """
    try:
        issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss", ""))
        wanted = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError as problem:
        raise _unknown("the token is not a JWT") from problem
    if issuer not in audiences:
        raise _unknown(f"no workload federation configuration for issuer {issuer}")
    published = issuer_keys(issuer)
    if published is None:
        raise _unknown(f"the keys of issuer {issuer} cannot be read")
    keys = jwt.PyJWKSet.from_dict(dict(published)).keys
    key = next((item for item in keys if item.key_id == wanted), None)
    if key is None:
        raise _unknown("the token is signed with an unknown key")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256", "ES256"],
            audience=audiences[issuer],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError as problem:
        raise _unknown(f"the token is not valid: {problem}") from problem
    return f"role/{issuer}:{claims['sub']}"


def _unknown(message: str) -> Refused:
    return Refused(401, 16, message)
