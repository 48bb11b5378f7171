"""What the identity of pods may do with the blobs: a role on the account, or on a container."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from anyscale_k8s_cli.cloud_side import Identity
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.aks import tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.sdk.roles import Assignment
from anyscale_k8s_cli.providers.aks.storage_role import NEEDED, ROLE, ROLE_NAME, StorageRole
from anyscale_k8s_cli.providers.azureblob.sdk import identities
from anyscale_k8s_cli.providers.azureblob.sdk.failures import NO_PRINCIPAL
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    FieldChange,
    NotYetKnown,
    Observed,
    Resource,
    Unfit,
)

_NAMESPACE = uuid.UUID("0d9d1f9e-6a1b-5c55-9f0e-2f5a8a8f6c11")


def assignment_name(scope: str, principal_id: str, role: str) -> str:
    """Fixed for one principal at one scope: another principal of the same name gets its own."""
    return str(uuid.uuid5(_NAMESPACE, f"{scope.lower()}\n{principal_id.lower()}\n{role}"))


def container_id(account_id: str, container: str) -> str:
    return f"{account_id}/blobServices/default/containers/{container}"


def command(scope: str, principal_id: str, role: str = ROLE_NAME) -> str:
    """What a person types to grant it."""
    return (
        f'az role assignment create --role "{role}" --assignee-object-id {principal_id} '
        f"--assignee-principal-type ServicePrincipal --scope {scope}"
    )


def _told(role: str) -> str:
    return ROLE_NAME if role == ROLE else role


def document(role: str, principal_id: str, scope: str) -> PolicyDocument:
    """An assignment for people."""
    named = f"{ROLE_NAME} ({ROLE})" if role == ROLE else role
    text = json.dumps({"role": named, "principal": principal_id, "scope": scope}, indent=2)
    return PolicyDocument("role assignment", "Azure role assignment", text)


@dataclass(frozen=True)
class Ends:
    """What an assignment joins: an account and an identity, and by which role.

    `account_id` raises `NotYetKnown`; `audience` is asked for late. `container` is the one
    that the role is on; empty where it is on all of the account.
    """

    account: str
    identity: Resource[identities.Identity]
    account_id: Callable[[], str]
    audience: Callable[[], str]
    role: StorageRole
    container: str = ""

    def scope(self) -> str:
        account = self.account_id()
        return container_id(account, self.container) if self.container else account

    @property
    def key(self) -> str:
        return f"azure:role-assignment/{self.account}/{self.identity.key.rpartition('/')[2]}"

    @property
    def title(self) -> str:
        within = f"container {self.container} of " if self.container else ""
        return f"access to {within}storage account {self.account}"

    def output(self) -> Identity:
        """Raises `NotYetKnown` until there is an identity."""
        found = self.identity.output
        return Identity(found.principal_id, found.client_id, self.audience())


class BucketAccess(Resource[Identity]):
    """The identity's role on the account: only with it is the identity of use.

    It is ours on an account of the user's too: the account itself is not changed by it.
    """

    kind: ClassVar[str] = "role-assignment"

    def __init__(
        self,
        azure: Azure,
        install: Install,
        ends: Ends,
        *,
        patience: float,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=ends.key, title=ends.title, install=install, needs=needs)
        self._azure = azure
        self._ends = ends
        self._patience = patience

    @property
    def scope(self) -> str:
        """What the role is on, by its id in lower case. Raises `NotYetKnown`."""
        return self._ends.scope().lower()

    @property
    def output(self) -> Identity:
        """It follows from the identity alone, so it is known before the role is there."""
        return self._ends.output()

    def read(self) -> Observed[Identity] | None:
        """Ours are those of our identity, and those that say so of an identity that has gone."""
        ours = self._ours()
        return self._observed(ours) if ours else None

    def diff(self, observed: Observed[Identity]) -> Sequence[FieldChange]:
        assignments: Sequence[Assignment] = observed.state
        changes = []
        if not self._granted(assignments):
            changes.append(FieldChange(self._ends.role.name, "absent", self._principal))
        return changes + [
            FieldChange(_told(item.role), item.principal_id, "absent")
            for item in self._superseded(assignments)
        ]

    def create(self) -> Observed[Identity]:
        return self._put()

    def update(
        self, observed: Observed[Identity], changes: Sequence[FieldChange]
    ) -> Observed[Identity]:
        return self._put() if changes else observed

    def delete(self, observed: Observed[Identity]) -> None:
        for assignment in self._ours():
            self._azure.roles.withdraw(assignment)

    def ready(self, observed: Observed[Identity]) -> Observed[Identity]:
        """It is proven by use, once there is a token to use it with."""
        return observed

    def grants(self, observed: Observed[Identity]) -> Sequence[PolicyDocument]:
        found: Sequence[Assignment] = observed.state
        return tuple(document(item.role, item.principal_id, item.scope) for item in found)

    # -- parts ---------------------------------------------------------------------------

    @property
    def _principal(self) -> str:
        return self._ends.identity.output.principal_id.lower()

    @property
    def _known(self) -> Identity:
        """Nobody of a role that is left of an identity that has gone."""
        try:
            return self.output
        except NotYetKnown:
            return Identity("", "")

    def _ours(self) -> list[Assignment]:
        known, scope = self._ends.identity.observed, self._ends.scope()
        principal = known.output.principal_id.lower() if known is not None else ""
        return [
            item
            for item in self._azure.roles.assignments(scope)
            if item.scope == scope.lower()
            and (
                item.description == tags.description(self.install)
                or (item.principal_id == principal and item.role == self._ends.role.id)
            )
        ]

    def _granted(self, assignments: Sequence[Assignment]) -> bool:
        return any(
            item.principal_id == self._principal and item.role == self._ends.role.id
            for item in assignments
        )

    def _superseded(self, assignments: Sequence[Assignment]) -> list[Assignment]:
        """Of another role; or of identities of ours that are no more, of which a new one of the
        name gets nothing."""
        return [
            item
            for item in assignments
            if item.principal_id != self._principal or item.role != self._ends.role.id
        ]

    def _put(self) -> Observed[Identity]:
        scope, principal = self._ends.scope(), self._principal
        assignments = self._ours()
        if not self._granted(assignments):
            role, text = self._ends.role.id, tags.description(self.install)
            name = assignment_name(scope, principal, role)
            self._azure.run.retry(
                lambda: self._azure.roles.assign(scope, name, role, principal, text),
                retriable=_not_replicated,
                what=f"the directory to know {self._ends.identity.title}",
                timeout=self._patience,
            )
        for item in self._superseded(assignments):
            self._azure.roles.withdraw(item)
        return self._observed(self._ours())

    def _observed(self, assignments: Sequence[Assignment]) -> Observed[Identity]:
        ids = sorted(item.id.lower() for item in assignments)
        return Observed(
            id=ids[0] if ids else f"{self._ends.scope()}#{self.install.id}",
            output=self._known,
            owner=self.install,
            state=assignments,
        )


class AdoptedAccess(AdoptedResource[Identity]):
    """The role of the user's identity on the user's account: looked for, never granted by us."""

    kind: ClassVar[str] = "role-assignment"

    def __init__(
        self,
        azure: Azure,
        install: Install,
        ends: Ends,
        container: str,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=ends.key, title=ends.title, install=install, needs=needs)
        self._azure = azure
        self._ends = ends
        self._container = container

    def read(self) -> Observed[Identity] | None:
        try:
            scope, identity = self._ends.account_id(), self._ends.identity.output
        except NotYetKnown:
            return None  # Told of the object that is not there.
        unfit: tuple[Unfit, ...] = ()
        try:
            if lacks := missing(self._azure, scope, self._container, identity.principal_id):
                reason = (
                    f"{self._ends.identity.title} lacks {', '.join(lacks)} on it, which "
                    f"{ROLE_NAME} has"
                )
                unfit = (Unfit(reason, command(scope, identity.principal_id)),)
        except CloudFailure as failure:
            if not failure.denied:
                raise
            # Who may not look does not know; the proof by use will tell.
        return Observed(
            id=f"{scope}#{identity.principal_id}", output=self._ends.output(), unfit=unfit
        )


def missing(azure: Azure, scope: str, container: str, principal_id: str) -> list[str]:
    """What roles on the container, the account or above do not let it do of what is needed."""
    innermost = container_id(scope, container).lower()
    roles = {
        item.role
        for item in azure.roles.held(scope, principal_id)
        if f"{innermost}/".startswith(f"{item.scope}/")
    }
    permissions = [item for role in roles for item in azure.roles.permissions(role)]
    return [
        action for action in NEEDED if not any(item.allows_data(action) for item in permissions)
    ]


def _not_replicated(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code == NO_PRINCIPAL
