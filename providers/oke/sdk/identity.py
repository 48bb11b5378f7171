"""Identity: users, groups with members, policies, customer secret keys, compartments.

All but the regions is asked in the home region: changes are made there alone, and what was
changed is seen there first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oci.identity import IdentityClient
from oci.identity.models import (
    AddUserToGroupDetails,
    CreateCustomerSecretKeyDetails,
    CreateGroupDetails,
    CreatePolicyDetails,
    CreateUserDetails,
    UpdateGroupDetails,
    UpdatePolicyDetails,
    UpdateUserDetails,
)

from anyscale_k8s_cli.providers.oke.sdk.session import Session

ACTIVE = "ACTIVE"
_GONE = frozenset({"DELETING", "DELETED"})


@dataclass(frozen=True)
class Named:
    """A user, a group or a policy. Only policies have `statements`."""

    id: str
    name: str
    tags: Mapping[str, str]
    statements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Membership:
    """A user in a group; `id` is its own."""

    id: str
    user: str


@dataclass(frozen=True)
class SecretKey:
    """A customer secret key without its secret; `id` is the access key."""

    id: str
    name: str
    active: bool


@dataclass(frozen=True)
class NewSecretKey:
    """One with its secret, which Oracle tells once."""

    id: str
    secret: str = field(repr=False)


class Identity:
    """What identity has in the session's tenancy."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> IdentityClient:
        return self._session.client(IdentityClient, self._session.home_region)

    def compartments(self) -> list[tuple[str, str]]:
        """Ids and names of all compartments that we may see, the tenancy's root first."""
        tenancy = self._session.tenancy
        found = self._session.items(
            "identity.ListCompartments",
            lambda **page: self._client.list_compartments(
                tenancy, compartment_id_in_subtree=True, access_level="ACCESSIBLE", **page
            ),
        )
        below = [(item.id, item.name) for item in found if item.lifecycle_state == ACTIVE]
        return [(tenancy, "the tenancy's root"), *below]

    # -- users -------------------------------------------------------------------------

    def user(self, name: str) -> Named | None:
        return next(iter(self._users(name=name)), None)

    def users(self) -> list[Named]:
        return list(self._users())

    def _users(self, **named: str) -> Iterator[Named]:
        return self._named(
            "identity.ListUsers",
            lambda **page: self._client.list_users(self._session.tenancy, **named, **page),
        )

    def has_user(self, user_id: str) -> bool:
        found = self._session.find("identity.GetUser", lambda: self._client.get_user(user_id))
        return found is not None

    def create_user(self, name: str, text: str, tags: Mapping[str, str]) -> None:
        details = CreateUserDetails(
            compartment_id=self._session.tenancy,
            name=name,
            description=text,
            freeform_tags=dict(tags),
        )
        self._session.ask("identity.CreateUser", lambda: self._client.create_user(details))

    def tag_user(self, user_id: str, tags: Mapping[str, str]) -> None:
        details = UpdateUserDetails(freeform_tags=dict(tags))
        self._session.ask("identity.UpdateUser", lambda: self._client.update_user(user_id, details))

    def delete_user(self, user_id: str) -> None:
        """Already gone is success."""
        self._session.remove(
            "identity.DeleteUser",
            lambda: self._client.delete_user(user_id),
            lambda: self.has_user(user_id),
        )

    # -- groups ------------------------------------------------------------------------

    def group(self, name: str) -> Named | None:
        return next(iter(self._groups(name=name)), None)

    def groups(self) -> list[Named]:
        return list(self._groups())

    def _groups(self, **named: str) -> Iterator[Named]:
        return self._named(
            "identity.ListGroups",
            lambda **page: self._client.list_groups(self._session.tenancy, **named, **page),
        )

    def create_group(self, name: str, text: str, tags: Mapping[str, str]) -> None:
        details = CreateGroupDetails(
            compartment_id=self._session.tenancy,
            name=name,
            description=text,
            freeform_tags=dict(tags),
        )
        self._session.ask("identity.CreateGroup", lambda: self._client.create_group(details))

    def tag_group(self, group_id: str, tags: Mapping[str, str]) -> None:
        details = UpdateGroupDetails(freeform_tags=dict(tags))
        self._session.ask(
            "identity.UpdateGroup", lambda: self._client.update_group(group_id, details)
        )

    def delete_group(self, group_id: str) -> None:
        """Already gone is success."""
        self._session.remove(
            "identity.DeleteGroup",
            lambda: self._client.delete_group(group_id),
            lambda: any(item.id == group_id for item in self.groups()),
        )

    def members(self, group_id: str) -> list[Membership]:
        found = self._session.items(
            "identity.ListUserGroupMemberships",
            lambda **page: self._client.list_user_group_memberships(
                self._session.tenancy, group_id=group_id, **page
            ),
        )
        return [Membership(item.id, item.user_id) for item in found if _there(item)]

    def groups_of(self, user_id: str) -> set[str]:
        """The ids of the groups that a user is in."""
        found = self._session.items(
            "identity.ListUserGroupMemberships",
            lambda **page: self._client.list_user_group_memberships(
                self._session.tenancy, user_id=user_id, **page
            ),
        )
        return {item.group_id for item in found if _there(item)}

    def add_member(self, group_id: str, user_id: str) -> None:
        details = AddUserToGroupDetails(user_id=user_id, group_id=group_id)
        self._session.ask(
            "identity.AddUserToGroup", lambda: self._client.add_user_to_group(details)
        )

    def remove_member(self, membership: Membership) -> None:
        """Already gone is success."""
        self._session.find(
            "identity.RemoveUserFromGroup",
            lambda: self._client.remove_user_from_group(membership.id),
        )

    # -- policies ------------------------------------------------------------------------

    def policy(self, compartment: str, name: str) -> Named | None:
        return next(iter(self._policies(compartment, name=name)), None)

    def policies(self, compartment: str) -> list[Named]:
        return list(self._policies(compartment))

    def _policies(self, compartment: str, **named: str) -> Iterator[Named]:
        return self._named(
            "identity.ListPolicies",
            lambda **page: self._client.list_policies(compartment, **named, **page),
        )

    def create_policy(
        self,
        compartment: str,
        name: str,
        text: str,
        statements: Sequence[str],
        tags: Mapping[str, str],
    ) -> None:
        details = CreatePolicyDetails(
            compartment_id=compartment,
            name=name,
            description=text,
            statements=list(statements),
            freeform_tags=dict(tags),
        )
        self._session.ask("identity.CreatePolicy", lambda: self._client.create_policy(details))

    def update_policy(
        self, policy_id: str, statements: Sequence[str], tags: Mapping[str, str]
    ) -> None:
        details = UpdatePolicyDetails(statements=list(statements), freeform_tags=dict(tags))
        self._session.ask(
            "identity.UpdatePolicy", lambda: self._client.update_policy(policy_id, details)
        )

    def delete_policy(self, policy_id: str) -> None:
        """Already gone is success."""
        self._session.remove(
            "identity.DeletePolicy",
            lambda: self._client.delete_policy(policy_id),
            lambda: self._has_policy(policy_id),
        )

    def _has_policy(self, policy_id: str) -> bool:
        found = self._session.find("identity.GetPolicy", lambda: self._client.get_policy(policy_id))
        return found is not None

    # -- customer secret keys --------------------------------------------------------------

    def keys(self, user_id: str) -> list[SecretKey]:
        """None where there is no such user."""
        found = self._session.find(
            "identity.ListCustomerSecretKeys",
            lambda: self._client.list_customer_secret_keys(user_id),
        )
        return [
            SecretKey(item.id, item.display_name or "", item.lifecycle_state in (None, ACTIVE))
            for item in (found.data if found is not None else ())
            if _there(item)
        ]

    def create_key(self, user_id: str, name: str) -> NewSecretKey:
        details = CreateCustomerSecretKeyDetails(display_name=name)
        made = self._session.ask(
            "identity.CreateCustomerSecretKey",
            lambda: self._client.create_customer_secret_key(details, user_id),
            once=True,
        ).data
        return NewSecretKey(made.id, made.key)

    def delete_key(self, user_id: str, key_id: str) -> None:
        """Already gone is success."""
        self._session.remove(
            "identity.DeleteCustomerSecretKey",
            lambda: self._client.delete_customer_secret_key(user_id, key_id),
            lambda: any(item.id == key_id for item in self.keys(user_id)),
        )

    def _named(self, what: str, call: Any) -> Iterator[Named]:
        for item in self._session.items(what, call):
            if _there(item):
                statements = tuple(getattr(item, "statements", None) or ())
                yield Named(item.id, item.name, dict(item.freeform_tags or {}), statements)


def _there(item: Any) -> bool:
    return item.lifecycle_state not in _GONE
