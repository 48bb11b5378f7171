"""The token endpoint for accounts with a key of their own, and who must verify ID tokens.

https://developers.google.com/identity/protocols/oauth2/service-account
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.errors import OAuthError
from anyscale_k8s_cli.sandbox.google.project import Project, account_caller
from anyscale_k8s_cli.sandbox.google.tokens import (
    ISSUER,
    BadSignature,
    BadToken,
    UnknownSigner,
    check_times,
    claims_of,
    signed_jwt,
    verify_signature,
)

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"
_SECONDS = 3600


@dataclass(frozen=True)
class OAuth:
    """https://oauth2.googleapis.com, and the keys of https://www.googleapis.com."""

    project: Project

    def services(self) -> tuple[Service, ...]:
        token = Method("oauth2.token", "POST", "/token", self._token, secret=True, open=True)
        info = Method("oauth2.tokeninfo", "GET", "/tokeninfo", self._info, secret=True, open=True)
        certs = Method("oauth2.certs", "GET", "/oauth2/v3/certs", self._certs, open=True)
        return (
            Service("oauth2", (token, info), always_enabled=True),
            Service("www", (certs,), always_enabled=True),
        )

    def id_token_claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of an ID token of Google's for an audience. Raises :class:`BadToken`."""
        claims = claims_of(token)
        verify_signature(token, [self.project.google_key.as_jwk()])
        check_times(claims, self.project.clock())
        if claims.get("iss") != ISSUER:
            raise BadToken(f"issued by {claims.get('iss')}")
        if claims.get("aud") != audience:
            raise BadToken(f"made for the audience {claims.get('aud')}")
        return claims

    def _token(self, call: Call) -> Reply:
        form = form_of(call)
        if form.get("grant_type") != _JWT_BEARER:
            kind = form.get("grant_type", "")
            raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {kind}")
        try:
            account, claims = self.project.signed_by_account(form.get("assertion", ""))
        except UnknownSigner as problem:
            raise OAuthError("invalid_grant", "Invalid grant: account not found") from problem
        except BadSignature as problem:
            raise OAuthError("invalid_grant", "Invalid JWT Signature.") from problem
        except BadToken as problem:
            raise OAuthError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            ) from problem
        if claims.get("aud") not in (_AUDIENCE, f"{call.base}/token"):
            raise OAuthError("invalid_grant", "Invalid JWT: Failed audience check.")
        if audience := claims.get("target_audience"):
            return Reply(
                {"id_token": self._own_id_token(account.unique_id, account.email, audience)}
            )
        scopes = frozenset(str(claims.get("scope") or "").split())
        if not scopes:
            raise OAuthError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        token = self.project.tokens.issue(account_caller(account, scopes), _SECONDS)
        return Reply(
            {"access_token": token.value, "expires_in": _SECONDS - 1, "token_type": "Bearer"}
        )

    def _own_id_token(self, uid: str, email: str, audience: str) -> str:
        return signed_jwt(id_claims(self.project, uid, email, audience), self.project.google_key)

    def _info(self, call: Call) -> Reply:
        if access := call.query.get("access_token"):
            found = self.project.tokens.find(access)
            if found is None:
                raise OAuthError("invalid_token", "Invalid Value")
            left = int((found.expires_at - self.project.clock()).total_seconds())
            return Reply(
                {
                    "azp": found.caller.uid,
                    "aud": found.caller.uid,
                    "scope": " ".join(sorted(found.caller.scopes)),
                    "expires_in": str(left),
                    "email": found.caller.email,
                    "email_verified": "true",
                }
            )
        token = call.query.get("id_token", "")
        try:
            claims = self.id_token_claims(token, str(claims_of(token).get("aud")))
        except BadToken as problem:
            raise OAuthError("invalid_token", "Invalid Value") from problem
        return Reply({key: str(value) for key, value in claims.items()})

    def _certs(self, _: Call) -> Reply:
        return Reply({"keys": [self.project.google_key.as_jwk()]})


def id_claims(project: Project, uid: str, email: str, audience: str) -> dict[str, Any]:
    """The claims of an ID token; without an e-mail it only tells the unique id."""
    now = int(project.clock().timestamp())
    claims: dict[str, Any] = {
        "aud": audience,
        "azp": uid,
        "exp": now + _SECONDS,
        "iat": now,
        "iss": ISSUER,
        "sub": uid,
    }
    if email:
        claims |= {"email": email, "email_verified": True}
    return claims


def form_of(call: Call) -> dict[str, str]:
    """The fields of a form, or of the same as JSON. Raises `invalid_request`."""
    try:
        if "json" in call.headers.get("Content-Type", ""):
            return {key: str(value) for key, value in json.loads(call.body).items()}
        form = {key: values[0] for key, values in parse_qs(call.body.decode()).items()}
    except (ValueError, AttributeError):
        raise OAuthError("invalid_request", "Bad Request") from None
    if not form:
        raise OAuthError("invalid_request", "Bad Request")
    return form
