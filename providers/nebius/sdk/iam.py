"""IAM: service accounts, groups with their members and permits, access keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nebius.api.nebius.common.v1 import ResourceMetadata
from nebius.api.nebius.iam.v1 import (
    AccessPermitServiceClient,
    AccessPermitSpec,
    Account,
    CreateAccessPermitRequest,
    CreateGroupMembershipRequest,
    CreateGroupRequest,
    CreateServiceAccountRequest,
    DeleteAccessPermitRequest,
    DeleteGroupMembershipRequest,
    DeleteGroupRequest,
    DeleteServiceAccountRequest,
    GetGroupByNameRequest,
    GetProjectRequest,
    GetServiceAccountByNameRequest,
    GetServiceAccountRequest,
    GroupMembershipServiceClient,
    GroupMembershipSpec,
    GroupServiceClient,
    GroupSpec,
    ListAccessPermitRequest,
    ListGroupMembershipsRequest,
    ListGroupsRequest,
    ListMemberOfRequest,
    ListServiceAccountRequest,
    ProjectServiceClient,
    ServiceAccountServiceClient,
    ServiceAccountSpec,
    UpdateGroupRequest,
    UpdateServiceAccountRequest,
)
from nebius.api.nebius.iam.v2 import (
    AccessKeyServiceClient,
    AccessKeySpec,
    AccessKeyStatus,
    CreateAccessKeyRequest,
    DeleteAccessKeyRequest,
    GetAccessKeySecretRequest,
    ListAccessKeysByAccountRequest,
    SecretDeliveryMode,
)

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.nebius.sdk import failures
from anyscale_k8s_cli.providers.nebius.sdk.session import LIMITS, PAGE, Session


@dataclass(frozen=True)
class Named:
    """A service account or a group. `version` guards a change against another one's."""

    id: str
    name: str
    labels: Mapping[str, str]
    version: int = 0
    description: str = ""


@dataclass(frozen=True)
class Grant:
    """One of a group's: a member, or a role on a resource; `id` is the grant's own."""

    id: str
    what: str
    role: str = ""


@dataclass(frozen=True)
class AccessKey:
    """A key of the object store. `ends` is None for one that lasts."""

    id: str
    access_key: str
    active: bool
    ends: datetime | None
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Owner:
    """Whose a key is: a service account's or a person's id."""

    id: str
    person: bool = False


@dataclass(frozen=True)
class NewKey:
    """A key with its secret, which Nebius tells once. `id` is that of the key itself."""

    id: str
    access_key: str
    secret: str = field(repr=False)


