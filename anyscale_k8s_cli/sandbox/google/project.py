"""The project: its identities and policies, who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.google.accounts import Clock, ServiceAccount, ServiceAccounts
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, denied, error_info
from anyscale_k8s_cli.sandbox.google.policies import Policy, PolicyRules
from anyscale_k8s_cli.sandbox.google.roles import Roles
from anyscale_k8s_cli.sandbox.google.seed import SERVICES
from anyscale_k8s_cli.sandbox.google.tokens import (
    CLOUD_PLATFORM,
    AccessTokens,
    BadToken,
    Caller,
    SigningKey,
    UnknownSigner,
    check_times,
    claims_of,
    verify_signature,
)

_MISSING = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, "
    "login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_INVALID = _MISSING.replace("is missing required", "had invalid").replace(
    "credential. Expected", "credentials. Expected", 1
)


@dataclass(frozen=True)
class PoolProvider:
    """What a workload identity pool admits: tokens of one issuer, each under its subject.

    Without `audiences` it is the provider's own name that a token must be made for.
    """

    issuer: str
    audiences: tuple[str, ...] = ()


@dataclass
class Project:
    """Everything that is known by e-mail, role or token.

    `own_pools` are those that people have made, `providers` what is in them, by their full
    resource names. `keys` are
    those that accounts hold themselves, with the account's unique id;
    `google_key` is what Google signs with, for itself and for accounts.
    """

    id: str
    number: str
    clock: Clock
    accounts: ServiceAccounts
    tokens: AccessTokens
    refused_attempts: int = 1
    enabled: set[str] = field(default_factory=set)
    pools: set[str] = field(default_factory=set)
    own_pools: set[str] = field(default_factory=set)
    providers: dict[str, PoolProvider] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    roles: Roles = field(default_factory=Roles)
    keys: list[tuple[str, SigningKey]] = field(default_factory=list)
    google_key: SigningKey = field(default_factory=SigningKey)

    def __post_init__(self) -> None:
        self.rules = PolicyRules(
            self.accounts, self.roles, self.pools, self.policy, self.refused_attempts
        )

    def is_called(self, name: str) -> bool:
        """Whether a name in an address means this project: its id or its number."""
        return name in (self.id, self.number)

    # -- who calls -------------------------------------------------------------------

    def authenticate(self, authorization: str | None, host: str) -> Caller:
        """Whose `Authorization` header a service at `host` was sent; raises 401."""
        if not authorization:
            raise _unauthenticated(_MISSING, "CREDENTIALS_MISSING", host)
        kind, _, token = authorization.partition(" ")
        caller = self.caller(token, host) if kind.lower() == "bearer" else None
        if caller is None:
            raise _unauthenticated(_INVALID, "ACCESS_TOKEN_EXPIRED", host)
        return caller

    def caller(self, token: str, host: str = "") -> Caller | None:
        """Whose token this is: an access token, or a JWT that an account signed for `host`."""
        found = self.tokens.find(token)
        if found is not None:
            return found.caller if self._lives(found.caller) else None
        if host and token.count(".") == 2:
            return self._self_signed(token, host)
        return None

    def _lives(self, caller: Caller) -> bool:
        if not caller.uid:
            return True
        account = self.accounts.by_id(caller.uid)
        return account is not None and account.deleted_at is None

    def _self_signed(self, token: str, host: str) -> Caller | None:
        """https://google.aip.dev/auth/4111"""
        try:
            account, claims = self.signed_by_account(token)
        except BadToken:
            return None
        scopes = frozenset(str(claims.get("scope") or "").split())
        if not scopes and claims.get("aud") not in (f"https://{host}/", f"https://{host}"):
            return None
        if claims.get("sub") != account.email:
            return None
        return account_caller(account, scopes or frozenset({CLOUD_PLATFORM}), self_signed=True)

    def signed_by_account(self, token: str) -> tuple[ServiceAccount, Mapping[str, Any]]:
        """The account whose own key signed a JWT, and its claims. Raises :class:`BadToken`."""
        claims = claims_of(token)
        account = self.accounts.find(str(claims.get("iss")))
        if account is None:
            raise UnknownSigner("account not found")
        verify_signature(token, [key.as_jwk() for key in self.own_keys(account)])
        check_times(claims, self.clock())
        return account, claims

    def own_keys(self, account: ServiceAccount) -> list[SigningKey]:
        """The keys that an account holds itself."""
        return [key for uid, key in self.keys if uid == account.unique_id]

    # -- what they may do --------------------------------------------------------------

    def permits(self, caller: Caller, permission: str, *policies: Policy) -> bool:
        """Whether the project's policy, or that of the resource itself, gives a permission."""
        return any(
            self.rules.allows(policy, caller, permission) for policy in (self.policy, *policies)
        )

    def check(self, caller: Caller, permission: str, resource: str, *policies: Policy) -> None:
        """Raises 403 in the words of the IAM APIs."""
        if not self.permits(caller, permission, *policies):
            raise denied(permission, resource)

    def check_enabled(self, service: str) -> None:
        if service in self.enabled:
            return
        host, title = f"{service}.googleapis.com", SERVICES.get(service, service)
        url = (
            f"https://console.developers.google.com/apis/api/{host}/overview?project={self.number}"
        )
        message = (
            f"{title} has not been used in project {self.number} before or it is disabled. Enable "
            f"it by visiting {url} then retry. If you enabled this API recently, wait a few "
            "minutes for the action to propagate to our systems and retry."
        )
        info = error_info(
            "SERVICE_DISABLED",
            "googleapis.com",
            service=host,
            serviceTitle=title,
            consumer=f"projects/{self.number}",
            containerInfo=self.number,
            activationUrl=url,
        )
        link = {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Google developers console API activation", "url": url}],
        }
        raise GoogleError(
            "PERMISSION_DENIED", message, reason="accessNotConfigured", details=[info, link]
        )


def account_caller(
    account: ServiceAccount, scopes: frozenset[str], *, self_signed: bool = False
) -> Caller:
    return Caller(
        f"serviceAccount:{account.email}", account.unique_id, scopes, self_signed=self_signed
    )


def check_scopes(caller: Caller, wanted: frozenset[str], host: str) -> None:
    """Raises 403 for a token that was made for other things."""
    if caller.scopes & wanted:
        return
    raise GoogleError(
        "PERMISSION_DENIED",
        "Request had insufficient authentication scopes.",
        reason="insufficientPermissions",
        details=[error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", service=host)],
    )


def _unauthenticated(message: str, reason: str, host: str) -> GoogleError:
    return GoogleError(
        "UNAUTHENTICATED", message, details=[error_info(reason, "googleapis.com", service=host)]
    )
