"""The user whose key the operator has, and the group that policies speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.oke import tags
from anyscale_k8s_cli.providers.oke.keys import MOST, keys_of_others, make_room
from anyscale_k8s_cli.providers.oke.named import NamedResource, known_id
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.identity import Named
from anyscale_k8s_cli.resource import (
    OR_IDENTITY,
    AdoptedResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
)


class User(NamedResource):
    """Ours. Keys of the object store belong to users alone: no machine or pod has any."""

    kind: ClassVar[str] = "oci-user"
    way_around: ClassVar[str] = OR_IDENTITY

    def _find(self) -> Named | None:
        return self._oracle.identity.user(self.name)

    def _make(self) -> None:
        self._oracle.identity.create_user(self.name, self._text, self._tags.wanted)

    def _write_tags(self, found: Named, wanted: Mapping[str, str]) -> None:
        self._oracle.identity.tag_user(found.id, wanted)

    def delete(self, observed: Observed[str]) -> None:
        self._oracle.identity.delete_user(observed.id)


class AdoptedUser(AdoptedResource[str]):
    """The user's own, by its id: it is put into our group, and gets a key of ours."""

    kind: ClassVar[str] = "oci-user"

    def __init__(self, oracle: Oracle, install: Install, user_id: str) -> None:
        super().__init__(key=f"oci:user/{user_id}", title=f"user {user_id}", install=install)
        self._oracle = oracle
        self._id = user_id

    @property
    def output(self) -> str:
        return self._id

    def read(self) -> Observed[str] | None:
        if not self._oracle.identity.has_user(self._id):
            return None
        return Observed(id=self._id, output=self._id, unfit=self._without_room())

    def _without_room(self) -> tuple[Unfit, ...]:
        """One key is ours, or is going to be."""
        others = keys_of_others(self._oracle, self._id, self.install)
        if len(others) < MOST:
            return ()
        told = ", ".join(f"{item.name} ({item.id})" for item in others)
        reason = f"it has {MOST} customer secret keys of others, and there may be no more: {told}"
        return (Unfit(reason, make_room(self._id)),)


class Group(NamedResource):
    """Ours, with the user as its one member."""

    kind: ClassVar[str] = "oci-group"

    def __init__(
        self,
        oracle: Oracle,
        install: Install,
        name: str,
        wanted_tags: tags.Tags,
        user: Resource[str],
    ) -> None:
        super().__init__(oracle, install, name, wanted_tags, needs=(user,))
        self._user = user

    def _find(self) -> Named | None:
        return self._oracle.identity.group(self.name)

    def _make(self) -> None:
        self._oracle.identity.create_group(self.name, self._text, self._tags.wanted)

    def _write_tags(self, found: Named, wanted: Mapping[str, str]) -> None:
        if dict(found.tags) != dict(wanted):
            self._oracle.identity.tag_group(found.id, wanted)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        user = known_id(self._user)
        members = {item.user for item in self._oracle.identity.members(observed.id)}
        missing = [] if user in members else [FieldChange("member", "absent", user)]
        strangers = [FieldChange("member", item, "absent") for item in sorted(members - {user})]
        return [*super().diff(observed), *missing, *strangers]

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        if any(change.field == "member" for change in changes):
            self._set_members(observed.id, known_id(self._user))
        return super().update(observed, changes)

    def _set_members(self, group: str, user: str) -> None:
        members = self._oracle.identity.members(group)
        for item in members:
            if item.user != user:
                self._oracle.identity.remove_member(item)
        if user not in {item.user for item in members}:
            self._oracle.identity.add_member(group, user)

    def delete(self, observed: Observed[str]) -> None:
        """Oracle deletes empty groups alone."""
        for item in self._oracle.identity.members(observed.id):
            self._oracle.identity.remove_member(item)
        self._oracle.identity.delete_group(observed.id)
