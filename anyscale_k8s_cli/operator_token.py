"""The token that the operator signs in with where no platform vouches for it.

A service account of the control plane, made for this install or named by the user,
and one key of it at a time. What a key is worth is told once, when it is made, and
after that stands in the operator's release alone; so the release says which key it
holds, and the control plane which keys there are. A key of ours that is neither in
the release nor used by a pod was lost by a run that died: it is revoked.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from anyscale_k8s_cli.controlplane.models import ApiKey, ServiceAccount
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import MARK_PREFIX, Install
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    Claim,
    FieldChange,
    NotYetKnown,
    Observed,
    Resource,
)

DEFAULT_DAYS = 365
# A token that ends sooner than this is warned of.
WARNED_BEFORE = timedelta(days=30)
_NAME_LIMIT = 63
# Stands for the id of a key that is a person's.
_OWN = "own"


@dataclass(frozen=True)
class OperatorToken:
    """A token, and which key it is. `expires_at` is None where nobody knows."""

    key_id: str
    expires_at: datetime | None
    token: str = field(repr=False)

    @property
    def own(self) -> bool:
        """Whether it is the token of a person."""
        return self.key_id == _OWN

    @property
    def fingerprint(self) -> str:
        """Tells whether a token is still the one that belongs to its key, and nothing of it."""
        return hashlib.sha256(f"{self.key_id}\n{self.token}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class InstalledTokens:
    """What the cluster holds: the release's token, and the keys (by id) of running pods."""

    release: OperatorToken | None = None
    pods: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        return self.pods | ({self.release.key_id} if self.release else set())


def nothing_installed() -> InstalledTokens:
    """For where there is no cluster to ask."""
    return InstalledTokens()


def account_name(install: Install) -> str:
    """Of the service account that is made for an install."""
    return install.name(limit=_NAME_LIMIT)


class OperatorAccount(Resource[ServiceAccount]):
    """The service account: of a fixed name when it is ours, else the one that the user named."""

    kind: ClassVar[str] = "anyscale:service-account"

    def __init__(
        self,
        accounts: ServiceAccounts,
        install: Install,
        named: str | None = None,
    ) -> None:
        self.name = named or account_name(install)
        super().__init__(
            key=f"{self.kind}/{self.name}",
            title=f"Anyscale service account {self.name}",
            install=install,
            claim=Claim.ADOPT if named else Claim.OWN,
        )
        self._accounts = accounts

    def read(self) -> Observed[ServiceAccount] | None:
        found = self._accounts.find(self.name)
        return None if found is None else self._observed(found)

    def diff(self, observed: Observed[ServiceAccount]) -> Sequence[FieldChange]:
        """It has nothing that we set."""
        return ()

    def create(self) -> Observed[ServiceAccount]:
        return self._observed(self._accounts.create(self.name))

    def update(
        self, observed: Observed[ServiceAccount], changes: Sequence[FieldChange]
    ) -> Observed[ServiceAccount]:
        """Nothing of it can be changed: `diff` never finds anything."""
        raise AssertionError(f"no field of {self.key} can be updated: {changes}")

    def delete(self, observed: Observed[ServiceAccount]) -> None:
        self._accounts.delete(observed.output)

    def ready(self, observed: Observed[ServiceAccount]) -> Observed[ServiceAccount]:
        return observed

    def _observed(self, found: ServiceAccount) -> Observed[ServiceAccount]:
        # The install's id is in the name, and there is nowhere else to write it.
        return Observed(id=found.user_id, output=found, owner=self.install)


@dataclass(frozen=True)
class _Keys:
    """Our valid keys: the one that the release holds, and the ids of others.

    `why` says why there is no such one. One that has expired needs no revoking.
    """

    current: OperatorToken | None
    others: tuple[str, ...]
    why: str = ""


