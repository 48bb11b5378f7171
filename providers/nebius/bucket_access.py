"""What the operator's account may do with the bucket: by a group of its own with permits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.nebius import tags
from anyscale_k8s_cli.providers.nebius.identity import known_id
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.failures import EXISTS
from anyscale_k8s_cli.providers.nebius.sdk.iam import Grant, Named
from anyscale_k8s_cli.resource import (
    FieldChange,
    NotYetKnown,
    Observed,
    Resource,
)

NAME_LIMIT = 63
# Objects, and the bucket to be asked for itself, which clients do before they use it and
# which the first role has not in it. Together they are narrower than storage.editor, which
# would let the operator change the bucket.
# https://docs.nebius.com/object-storage/supported-actions
OBJECT_EDITOR, BUCKET_VIEWER = "storage.object-editor", "storage.viewer"
BUCKET_ROLES = (OBJECT_EDITOR, BUCKET_VIEWER)


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def key(name: str) -> str:
    return f"nebius:group/{name}"


def document(name: str, members: Sequence[str], permits: Sequence[Grant]) -> PolicyDocument:
    """For people: who is in the group, and what it may."""
    held = [{"role": item.role, "resource": item.what} for item in permits]
    text = json.dumps({"members": list(members), "permits": held}, indent=2)
    return PolicyDocument(f"group {name}", "Nebius access permits", text)


@dataclass(frozen=True)
class AccessState:
    group: Named
    members: tuple[Grant, ...]
    permits: tuple[Grant, ...]


class BucketAccess(Resource[None]):
    """Ours: the group with its member and its permits, which are nothing without it.

    A group is made in the project, whose administrators may do that, and not in the tenant.
    """

    kind: ClassVar[str] = "nebius-group"

    def __init__(
        self,
        nebius: Nebius,
        install: Install,
        name: str,
        labels: tags.Labels,
        bucket: Resource[Storage],
        account: Resource[str],
    ) -> None:
        super().__init__(
            key=key(name),
            title=f"group {name} with access to the bucket",
            install=install,
            needs=(bucket, account),
        )
        self._nebius = nebius
        self._labels = labels
        self._bucket = bucket
        self._account = account
        self.name = name

    def read(self) -> Observed[None] | None:
        group = self._nebius.iam.group(self.name)
        if group is None:
            return None
        members, permits = side_by_side(
            lambda: self._nebius.iam.members(group.id), lambda: self._nebius.iam.permits(group.id)
        )
        return Observed(
            id=group.id,
            output=None,
            owner=tags.owner(group.labels, self.install),
            state=AccessState(group, tuple(members), tuple(permits)),
        )

    def diff(self, observed: Observed[None]) -> Sequence[FieldChange]:
        state: AccessState = observed.state
        changes = self._labels.differ(state.group.labels)
        account, bucket = known_id(self._account), self._bucket_id()
        if account not in {member.what for member in state.members}:
            changes.append(FieldChange("member", "absent", account))
        changes += [
            FieldChange("member", member.what, "absent")
            for member in state.members
            if member.what != account
        ]
        held = {(permit.what, permit.role) for permit in state.permits}
        wanted = {(bucket, role) for role in BUCKET_ROLES}
        changes += [
            FieldChange(f"{role} on {place}", "absent", "granted")
            for place, role in sorted(wanted - held)
        ]
        return changes + [
            FieldChange(f"{role} on {place}", "granted", "absent")
            for place, role in sorted(held - wanted)
        ]

    def create(self) -> Observed[None]:
        try:
            self._nebius.iam.create_group(self.name, self._labels.wanted)
        except CloudFailure as failure:
            if failure.api_code != EXISTS:
                raise
        observed = self._there()
        if observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The group name {self.name} is taken",
                cause=f"{observed.id} is not ours",
                fix="set rules.names.group to another name",
            )
        return self.update(observed, self.diff(observed))

    def update(self, observed: Observed[None], changes: Sequence[FieldChange]) -> Observed[None]:
        if not changes:
            return observed
        state: AccessState = observed.state
        iam, group = self._nebius.iam, state.group
        account, bucket = known_id(self._account), self._bucket_id()
        # What is too much goes first.
        for member in state.members:
            if member.what != account:
                iam.remove_member(member)
        for permit in state.permits:
            if permit.what != bucket or permit.role not in BUCKET_ROLES:
                iam.revoke_permit(permit)
        if account not in {member.what for member in state.members}:
            iam.add_member(group.id, account)
        held = {permit.role for permit in state.permits if permit.what == bucket}
        for role in BUCKET_ROLES:
            if role not in held:
                iam.permit(group.id, bucket, role)
        if self._labels.differ(group.labels):
            iam.label_group(group, self._labels.on(group.labels))
        return self._there()

    def delete(self, observed: Observed[None]) -> None:
        self._nebius.iam.delete_group(observed.id)

    def ready(self, observed: Observed[None]) -> Observed[None]:
        """A key that it lets in proves it by use."""
        return observed

    def grants(self, observed: Observed[None]) -> Sequence[PolicyDocument]:
        state: AccessState = observed.state
        return (document(self.name, [item.what for item in state.members], state.permits),)

    def _bucket_id(self) -> str:
        found = self._bucket.observed or self._bucket.read()
        if found is None:
            raise NotYetKnown(self._bucket)
        return found.id

    def _there(self) -> Observed[None]:
        observed = self.read()
        if observed is None:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The group {self.name} went away while it was changed",
                fix="run the same command again: it makes the group anew",
            )
        return observed
