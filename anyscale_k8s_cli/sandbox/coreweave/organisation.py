"""What an organisation holds, and its rules: keys, policies, and what they let into a bucket."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.sandbox.coreweave.federation import AUDIENCE, IssuerKeys, role_of
from anyscale_k8s_cli.sandbox.coreweave.refusals import Refused, invalid
from anyscale_k8s_cli.sandbox.coreweave.seed import ADMIN, ORGANISATION

_ATTRIBUTE = re.compile(r"(?!cw-|role|groups)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_MOST_ATTRIBUTES = 15
_MOST_SECONDS = 2**32 - 1
_VERSION = "v1alpha1"
_SESSION = timedelta(minutes=15)
_EXCHANGE = "cwobject:CreateAccessKeyFromOIDC"


@dataclass
class AccessKey:
    """`refusals`: uses at the store, which does not know it yet. `session` is the token that
    goes with one that was got in exchange: nobody lists or revokes it, and the store knows it
    at once, since whoever is refused comes with another."""

    id: str
    principal: str
    attributes: dict[str, str]
    expiry: datetime | None
    secret: str = field(repr=False)
    refusals: int = 0
    session: str = field(default="", repr=False)


class Organisation:
    """Safe to use from any thread. `refused_attempts`: how late the store learns of a key."""

    def __init__(
        self, refused_attempts: int = 1, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.keys: dict[str, AccessKey] = {}
        self.exchanged: dict[str, AccessKey] = {}
        # Issuers that somebody has entered in the console, with their audiences.
        self.federated: dict[str, str] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {f"CW-SECRET-{secrets.token_hex(20)}": ADMIN}
        # Rights that were taken from users, by patterns.
        self.taken: dict[str, tuple[str, ...]] = {}
        self._refused_attempts = refused_attempts

    @property
    def token(self) -> str:
        """The administrator's."""
        return next(token for token, user in self.tokens.items() if user == ADMIN)

    def user(self, token: str) -> str:
        """Whose a token is. Raises `Refused`."""
        found = self.tokens.get(token)
        if found is None:
            raise Refused(401, 16, "invalid or expired API token")
        return found

    def can(self, user: str, right: str) -> bool:
        """Whether the user's roles have the right."""
        return not any(fnmatchcase(right, item) for item in self.taken.get(user, ()))

    def may(self, user: str, right: str) -> None:
        if not self.can(user, right):
            raise Refused(403, 7, f"user {user} is not authorized to perform {right}")

    # -- keys --------------------------------------------------------------------------

    def create_key(self, user: str, seconds: object, attributes: object) -> AccessKey:
        if not isinstance(seconds, int) or not 0 <= seconds <= _MOST_SECONDS:
            raise invalid("durationSeconds must be between 0 and 4294967295")
        if not isinstance(attributes, dict) or len(attributes) > _MOST_ATTRIBUTES:
            raise invalid(f"attributes must be a map of at most {_MOST_ATTRIBUTES} entries")
        for name, value in attributes.items():
            if not _ATTRIBUTE.fullmatch(name) or not _VALUE.fullmatch(str(value)):
                raise invalid(f"attribute {name} is not valid")
        key = AccessKey(
            "CW" + secrets.token_hex(9).upper(),
            f"coreweave/{user}",
            {name: str(value) for name, value in attributes.items()},
            self.clock() + timedelta(seconds=seconds) if seconds else None,
            "cwo" + secrets.token_urlsafe(30),
            self._refused_attempts,
        )
        self.keys[key.id] = key
        return key

    def exchange_user(self, user: str) -> AccessKey:
        """A key for a while of somebody who has shown an API token."""
        return self._exchanged(f"coreweave/{user}")

    def exchange_token(self, token: str, issuer_keys: IssuerKeys) -> AccessKey:
        """A key for a while of the role that a workload's token stands for. Raises `Refused`."""
        role = role_of(token, self.federated, issuer_keys)
        if not self._allows(role, _EXCHANGE, "*"):
            raise Refused(403, 7, f"{role} is not authorized to perform {_EXCHANGE}")
        return self._exchanged(role)

    def federate(self, issuer: str, audience: str = AUDIENCE) -> None:
        """What somebody enters in the console."""
        self.federated[issuer] = audience

    def _exchanged(self, principal: str) -> AccessKey:
        key = AccessKey(
            "CWS" + secrets.token_hex(9).upper(),
            principal,
            {},
            self.clock() + _SESSION,
            "cwo" + secrets.token_urlsafe(30),
            session=secrets.token_urlsafe(40),
        )
        self.exchanged[key.id] = key
        return key

    def key(self, key_id: str) -> AccessKey | None:
        """One that the store may be asked with, of either kind."""
        return self.keys.get(key_id) or self.exchanged.get(key_id)

    def revoke_key(self, key_id: str) -> None:
        if self.keys.pop(key_id, None) is None:
            raise Refused(404, 5, f"access key {key_id} not found")

    def status(self, key: AccessKey) -> str:
        return "EXPIRED" if key.expiry and key.expiry <= self.clock() else "ACTIVE"

    # -- policies ----------------------------------------------------------------------

    def ensure_policy(self, policy: object) -> None:
        if not isinstance(policy, dict) or policy.get("version") != _VERSION:
            raise invalid(f"policy.version must be {_VERSION}")
        if not policy.get("name") or not policy.get("statements"):
            raise invalid("a policy needs a name and at least one statement")
        for statement in policy["statements"]:
            whole = all(statement.get(part) for part in ("name", "actions", "resources"))
            if not whole or statement.get("effect") not in ("Allow", "Deny"):
                raise invalid("a statement needs name, effect, actions and resources")
            if any(item.startswith("arn:") for item in statement.get("principals") or ["arn:"]):
                raise invalid("principals must be short-form identifiers")
        self.policies[policy["name"]] = policy

    def delete_policy(self, name: str) -> None:
        if self.policies.pop(name, None) is None:
            raise Refused(404, 5, f"access policy {name} not found")

    # -- for the store -------------------------------------------------------------------

    def may_use(self, key: AccessKey, action: str, bucket: str) -> bool:
        """Whether policies let a key's principal do something in a bucket; a denial wins."""
        return self._allows(key.principal, action, bucket)

    def admits(self, key: AccessKey) -> bool:
        return any(
            item.startswith(("*", "s3:"))
            for statement in self._statements(key.principal, "Allow")
            for item in statement["actions"]
        )

    def _allows(self, principal: str, action: str, bucket: str) -> bool:
        def met(effect: str) -> bool:
            return any(
                any(fnmatchcase(action, item) for item in statement["actions"])
                and any(
                    fnmatchcase(bucket, resource.partition("/")[0])
                    for resource in statement["resources"]
                )
                for statement in self._statements(principal, effect)
            )

        return met("Allow") and not met("Deny")

    def _statements(self, principal: str, effect: str) -> list[dict[str, Any]]:
        return [
            statement
            for policy in self.policies.values()
            for statement in policy["statements"]
            if statement["effect"] == effect
            and any(fnmatchcase(principal, item) for item in statement["principals"])
        ]

    # -- behind everybody's back -----------------------------------------------------------

    def revoke_all(self) -> list[str]:
        """Somebody revokes every key; returns their public halves."""
        with self.lock:
            gone = list(self.keys)
            self.keys.clear()
            return gone

    def expire_all(self) -> list[str]:
        """End every key, as if its time had come; returns their public halves."""
        with self.lock:
            every = {**self.keys, **self.exchanged}
            for key in every.values():
                key.expiry = self.clock()
            return list(every)

    def forget_issuers(self) -> list[str]:
        """Somebody deletes every federation in the console; returns the issuers."""
        with self.lock:
            gone = list(self.federated)
            self.federated.clear()
            return gone

    def withdraw_policies(self) -> list[str]:
        """Somebody deletes every policy; returns their names."""
        with self.lock:
            gone = list(self.policies)
            self.policies.clear()
            return gone

    def snapshot(self) -> dict[str, Any]:
        """What is there, to compare two moments by. No secrets."""
        with self.lock:
            return {
                "access_keys": {
                    key.id: {"principal": key.principal, "attributes": dict(key.attributes)}
                    for key in self.keys.values()
                },
                "access_policies": {name: dict(item) for name, item in self.policies.items()},
                "organisation": ORGANISATION,
            }


def shown(organisation: Organisation, key: AccessKey) -> Mapping[str, Any]:
    """A key as it is listed."""
    return {
        "accessKeyId": key.id,
        "principalName": key.principal,
        "orgId": ORGANISATION,
        "attributes": key.attributes,
        "status": f"ACCESS_KEY_STATUS_{organisation.status(key)}",
        "expiry": written(key.expiry),
    }


def written(expiry: datetime | None) -> str:
    """A lasting key's end is the first moment of all years."""
    return expiry.strftime("%Y-%m-%dT%H:%M:%SZ") if expiry else "0001-01-01T00:00:00Z"