class OperatorKey(Resource[OperatorToken]):
    """Our one key of the account, known by a name that holds the install's id.

    `days` is how long a new one lives; None where none is made. `installed` tells what
    the cluster holds. With `renew` the key is replaced whatever it is. Keys that a pod
    still uses end by `retire`, once the operator is well.
    """

    kind: ClassVar[str] = "anyscale:api-key"

    def __init__(
        self,
        accounts: ServiceAccounts,
        account: OperatorAccount,
        *,
        days: int | None = None,
        installed: Callable[[], InstalledTokens] = nothing_installed,
        renew: bool = False,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{account.name}",
            title=f"API key of {account.name}" + (f", made for {days} days" if days else ""),
            install=account.install,
            needs=(account, *needs),
        )
        self.days = days or DEFAULT_DAYS
        self._accounts = accounts
        self._account = account
        self._installed = installed
        self._renew = renew

    @property
    def output(self) -> OperatorToken:
        """Raises `NotYetKnown` while the release holds no key that is of use and stays."""
        found = super().output
        if not found.token or self._renew:
            raise NotYetKnown(self)
        return found

    def read(self) -> Observed[OperatorToken] | None:
        keys = self._look()
        if keys.current is None and not keys.others:
            return None
        return self._observed(keys)

    def diff(self, observed: Observed[OperatorToken]) -> Sequence[FieldChange]:
        keys = _keys(observed)
        changes = []
        if keys.current is None:
            changes.append(FieldChange("key", keys.why, f"a new one, for {self.days} days"))
        elif self._renew:
            changes.append(
                FieldChange("key", _short(keys.current.key_id), f"a new one, for {self.days} days")
            )
        changes += [
            FieldChange(f"left-over key {_short(key_id)}", "valid", "revoked")
            for key_id in keys.others
        ]
        return changes

    def create(self) -> Observed[OperatorToken]:
        return self._mint(self._look())

    def update(
        self, observed: Observed[OperatorToken], changes: Sequence[FieldChange]
    ) -> Observed[OperatorToken]:
        del changes
        keys = self._look()
        if keys.current is None or self._renew:
            return self._mint(keys)
        return self._observed(self._forget_lost(keys))

    def delete(self, observed: Observed[OperatorToken]) -> None:
        keys = self._look()
        current = (keys.current.key_id,) if keys.current else ()
        for key_id in (*current, *keys.others):
            self._accounts.revoke(key_id)

    def ready(self, observed: Observed[OperatorToken]) -> Observed[OperatorToken]:
        """A key can be used at once."""
        return observed

    def retire(self) -> tuple[str, ...]:
        """Revoke the keys that the present one replaces, and return their ids.

        Only for when the operator is known to be connected with the present one.
        """
        replaced = () if self.observed is None else _keys(self.observed).others
        for key_id in replaced:
            self._accounts.revoke(key_id)
        return replaced

    def standing(self) -> tuple[OperatorToken | None, str]:
        """The release's key as the control plane has it; or None, and why it is of no use."""
        keys = self._look()
        return keys.current, keys.why

    def _mint(self, keys: _Keys) -> Observed[OperatorToken]:
        keys = self._forget_lost(keys)
        name = f"{self._prefix}{secrets.token_hex(4)}"
        made = self._accounts.mint(self._account.output, name, timedelta(days=self.days))
        token = OperatorToken(made.key.id, made.key.expires_at, made.token)
        self._renew = False
        replaced = (keys.current.key_id,) if keys.current else ()
        return self._observed(_Keys(token, (*replaced, *keys.others)))

    def _forget_lost(self, keys: _Keys) -> _Keys:
        """Revoke what nothing in the cluster can be using: a run died before it told of it."""
        used = self._installed().keys
        for key_id in keys.others:
            if key_id not in used:
                self._accounts.revoke(key_id)
        return _Keys(keys.current, tuple(item for item in keys.others if item in used), keys.why)

    def _look(self) -> _Keys:
        listed, now = self._listed(), self._accounts.plane.server_time()
        valid = [key for key in listed if key.expires_at > now]
        current, why = self._current(listed, valid)
        others = [key.id for key in valid if current is None or key.id != current.key_id]
        return _Keys(current, tuple(others), why)

    def _current(
        self, listed: Sequence[ApiKey], valid: Sequence[ApiKey]
    ) -> tuple[OperatorToken | None, str]:
        token = self._installed().release
        if token is None:
            return None, "not in the operator's release"
        found = next((key for key in listed if key.id == token.key_id), None)
        if found is None:
            return None, "revoked"
        if found not in valid:
            return None, f"expired since {found.expires_at:%Y-%m-%d}"
        if self._account.observed and found.id not in self._ids_of_account():
            return None, "of another service account"
        return OperatorToken(found.id, found.expires_at, token.token), ""

    def _listed(self) -> list[ApiKey]:
        """Ours by name, of whichever account: another one may have been named before."""
        found = self._accounts.keys(name=self._prefix)
        account = self._account.observed or self._account.read()
        if account is not None:
            found += self._accounts.keys(user_id=account.output.user_id)
        ours = {key.id: key for key in found if (key.name or "").startswith(self._prefix)}
        return list(ours.values())

    def _ids_of_account(self) -> set[str]:
        return {key.id for key in self._accounts.keys(user_id=self._account.output.user_id)}

    @property
    def _prefix(self) -> str:
        return f"{MARK_PREFIX}-{self.install.id}-"

    def _observed(self, keys: _Keys) -> Observed[OperatorToken]:
        current = keys.current or OperatorToken("", None, "")
        return Observed(
            id=current.key_id or next(iter(keys.others), ""),
            output=current,
            owner=self.install,
            state=keys,
        )


