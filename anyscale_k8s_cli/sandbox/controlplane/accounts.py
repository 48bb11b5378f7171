"""Users, tokens, logins by one-time password, service accounts and API keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused, not_found

Clock = Callable[[], datetime]
OWNER = "owner"
COLLABORATOR = "collaborator"
# The duration that asks for a login without an end.
NEVER = 0


@dataclass(frozen=True)
class Seed:
    """Who exists when the world begins. `permission_level` is owner or collaborator."""

    organization_id: str = "org_demo000000000000000000"
    organization_name: str = "Demo"
    user_id: str = "usr_demo000000000000000000"
    email: str = "you@example.com"
    name: str = "You"
    permission_level: str = OWNER


@dataclass(frozen=True)
class Account:
    """A person, or a service account."""

    id: str
    email: str
    name: str
    permission_level: str
    created_at: datetime
    service: bool = False

    @property
    def owner(self) -> bool:
        return self.permission_level == OWNER


@dataclass
class Key:
    """A token that was given out; the token itself is held by its hash only."""

    id: str
    account_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "hex_hashed_id": self.id,
            "display_id": self.id[:8],
            "name": self.name,
            "created_by": self.account_id,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
            "last_used_at": None,
        }


@dataclass
class Login:
    """A login that waits for its confirmation; `polls_left` confirms it unattended."""

    duration: float
    polls_left: int
    confirmed: bool = False


@dataclass
class Accounts:
    """Who may call. The first token belongs to the seed's user and never ends."""

    seed: Seed
    clock: Clock
    login_polls: int = 1
    people: dict[str, Account] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seed = self.seed
        self.people[seed.user_id] = Account(
            seed.user_id, seed.email, seed.name, seed.permission_level, self.clock()
        )

    def admit(self, token: str) -> Account:
        """Whose token this is; raises 401."""
        key = self.keys.get(_hashed(token)) if token else None
        if key is None or key.revoked_at is not None or key.account_id not in self.people:
            raise Refused(401, "Invalid or missing credentials. Please log in again.")
        if key.expires_at is not None and self.clock() >= key.expires_at:
            raise Refused(401, "Your credentials have expired. Please log in again.")
        return self.people[key.account_id]

    def grant(self, token: str, account_id: str, *, seconds: float | None, name: str = "") -> Key:
        """Make a token valid for an account; None means for ever."""
        now = self.clock()
        # Hundreds of years, which callers use for "for ever", do not fit into a date.
        limited = seconds is not None and seconds < timedelta(days=36_500).total_seconds()
        expires = now + timedelta(seconds=seconds) if limited and seconds is not None else None
        key = Key(_hashed(token), account_id, name, now, expires)
        self.keys[key.id] = key
        return key

    def expire(self, token: str) -> None:
        """End a token's validity now."""
        self.keys[_hashed(token)].expires_at = self.clock()

    def renew(self, token: str) -> None:
        """Let it be valid for ever."""
        self.keys[_hashed(token)].expires_at = None

    def start_login(self, duration: float) -> str:
        """A one-time password."""
        otp = secrets.token_urlsafe(16)
        self.logins[otp] = Login(duration, self.login_polls)
        return otp

    def confirm_login(self, otp: str) -> None:
        if otp not in self.logins:
            raise not_found("Login", "of this address")
        self.logins[otp].confirmed = True

    def finish_login(self, otp: str) -> str | None:
        """A new token, once confirmed; a one-time password serves one time."""
        login = self.logins.get(otp)
        if login is None:
            raise not_found("One-time password", "given")
        if not login.confirmed and login.polls_left > 0:
            login.polls_left -= 1
            return None
        del self.logins[otp]
        return self.mint(self.seed.user_id, login.duration or None, "login")

    def mint(self, account_id: str, seconds: float | None, name: str) -> str:
        if account_id not in self.people:
            raise not_found("User", account_id)
        token = f"aph0_{secrets.token_urlsafe(32)}"
        self.grant(token, account_id, seconds=seconds, name=name)
        return token

    def add_service_account(self, name: str) -> Account:
        if any(person.name == name for person in self.service_accounts()):
            raise Refused(409, f"A service account with the name {name} already exists.")
        identity = f"usr_{secrets.token_hex(12)}"
        account = Account(
            identity,
            f"{name}@service-account.example.com",
            name,
            COLLABORATOR,
            self.clock(),
            service=True,
        )
        self.people[identity] = account
        return account

    def service_accounts(self) -> list[Account]:
        return [person for person in self.people.values() if person.service]

    def remove(self, account_id: str) -> None:
        """Remove an account with its keys; the seed's user stays."""
        if account_id not in self.people:
            raise not_found("Collaborator", account_id)
        if account_id == self.seed.user_id:
            raise Refused(400, "You cannot remove yourself from the organization.")
        del self.people[account_id]
        self.keys = {id_: key for id_, key in self.keys.items() if key.account_id != account_id}

    def revoke(self, key_id: str) -> None:
        if key_id not in self.keys:
            raise not_found("API key", key_id)
        self.keys[key_id].revoked_at = self.clock()


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
