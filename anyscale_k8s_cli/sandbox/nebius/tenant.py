"""The state of the tenant: everything that is in it, and who may do what with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import grpc

from anyscale_k8s_cli.sandbox.nebius import roles
from anyscale_k8s_cli.sandbox.nebius.collection import Clock, Collection
from anyscale_k8s_cli.sandbox.nebius.operations import Operations
from anyscale_k8s_cli.sandbox.nebius.refusals import Refused
from anyscale_k8s_cli.sandbox.nebius.seed import PROJECT, PROJECT_ID, REGION, TENANT_ID
from anyscale_k8s_cli.sandbox.nebius.tokens import Tokens

if TYPE_CHECKING:
    from nebius.api.nebius.iam.v1 import (
        AccessPermit,
        Container,
        Group,
        GroupMembership,
        ServiceAccount,
    )
    from nebius.api.nebius.iam.v2 import AccessKey
    from nebius.api.nebius.storage.v1 import Bucket

# What an operator and its workloads do with a bucket.
_USE = ("GetObject", "PutObject", "DeleteObject", "ListObjectsV2", "HeadBucket")


@dataclass
class Tenant:
    """`most` are the quotas by kind; `refused_attempts` how often what is new is not yet known."""

    clock: Clock
    operation_polls: int = 1
    refused_attempts: int = 1
    most: Mapping[str, int] = field(default_factory=dict)
    region: str = REGION
    # New to the object store: how often a key or a permit is still to be overlooked.
    unknown: dict[str, int] = field(default_factory=dict)
    # Shown once, by the id of the key.
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    told: set[str] = field(default_factory=set)
    # Rights that no role has any more, as if there were narrower ones.
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        from nebius.api.nebius.iam import v1, v2
        from nebius.api.nebius.storage.v1 import Bucket

        clock, most = self.clock, self.most.get
        self.tokens = Tokens(clock)
        self.operations = Operations(clock, self.operation_polls)
        self.projects: Collection[Container] = Collection("project", "project", v1.Container, clock)
        self.accounts: Collection[ServiceAccount] = Collection(
            "serviceaccount",
            "service account",
            v1.ServiceAccount,
            clock,
            most("serviceaccount", 50),
        )
        self.groups: Collection[Group] = Collection(
            "group", "group", v1.Group, clock, most("group", 50)
        )
        self.memberships: Collection[GroupMembership] = Collection(
            "groupmembership", "group membership", v1.GroupMembership, clock, named=False
        )
        self.permits: Collection[AccessPermit] = Collection(
            "accesspermit", "access permit", v1.AccessPermit, clock, named=False
        )
        self.keys: Collection[AccessKey] = Collection(
            "accesskey", "access key", v2.AccessKey, clock, most("accesskey", 20)
        )
        self.buckets: Collection[Bucket] = Collection(
            "storagebucket", "bucket", Bucket, clock, most("storagebucket", 20)
        )
        self.parents: dict[str, str] = {}
        self._add_project()

    def _add_project(self) -> None:
        from nebius.api.nebius.common.v1 import ResourceMetadata
        from nebius.api.nebius.iam.v1 import ContainerSpec, ContainerStatus

        project = self.projects.create(
            ResourceMetadata(name=PROJECT), ContainerSpec(region=self.region), TENANT_ID, PROJECT_ID
        )
        project.status = ContainerStatus(region=self.region)

    # -- rights ------------------------------------------------------------------------

    def chain(self, resource_id: str) -> list[str]:
        """A resource and all that it is in."""
        found = [resource_id]
        while parent := self._parent(found[-1]):
            found.append(parent)
        return found

    def _parent(self, resource_id: str) -> str:
        collections: tuple[Collection[Any], ...] = (
            self.projects,
            self.accounts,
            self.groups,
            self.memberships,
            self.permits,
            self.keys,
            self.buckets,
        )
        for collection in collections:
            if resource_id in collection.items:
                return str(collection.items[resource_id].metadata.parent_id)
        return self.parents.get(resource_id, "")

    def granted(self, subject: str, *, new_too: bool = True) -> list[tuple[str, str]]:
        """Pairs of role and resource that a subject holds by its groups."""
        groups = {
            item.metadata.parent_id
            for item in self.memberships.items.values()
            if item.spec.member_id == subject
        }
        return [
            (permit.spec.role, permit.spec.resource_id)
            for permit in self.permits.items.values()
            if permit.metadata.parent_id in groups
            and (new_too or self.unknown.get(permit.metadata.id, 0) <= 0)
        ]

    def may(self, subject: str, permission: str, resource_id: str, *, new_too: bool = True) -> bool:
        places = self.chain(resource_id)
        return any(
            place in places and roles.permits(role, permission)
            for role, place in self.granted(subject, new_too=new_too)
        )

    def check(self, subject: str, permission: str, resource_id: str) -> None:
        """Raises Refused with what is lacking. About what there is not, its project decides."""
        place = resource_id if self._parent(resource_id) else PROJECT_ID
        if permission in self.taken or not self.may(subject, permission, place):
            raise Refused(
                grpc.StatusCode.PERMISSION_DENIED,
                f"Permission denied: {permission} on {resource_id}",
            )

    # -- the object store's questions ------------------------------------------------------

    def key_secret(self, access_key: str) -> str | None:
        """The secret of a key that may be used now; None for one that is not known."""
        found = self.key_by_aws_id(access_key)
        if found is None or not self.usable(found) or self._overlooked(found.metadata.id):
            return None
        return self.secrets.get(found.metadata.id)

    def buckets_of(self, access_key: str) -> frozenset[str] | None:
        """The names of the buckets whose objects a key's account may read, list and write.

        None is all of the project's, also those that there are not.
        """
        key = self.key_by_aws_id(access_key)
        if key is None:
            return frozenset()
        subject = account_of(key)
        if all(self.may(subject, f"s3.{action}", PROJECT_ID) for action in _USE):
            return None
        found = frozenset(
            str(bucket.metadata.name)
            for bucket in self.buckets.items.values()
            if all(
                self.may(subject, f"s3.{action}", bucket.metadata.id, new_too=False)
                for action in _USE
            )
        )
        for permit_id in self.permits.items:
            self._overlooked(permit_id)
        return found

    def key_by_aws_id(self, access_key: str) -> Any:
        return next(
            (
                item
                for item in self.keys.items.values()
                if item.status is not None and item.status.aws_access_key_id == access_key
            ),
            None,
        )

    def usable(self, key: Any) -> bool:
        """Whether a key is active and has not ended; also tells the key's own state so."""
        from nebius.api.nebius.iam.v2 import AccessKeyStatus

        if ended(key.spec.expires_at, self.clock()):
            key.status.state = AccessKeyStatus.State.EXPIRED
        return bool(key.status.state == AccessKeyStatus.State.ACTIVE)

    def _overlooked(self, item_id: str) -> bool:
        left = self.unknown.get(item_id, 0)
        self.unknown[item_id] = left - 1
        return left > 0


def ended(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def account_of(key: Any) -> str:
    """The id of the service account that an access key is of."""
    return str(key.spec.account.service_account.id)