class OwnToken(AdoptedResource[OperatorToken]):
    """The token of the person who runs the command, where that was asked for."""

    kind: ClassVar[str] = "anyscale:own-token"

    def __init__(self, accounts: ServiceAccounts, install: Install) -> None:
        super().__init__(
            key=f"{self.kind}/{install.resource_name}",
            title="your own Anyscale token for the operator",
            install=install,
        )
        self._accounts = accounts

    def read(self) -> Observed[OperatorToken]:
        token = self._accounts.plane.credentials.token
        return Observed(_OWN, OperatorToken(_OWN, own_token_ends(self._accounts), token))


@dataclass(frozen=True)
class SignIn:
    """What the user wants the operator to sign in with.

    `account` names a service account of theirs; with none, one is made. `days` is how
    long a key shall live; None is as long as usual, or as the organisation allows.
    `own` asks for the token of whoever runs the command.
    """

    accounts: ServiceAccounts
    install: Install
    account: str | None = None
    days: int | None = None
    own: bool = False
    renew: bool = False

    def lifetime(self) -> int:
        """Days that a new key lives."""
        if self.days is not None:
            return self.days
        return min(DEFAULT_DAYS, self.accounts.longest_days() or DEFAULT_DAYS)

    def token(
        self,
        installed: Callable[[], InstalledTokens] = nothing_installed,
        needs: Sequence[Resource[Any]] = (),
    ) -> TokenParts:
        """The objects that should be. The key is made when all of `needs` is there."""
        if self.own:
            yours = OwnToken(self.accounts, self.install)
            return TokenParts((yours,), yours, "your own")
        account = OperatorAccount(self.accounts, self.install, self.account)
        key = OperatorKey(
            self.accounts,
            account,
            days=self.lifetime(),
            installed=installed,
            renew=self.renew,
            needs=needs,
        )
        return TokenParts((account, key), key, f"service account {account.name}")

    def standing(
        self, installed: Callable[[], InstalledTokens]
    ) -> tuple[OperatorToken | None, str]:
        """See `OperatorKey.standing`."""
        account = OperatorAccount(self.accounts, self.install, self.account)
        return OperatorKey(self.accounts, account, installed=installed).standing()

    def removals(self) -> tuple[Resource[Any], ...]:
        """What a teardown looks for: our account and key, and the account that was named."""
        account = OperatorAccount(self.accounts, self.install)
        key = OperatorKey(self.accounts, account)
        if self.account is None:
            return (account, key)
        return (account, key, OperatorAccount(self.accounts, self.install, self.account))


@dataclass(frozen=True)
class TokenParts:
    """All objects of a sign-in, the one that is the token, and whose token it is."""

    resources: tuple[Resource[Any], ...]
    token: Resource[OperatorToken]
    whose: str

    def retire(self) -> tuple[str, ...]:
        """Revoke the keys that the present one has replaced; see `OperatorKey.retire`."""
        return self.token.retire() if isinstance(self.token, OperatorKey) else ()


def own_token_ends(accounts: ServiceAccounts) -> datetime | None:
    """When the token of whoever asks expires; None where the control plane does not tell.

    Its list names keys by a hash, which is taken to be the usual one; a person with
    one key needs no name for it.
    """
    keys = accounts.own_keys()
    hashed = hashlib.sha256(accounts.plane.credentials.token.encode()).hexdigest()
    named = [key for key in keys if key.id == hashed] or (keys if len(keys) == 1 else [])
    return named[0].expires_at if named else None


def _keys(observed: Observed[OperatorToken]) -> _Keys:
    keys = observed.state
    assert isinstance(keys, _Keys), "only this module makes these"  # noqa: S101
    return keys


def _short(key_id: str) -> str:
    return key_id[:8]
