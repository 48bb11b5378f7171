"""The tenancy: whom it knows, what they may do, and the identity service's objects."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anyscale_k8s_cli.sandbox.oci import policies
from anyscale_k8s_cli.sandbox.oci.policies import Grant, Names, Need
from anyscale_k8s_cli.sandbox.oci.refusals import conflict, not_there, stale
from anyscale_k8s_cli.sandbox.oci.seed import COMPARTMENTS, REGION, TENANCY_ID, ocid

MOST_KEYS = 2


@dataclass
class Item:
    """A user, a group or a policy. `more` is what its kind has besides."""

    id: str
    name: str
    description: str
    compartment: str
    tags: dict[str, str]
    created: datetime
    version: int = 1
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f"{self.id[-12:]}-{self.version}"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "compartmentId": self.compartment,
            "freeformTags": dict(self.tags),
            "definedTags": {},
            "lifecycleState": "ACTIVE",
            "timeCreated": self.created.isoformat(),
            **self.more,
        }


@dataclass
class SecretKey:
    """A customer secret key. `refusals`: how often the object store does not know it yet."""

    id: str
    user: str
    name: str
    secret: str = field(repr=False)
    created: datetime
    refusals: int
    active: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "userId": self.user,
            "displayName": self.name,
            "lifecycleState": "ACTIVE" if self.active else "INACTIVE",
            "timeCreated": self.created.isoformat(),
        }


class Tenancy:
    """Not safe for threads by itself: the front has a lock.

    `refused_attempts` is how often the object store does not know a new key or policy yet.
    """

    def __init__(
        self, clock: Callable[[], datetime], refused_attempts: int = 0, home: str = REGION
    ) -> None:
        self.clock = clock
        self.home = home
        self.users: dict[str, Item] = {}
        self.groups: dict[str, Item] = {}
        self.policies: dict[str, Item] = {}
        self.members: dict[str, tuple[str, str]] = {}
        self.keys: dict[str, SecretKey] = {}
        self._refused_attempts = refused_attempts
        self._refusals: dict[str, int] = {}
        self._numbers = itertools.count(1)

    # -- objects -----------------------------------------------------------------

    def add(
        self,
        kind: str,
        name: str,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        compartment: str = TENANCY_ID,
        **more: Any,
    ) -> Item:
        """A new object. Raises `Refused` where the name is taken."""
        items = self._kind(kind)
        if any((i.name, i.compartment) == (name, compartment) for i in items.values()):
            raise conflict(f"{kind.capitalize()}AlreadyExists", f"{kind} '{name}' already exists")
        made = Item(
            ocid(kind, f"{name}/{next(self._numbers)}"),
            name,
            description,
            compartment,
            dict(tags or {}),
            self.clock(),
            more=more,
        )
        items[made.id] = made
        self._refusals[made.id] = self._refused_attempts
        return made

    def find(self, kind: str, item_id: str) -> Item:
        found = self._kind(kind).get(item_id)
        if found is None:
            raise not_there()
        return found

    def _kind(self, kind: str) -> dict[str, Item]:
        return {"user": self.users, "group": self.groups, "policy": self.policies}[kind]

    def change(self, item: Item, fields: Mapping[str, Any], etag: str = "") -> None:
        if etag not in ("", "*", item.etag):
            raise stale()
        if fields.get("freeformTags") is not None:
            item.tags = dict(fields["freeformTags"])
        if fields.get("description"):
            item.description = str(fields["description"])
        if fields.get("statements"):
            item.more["statements"] = list(fields["statements"])
        item.version += 1

    def join(self, user: str, group: str) -> str:
        self.find("user", user)
        self.find("group", group)
        if (user, group) in self.members.values():
            raise conflict("MembershipAlreadyExists", "The user is already in the group")
        made = ocid("groupmembership", f"{user}/{group}/{next(self._numbers)}")
        self.members[made] = (user, group)
        return made

    def remove_user(self, user: str) -> None:
        if any(member == user for member, _ in self.members.values()):
            raise conflict("UserHasGroupMemberships", "The user is still in a group")
        del self.users[user]
        self.keys = {key.id: key for key in self.keys.values() if key.user != user}

    def remove_group(self, group: str) -> None:
        if any(found == group for _, found in self.members.values()):
            raise conflict("GroupNotEmpty", "The group still has members")
        del self.groups[group]

    # -- keys --------------------------------------------------------------------

    def issue(self, user: str, name: str) -> SecretKey:
        if sum(key.user == user for key in self.keys.values()) >= MOST_KEYS:
            raise conflict(
                "LimitExceeded",
                f"The user has the most customer secret keys that there may be: {MOST_KEYS}",
            )
        made = SecretKey(
            secrets.token_hex(20),
            user,
            name,
            secrets.token_urlsafe(33),
            self.clock(),
            self._refused_attempts,
        )
        self.keys[made.id] = made
        return made

    # -- rights --------------------------------------------------------------------

    def groups_of(self, user: str) -> set[str]:
        return {group for member, group in self.members.values() if member == user}

    def parse(self, statements: list[str]) -> list[Grant]:
        return policies.parse(statements, self._names())

    def _names(self) -> Names:
        return Names(
            {group.name: group.id for group in self.groups.values()},
            {name: place for place, name in COMPARTMENTS.items()},
        )

    def grants(self, user: str, *, except_for: frozenset[str] = frozenset()) -> list[Grant]:
        """What a user's groups are granted, but for what some policies say."""
        groups = self.groups_of(user)
        return [
            grant
            for policy in self.policies.values()
            if policy.id not in except_for
            for grant in policies.understood(policy.more["statements"], self._names())
            if grant.group in groups
        ]

    def may(self, user: str, need: Need) -> bool:
        return any(grant.covers(need) for grant in self.grants(user))

    def check(self, user: str, need: Need) -> None:
        """Raises what Oracle answers to whoever may not."""
        if not self.may(user, need):
            raise not_there()

    # -- for the object store ------------------------------------------------------

    def admitted(self, key_id: str, places: Mapping[str, str]) -> tuple[str, frozenset[str]] | None:
        """A key's secret and the buckets that it reaches; None for one that is not known (yet).

        `places` are the compartments of the buckets. Each use brings what is new nearer.
        """
        key = self.keys.get(key_id)
        if key is None or not key.active:
            return None
        if key.refusals:
            key.refusals -= 1
            return None
        fresh = frozenset(item for item in self.policies if self._refusals.get(item, 0) > 0)
        for item in fresh:
            self._refusals[item] -= 1
        grants = self.grants(key.user, except_for=fresh)

        def has(verb: str, what: str, bucket: str, place: str) -> bool:
            return any(grant.covers(Need(verb, what, place, bucket)) for grant in grants)

        return key.secret, frozenset(
            bucket
            for bucket, place in places.items()
            if has("manage", "objects", bucket, place) and has("read", "buckets", bucket, place)
        )
