"""The tenant's directory: who is there, what they prove themselves with, and for what.

Applications sign in with a secret, managed identities with a token of a cluster
that one of their federated credentials trusts; issuer, subject and audience are
compared as they are, letter by letter.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.azure import tokens
from anyscale_k8s_cli.sandbox.azure.lag import Lag
from anyscale_k8s_cli.sandbox.azure.seed import ANYSCALE_APP_ID, guid
from anyscale_k8s_cli.sandbox.azure.tokens import Bearer, Clock, Tokens

EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
AKS_SERVER_APP_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
ANYSCALE_AUDIENCE = f"api://{ANYSCALE_APP_ID}"
_LEARN = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
_CLOCK_SKEW = 300
_ACCOUNT = re.compile(r"https://[a-z0-9]{3,24}\.(blob|dfs)\.core\.windows\.net")

# Gives the key set of a token issuer, or None if it cannot be had.
IssuerKeys = Callable[[str], Mapping[str, Any] | None]


class EntraError(Exception):
    """A token that is not given; `number` is that of `AADSTS<number>`."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(f"AADSTS{number}: {message}")
        self.status = status
        self.error = error
        self.number = number


@dataclass(frozen=True)
class FederatedCredential:
    """Whose tokens stand for an identity."""

    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...]


@dataclass
class Principal:
    """A service principal. `credentials` are the federated ones, by name."""

    object_id: str
    app_id: str
    display_name: str
    managed: bool = False
    secret: str = field(default="", repr=False)
    groups: tuple[str, ...] = ()
    credentials: dict[str, FederatedCredential] = field(default_factory=dict)

    @property
    def bearer(self) -> Bearer:
        return Bearer(self.object_id, self.app_id, self.groups)