class Iam:
    """What IAM has in the session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def project_region(self) -> str:
        """Where the project is, and so everything in it. Empty when there is no such project."""
        found = self._project()
        if found is None:
            return ""
        return str((found.status.region if found.status else "") or found.spec.region)

    def tenant(self) -> str:
        """The id of the tenant that the project is in; empty when there is no such project."""
        found = self._project()
        return str(found.metadata.parent_id) if found is not None else ""

    def _project(self) -> Any:
        service = ProjectServiceClient(self._session.sdk)
        return self._session.find(
            "iam.project.get",
            lambda: service.get(GetProjectRequest(id=self._session.project), **LIMITS),
        )

    # -- service accounts ------------------------------------------------------------

    def account(self, name: str) -> Named | None:
        request = GetServiceAccountByNameRequest(parent_id=self._session.project, name=name)
        found = self._session.find(
            "iam.serviceaccount.get", lambda: self._accounts.get_by_name(request, **LIMITS)
        )
        return _named(found) if found is not None else None

    def has_account(self, account_id: str) -> bool:
        """Whether there is a service account of that id, of whatever project."""
        request = GetServiceAccountRequest(id=account_id)
        what = "iam.serviceaccount.get"
        return self._session.find(what, lambda: self._accounts.get(request, **LIMITS)) is not None

    def accounts(self) -> Iterator[Named]:
        for page in self._session.pages(
            "iam.serviceaccount.list",
            lambda token: self._accounts.list(
                ListServiceAccountRequest(
                    parent_id=self._session.project, page_size=PAGE, page_token=token
                ),
                **LIMITS,
            ),
        ):
            yield from map(_named, page.items)

    def create_account(self, name: str, description: str, labels: Mapping[str, str]) -> None:
        request = CreateServiceAccountRequest(
            metadata=self._new(name, labels), spec=ServiceAccountSpec(description=description)
        )
        self._session.do(
            "iam.serviceaccount.create", lambda: self._accounts.create(request, **LIMITS)
        )

    def label_account(self, account: Named, labels: Mapping[str, str]) -> None:
        request = UpdateServiceAccountRequest(
            metadata=self._changed(account, labels),
            spec=ServiceAccountSpec(description=account.description),
        )
        self._session.do(
            "iam.serviceaccount.update", lambda: self._accounts.update(request, **LIMITS)
        )

    def delete_account(self, account_id: str) -> None:
        """Its keys and memberships go with it. Already gone is success."""
        request = DeleteServiceAccountRequest(id=account_id)
        self._gone("iam.serviceaccount.delete", lambda: self._accounts.delete(request, **LIMITS))

    # -- groups ----------------------------------------------------------------------

    def group(self, name: str) -> Named | None:
        request = GetGroupByNameRequest(parent_id=self._session.project, name=name)
        found = self._session.find(
            "iam.group.get", lambda: self._groups.get_by_name(request, **LIMITS)
        )
        return _named(found) if found is not None else None

    def groups(self) -> Iterator[Named]:
        for page in self._session.pages(
            "iam.group.list",
            lambda token: self._groups.list(
                ListGroupsRequest(
                    parent_id=self._session.project, page_size=PAGE, page_token=token
                ),
                **LIMITS,
            ),
        ):
            yield from map(_named, page.items)

    def create_group(self, name: str, labels: Mapping[str, str]) -> None:
        request = CreateGroupRequest(metadata=self._new(name, labels), spec=GroupSpec())
        self._session.do("iam.group.create", lambda: self._groups.create(request, **LIMITS))

    def label_group(self, group: Named, labels: Mapping[str, str]) -> None:
        request = UpdateGroupRequest(metadata=self._changed(group, labels), spec=GroupSpec())
        self._session.do("iam.group.update", lambda: self._groups.update(request, **LIMITS))

    def delete_group(self, group_id: str) -> None:
        """Its memberships and permits go with it. Already gone is success."""
        request = DeleteGroupRequest(id=group_id)
        self._gone("iam.group.delete", lambda: self._groups.delete(request, **LIMITS))

    def members(self, group_id: str) -> list[Grant]:
        service = GroupMembershipServiceClient(self._session.sdk)
        pages = self._session.pages(
            "iam.groupmembership.list",
            lambda token: service.list_members(
                ListGroupMembershipsRequest(parent_id=group_id, page_size=PAGE, page_token=token),
                **LIMITS,
            ),
        )
        return [
            Grant(item.metadata.id, item.spec.member_id)
            for page in pages
            for item in page.memberships
        ]

    def add_member(self, group_id: str, account_id: str) -> None:
        """Already in it is success."""
        service = GroupMembershipServiceClient(self._session.sdk)
        request = CreateGroupMembershipRequest(
            metadata=ResourceMetadata(parent_id=group_id),
            spec=GroupMembershipSpec(member_id=account_id),
        )
        self._there("iam.groupmembership.create", lambda: service.create(request, **LIMITS))

    def remove_member(self, grant: Grant) -> None:
        service = GroupMembershipServiceClient(self._session.sdk)
        request = DeleteGroupMembershipRequest(id=grant.id)
        self._gone("iam.groupmembership.delete", lambda: service.delete(request, **LIMITS))

    def permits(self, group_id: str) -> list[Grant]:
        pages = self._session.pages(
            "iam.accesspermit.list",
            lambda token: self._permits.list(
                ListAccessPermitRequest(parent_id=group_id, page_size=PAGE, page_token=token),
                **LIMITS,
            ),
        )
        return [
            Grant(item.metadata.id, item.spec.resource_id, item.spec.role)
            for page in pages
            for item in page.items
        ]

    def roles(self, subject: str) -> frozenset[str]:
        """The roles on the project, or on the tenant that it is in, by the subject's groups."""
        service = GroupMembershipServiceClient(self._session.sdk)
        pages = self._session.pages(
            "iam.groupmembership.list",
            lambda token: service.list_member_of(
                ListMemberOfRequest(subject_id=subject, page_size=PAGE, page_token=token),
                **LIMITS,
            ),
        )
        groups = [group.metadata.id for page in pages for group in page.items]
        places = {self._session.project, self.tenant()}
        return frozenset(
            grant.role for group in groups for grant in self.permits(group) if grant.what in places
        )

    def permit(self, group_id: str, resource_id: str, role: str) -> None:
        """Give the group a role on a resource. Already given is success."""
        request = CreateAccessPermitRequest(
            metadata=ResourceMetadata(parent_id=group_id),
            spec=AccessPermitSpec(resource_id=resource_id, role=role),
        )
        self._there("iam.accesspermit.create", lambda: self._permits.create(request, **LIMITS))

    def revoke_permit(self, grant: Grant) -> None:
        request = DeleteAccessPermitRequest(id=grant.id)
        self._gone("iam.accesspermit.delete", lambda: self._permits.delete(request, **LIMITS))

    # -- access keys -----------------------------------------------------------------

    def keys(self, account_id: str) -> list[AccessKey]:
        """All keys of a service account; ended and inactive ones are there too."""
        account = _account(Owner(account_id))
        pages = self._session.pages(
            "iam.accesskey.list",
            lambda token: self._keys.list_by_account(
                ListAccessKeysByAccountRequest(account=account, page_size=PAGE, page_token=token),
                **LIMITS,
            ),
        )
        return [key for page in pages for key in map(_key, page.items) if key is not None]

    def create_key(
        self,
        owner: Owner,
        name: str,
        description: str,
        ends: datetime,
        labels: Mapping[str, str],
    ) -> NewKey:
        """A new key. It is not asked for again: a second would be nobody's.

        One whose secret cannot be had is of no use, and is not left behind.
        """
        request = CreateAccessKeyRequest(
            metadata=self._new(name, labels),
            spec=AccessKeySpec(
                account=_account(owner),
                expires_at=ends,
                description=description,
                secret_delivery_mode=SecretDeliveryMode.EXPLICIT,
            ),
        )
        key_id = self._session.do(
            "iam.accesskey.create", lambda: self._keys.create(request, **LIMITS), once=True
        )
        try:
            told = self._session.ask(
                "iam.accesskey.getSecret",
                lambda: self._keys.get_secret(GetAccessKeySecretRequest(id=key_id), **LIMITS),
                once=True,
            )
        except CloudFailure:
            with suppress(CloudFailure):
                self.delete_key(key_id)
            raise
        return NewKey(key_id, told.aws_access_key_id, told.secret)

    def delete_key(self, key_id: str) -> None:
        """Already gone is success."""
        request = DeleteAccessKeyRequest(id=key_id)
        self._gone("iam.accesskey.delete", lambda: self._keys.delete(request, **LIMITS))

    # -- parts -----------------------------------------------------------------------

    @property
    def _accounts(self) -> ServiceAccountServiceClient:
        return ServiceAccountServiceClient(self._session.sdk)

    @property
    def _groups(self) -> GroupServiceClient:
        return GroupServiceClient(self._session.sdk)

    @property
    def _permits(self) -> AccessPermitServiceClient:
        return AccessPermitServiceClient(self._session.sdk)

    @property
    def _keys(self) -> AccessKeyServiceClient:
        return AccessKeyServiceClient(self._session.sdk)

    def _new(self, name: str, labels: Mapping[str, str]) -> ResourceMetadata:
        return ResourceMetadata(parent_id=self._session.project, name=name, labels=labels)

    def _changed(self, found: Named, labels: Mapping[str, str]) -> ResourceMetadata:
        return ResourceMetadata(
            id=found.id,
            parent_id=self._session.project,
            name=found.name,
            labels=labels,
            resource_version=found.version,
        )

    def _gone(self, what: str, call: Any) -> None:
        try:
            self._session.do(what, call)
        except CloudFailure as failure:
            if failure.api_code != failures.ABSENT:
                raise

    def _there(self, what: str, call: Any) -> None:
        try:
            self._session.do(what, call)
        except CloudFailure as failure:
            if failure.api_code != failures.EXISTS:
                raise


def _named(item: Any) -> Named:
    return Named(
        id=item.metadata.id,
        name=item.metadata.name,
        labels=dict(item.metadata.labels),
        version=int(item.metadata.resource_version),
        description=str(getattr(item.spec, "description", "")),
    )


def _key(item: Any) -> AccessKey | None:
    status, ends = item.status, item.spec.expires_at
    if status.state in (AccessKeyStatus.State.DELETING, AccessKeyStatus.State.DELETED):
        return None
    return AccessKey(
        id=item.metadata.id,
        access_key=status.aws_access_key_id,
        active=status.state == AccessKeyStatus.State.ACTIVE,
        ends=ends.astimezone(UTC) if ends else None,
        labels=dict(item.metadata.labels),
    )


def _account(owner: Owner) -> Account:
    if owner.person:
        return Account(user_account=Account.UserAccount(id=owner.id))
    return Account(service_account=Account.ServiceAccount(id=owner.id))
