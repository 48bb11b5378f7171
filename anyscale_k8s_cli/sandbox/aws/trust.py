"""Whether a role's trust lets somebody assume it, web identities included.

The refusals are those that STS sends; see
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import Decision, Document, Question, as_list, decide

IssuerKeys = Callable[[str], Mapping[str, Any] | None]
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")


def verified_claims(
    token: str, issuer_keys: IssuerKeys, now: datetime, *, check_issuer: Callable[[str], Any]
) -> Mapping[str, Any]:
    """The claims of a token whose signature and times are good.

    `check_issuer` is told the issuer first and raises if it is not known.
    """
    claims = _unverified(token)
    issuer = str(claims.get("iss", ""))
    check_issuer(issuer)
    jwks = issuer_keys(issuer)
    if jwks is None:
        raise AwsError(
            400,
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider,  please reference "
            "AssumeRoleWithWebIdentity documentation for requirements",
        )
    try:
        key = _key(token, jwks)
        jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError as error:
        raise AwsError(
            400, "InvalidIdentityToken", "Provided Token is not signed by a known key"
        ) from error
    expires = float(claims.get("exp", 0))
    if now.timestamp() >= expires:
        raise AwsError(
            400,
            "ExpiredTokenException",
            f"Token expired: current date/time {int(now.timestamp())} must be before the "
            f"expiration date/time {int(expires)}",
        )
    return claims


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Whom a token names, and the provider that vouches for it."""

    subject: str
    audiences: tuple[str, ...]
    provider_arn: str


def admit_web_identity(
    provider_of: Callable[[str], Any | None],
    trust: Document | None,
    token: str,
    issuer_keys: IssuerKeys,
    now: datetime,
) -> WebIdentity:
    """Whose token it is, if a role's trust admits it; raises :class:`AwsError` else.

    `provider_of` gives the account's provider for an issuer. No `trust`: no role.
    """
    found: list[Any] = []

    def register(issuer: str) -> None:
        provider = provider_of(issuer)
        if provider is None:
            raise AwsError(
                400,
                "InvalidIdentityToken",
                f"No OpenIDConnect provider found in your account for {issuer}",
            )
        found.append(provider)

    claims = verified_claims(token, issuer_keys, now, check_issuer=register)
    issuer, provider = str(claims["iss"]), found[0]
    audiences = [str(audience) for audience in as_list(claims.get("aud", []))]
    if not set(audiences) & set(provider.client_id_list):
        raise AwsError(400, "InvalidIdentityToken", "Incorrect token audience")
    prefix = issuer.removeprefix("https://").lower()
    question = Question(
        WEB_IDENTITY,
        "*",
        {
            f"{prefix}:sub": (str(claims.get("sub", "")),),
            f"{prefix}:aud": tuple(audiences),
            "aws:federatedprovider": (provider.arn,),
        },
        {"Federated": frozenset({provider.arn})},
    )
    if trust is None or decide([trust], question) is not Decision.ALLOWED:
        raise not_authorized(WEB_IDENTITY)
    return WebIdentity(str(claims.get("sub", "")), tuple(audiences), provider.arn)


def trusts_service(
    trust: Document, service: str, action: str, tags: Mapping[str, str] | None = None
) -> bool:
    """`tags` are the session tags that the service asks with."""
    given = tags or {}
    context = {"aws:tagkeys": tuple(given)}
    context |= {f"aws:requesttag/{key}".lower(): (value,) for key, value in given.items()}
    question = Question(action, context=context, principals={"Service": frozenset({service})})
    return decide([trust], question) is Decision.ALLOWED


def not_authorized(action: str) -> AwsError:
    return AwsError(403, "AccessDenied", f"Not authorized to perform {action}")


def _unverified(token: str) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise AwsError(
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent "
            "an Access Token)",
        ) from error
    return claims


def _key(token: str, jwks: Mapping[str, Any]) -> Any:
    wanted = jwt.get_unverified_header(token).get("kid")
    for key in jwt.PyJWKSet.from_dict(dict(jwks)).keys:
        if wanted is None or key.key_id == wanted:
            return key
    raise jwt.InvalidTokenError("no key has the token's key id")
