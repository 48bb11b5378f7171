"""Users, tokens, logins by one-time password, service accounts and API keys."""

from __future__ import annotations

import hashlib
import re
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
_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_KEY_NAME_LENGTH = 64


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
    """A person, or a service account. `identity` is its place in the organisation."""

    id: str
    identity: str
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
    created_by: str
    name: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def ended(self, now: datetime) -> str:
        """Why it is worth nothing any more; empty while it is."""
        if self.revoked_at is not None:
            return "Your credentials have been revoked. Please log in again."
        if now >= self.expires_at:
            return "Your credentials have expired. Please log in again."
        return ""

    def as_json(self) -> dict[str, Any]:
        return {
            "hex_hashed_id": self.id,
            "display_id": self.id[:8],
            "name": self.name,
            "created_by": self.created_by,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
            "last_used_at": None,
        }


@dataclass
class Login:
    """A login that waits for its confirmation; `polls_left` confirms it unattended."""

    duration: float
    polls_left: int
    confirmed: bool = False


# Hundreds of years, which callers use for "for ever", do not fit into a date.
_FOR_EVER = timedelta(days=36_500)


@dataclass
class Accounts:
    """Who may call. The first token belongs to the seed's user and never ends.

    An account has `key_limit` keys at most that are of use. `longest_days` is how long
    the organisation lets them live; None is for ever.
    """

    seed: Seed
    clock: Clock
    login_polls: int = 1
    key_limit: int = 10
    longest_days: int | None = None
    people: dict[str, Account] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seed = self.seed
        self.people[seed.user_id] = Account(
            seed.user_id, _identity(), seed.email, seed.name, seed.permission_level, self.clock()
        )

    def admit(self, token: str) -> Account:
        """Whose token this is; raises 401."""
        key = self.keys.get(key_id(token)) if token else None
        if key is None or key.account_id not in self.people:
            raise Refused(401, "Invalid or missing credentials. Please log in again.")
        if ended := key.ended(self.clock()):
            raise Refused(401, ended)
        return self.people[key.account_id]

    def grant(
        self, token: str, account_id: str, *, seconds: float | None, name: str = "", by: str = ""
    ) -> Key:
        """Make a token valid for an account; None means for ever."""
        now = self.clock()
        lifetime = _FOR_EVER
        if seconds is not None:
            lifetime = timedelta(seconds=min(seconds, _FOR_EVER.total_seconds()))
        key = Key(key_id(token), account_id, by or account_id, name, now, now + lifetime)
        self.keys[key.id] = key
        return key

    def expire(self, token: str) -> None:
        """End a token's validity now."""
        self.keys[key_id(token)].expires_at = self.clock()

    def renew(self, token: str) -> None:
        """Let it be valid for ever."""
        self.keys[key_id(token)].expires_at = self.clock() + _FOR_EVER

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

    def mint(self, account_id: str, seconds: float | None, name: str, by: str = "") -> str:
        """A new token; nobody can be told it again. `by` is who asked for it."""
        if account_id not in self.people:
            raise not_found("User", account_id)
        if len(name) > _KEY_NAME_LENGTH:
            raise Refused(400, f"The name of an API key has {_KEY_NAME_LENGTH} characters at most.")
        longest = self.longest_days
        if longest is not None and (seconds is None or seconds > longest * 86_400):
            raise Refused(
                400, f"API keys of this organization expire after {longest} days at most."
            )
        if len(self.live_keys(account_id)) >= self.key_limit:
            raise Refused(400, f"This user has {self.key_limit} API keys, which is the limit.")
        token = f"aph0_{secrets.token_urlsafe(32)}"
        self.grant(token, account_id, seconds=seconds, name=name, by=by)
        return token

    def live_keys(self, account_id: str) -> list[Key]:
        """Those of an account that are of use."""
        now = self.clock()
        return [key for key in self.keys_of(account_id) if not key.ended(now)]

    def keys_of(self, account_id: str | None) -> list[Key]:
        """All that were given out, to one account or to everybody."""
        return [key for key in self.keys.values() if account_id in (None, key.account_id)]

    def add_service_account(self, name: str) -> Account:
        if not _SERVICE_NAME.fullmatch(name):
            raise Refused(400, f"{name!r} is not a valid name for a service account.")
        if any(person.name == name for person in self.service_accounts()):
            raise Refused(409, f"A service account with the name {name} already exists.")
        identity = f"usr_{secrets.token_hex(12)}"
        account = Account(
            identity,
            _identity(),
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

    def remove(self, identity: str) -> None:
        """Remove an account with its keys, by its identity; the seed's user stays."""
        found = next((one for one in self.people.values() if one.identity == identity), None)
        if found is None:
            raise not_found("Collaborator", identity)
        if found.id == self.seed.user_id:
            raise Refused(400, "You cannot remove yourself from the organization.")
        del self.people[found.id]
        self.keys = {id_: key for id_, key in self.keys.items() if key.account_id != found.id}

    def revoke(self, id: str, owner: str | None = None) -> None:
        """End a key, of `owner` alone if one is named. Revoked already is no success."""
        key = self.keys.get(id)
        if key is None or owner not in (None, key.account_id) or key.revoked_at is not None:
            raise not_found("API key", id)
        key.revoked_at = self.clock()

    def ended(self, id: str) -> str:
        """Why a key that was let in once is not any more; empty while it is."""
        key = self.keys.get(id)
        gone = "Your credentials have been revoked. Please log in again."
        return gone if key is None else key.ended(self.clock())


def _identity() -> str:
    return f"ide_{secrets.token_hex(12)}"


def key_id(token: str) -> str:
    """By what the key of a token is held."""
    return hashlib.sha256(token.encode()).hexdigest()