@dataclass
class Directory:
    """One tenant. `replication` is of new principals, `federation` of new credentials."""

    tenant_id: str
    clock: Clock
    issuer_keys: IssuerKeys
    replication: Lag
    federation: Lag
    anyscale_known: bool = True
    principals: dict[str, Principal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.tenant_id, self.clock)
        self._made = 0

    # -- who is there --------------------------------------------------------------

    def add_application(self, name: str, groups: tuple[str, ...] = ()) -> Principal:
        """An application with a secret, known everywhere already."""
        principal = Principal(
            guid("principal", name),
            guid("application", name),
            name,
            secret=f"{secrets.token_urlsafe(3)[:3]}8Q~{secrets.token_urlsafe(26)}",
            groups=groups,
        )
        return self._add(principal)

    def add_identity(self, name: str, resource_id: str, *, settled: bool = False) -> Principal:
        """The principal of a managed identity; the directory needs a while to know it.

        An identity made again under its old name is another one.
        """
        self._made += 1
        own = (resource_id.lower(), str(self._made))
        principal = Principal(guid("principal", *own), guid("client", *own), name, managed=True)
        if not settled:
            self.replication.begin(principal.object_id)
            # Who does not say of what type it is has it looked up, in yet another place.
            self.replication.begin((principal.object_id, "type"))
        return self._add(principal)

    def remove(self, object_id: str) -> None:
        self.principals.pop(object_id, None)

    def find(self, object_id: str) -> Principal | None:
        return self.principals.get(object_id.lower())

    def by_app(self, app_id: str) -> Principal | None:
        found = (item for item in self.principals.values() if item.app_id == app_id.lower())
        return next(found, None)

    def _add(self, principal: Principal) -> Principal:
        self.principals[principal.object_id] = principal
        return principal

    # -- what they prove themselves with -----------------------------------------------

    def by_secret(self, client_id: str, secret: str) -> Principal:
        principal = self._client(client_id)
        if not principal.secret or not secrets.compare_digest(principal.secret, secret):
            raise EntraError(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{client_id}'.",
            )
        return principal

    def by_assertion(self, client_id: str, assertion: str) -> Principal:
        """Who trusts the token; raises :class:`EntraError` for a token of anybody else."""
        principal = self._client(client_id)
        claims = tokens.unverified(assertion)
        if claims is None:
            raise EntraError(400, "invalid_request", 50027, "JWT token is invalid or malformed.")
        self._check_time(claims)
        credential = _match(principal, claims)
        if not self.federation.passed((principal.object_id, credential)):
            raise EntraError(
                400,
                "invalid_request",
                70021,
                "No matching federated identity record found for presented assertion. Assertion "
                f"Issuer: '{credential.issuer}'. Assertion Subject: '{credential.subject}'. "
                f"Assertion Audience: '{credential.audiences[0]}'. {_LEARN}",
            )
        keys = self.issuer_keys(credential.issuer)
        if keys is None:
            raise EntraError(
                400, "invalid_request", 50166, "Request to External OIDC endpoint failed."
            )
        if not tokens.signed_by(assertion, keys):
            message = "Client assertion failed signature validation."
            raise EntraError(401, "invalid_client", 700027, message)
        return principal

    def _client(self, client_id: str) -> Principal:
        found = self.by_app(client_id)
        if found is None:
            raise EntraError(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{self.tenant_id}'. This can happen if the application has not been installed by "
                "the administrator of the tenant or consented to by any user in the tenant. You "
                "may have sent your authentication request to the wrong tenant.",
            )
        return found

    def _check_time(self, claims: Mapping[str, Any]) -> None:
        now = self.clock().timestamp()
        if now >= float(claims.get("exp") or 0) + _CLOCK_SKEW:
            raise EntraError(
                401,
                "invalid_client",
                700024,
                "Client assertion is not within its valid time range. Current time: "
                f"{tokens.moment(now)}, expiry time of assertion "
                f"{tokens.moment(float(claims.get('exp') or 0))}. Review the documentation at "
                "https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            )

    # -- for what -------------------------------------------------------------------------

    def check_audience(self, audience: str) -> None:
        """Raises :class:`EntraError` for a resource that the tenant does not know."""
        plain = audience.rstrip("/").lower()
        known = {*_RESOURCES, ANYSCALE_AUDIENCE} if self.anyscale_known else _RESOURCES
        if plain in known or _ACCOUNT.fullmatch(plain):
            return
        raise EntraError(
            400,
            "invalid_resource",
            500011,
            f"The resource principal named {audience} was not found in the tenant named "
            f"{self.tenant_id}. This can happen if the application has not been installed by the "
            "administrator of the tenant or consented to by any user in the tenant. You might "
            "have sent your authentication request to the wrong tenant.",
        )


def for_management(audience: str) -> bool:
    return audience.rstrip("/").lower() in _MANAGEMENT


def for_storage(audience: str) -> bool:
    plain = audience.rstrip("/").lower()
    return plain in _STORAGE or _ACCOUNT.fullmatch(plain) is not None


def for_aks(audience: str) -> bool:
    return audience == AKS_SERVER_APP_ID


_MANAGEMENT = {
    "https://management.azure.com",
    "https://management.core.windows.net",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013",
}
_STORAGE = {"https://storage.azure.com", "e406a681-f3d4-42a8-90b6-c2b029497af1"}
_GRAPH = {"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"}
_RESOURCES = _MANAGEMENT | _STORAGE | _GRAPH | {AKS_SERVER_APP_ID}


def _match(principal: Principal, claims: Mapping[str, Any]) -> FederatedCredential:
    """The credential that a token's claims meet, or what does not fit first."""
    issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
    audiences = claims.get("aud") or []
    presented = [audiences] if isinstance(audiences, str) else list(audiences)
    found = [item for item in principal.credentials.values() if item.issuer == issuer]
    if not found:
        raise _unmatched(700211, f"issuer '{issuer}'")
    same = [item for item in found if item.subject == subject]
    if not same:
        if any(item.subject.lower() == subject.lower() for item in found):
            raise _unmatched(
                7002138,
                f"subject '{subject}'. The subject matches with case-insensitive comparison, but "
                "not with case-sensitive comparison",
            )
        raise _unmatched(700213, f"subject '{subject}'")
    fitting = [item for item in same if set(item.audiences) & set(presented)]
    if not fitting:
        raise _unmatched(700212, f"audience '{', '.join(presented)}'")
    return fitting[0]


def _unmatched(number: int, what: str) -> EntraError:
    return EntraError(
        401,
        "invalid_client",
        number,
        f"No matching federated identity record found for presented assertion {what}. Check your "
        f"federated identity credential Subject, Audience and Issuer against the presented "
        f"assertion. {_LEARN}",
    )
