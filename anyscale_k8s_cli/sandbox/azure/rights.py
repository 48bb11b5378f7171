"""Role assignments, and what they let their principals do at a scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from anyscale_k8s_cli.sandbox.azure.directory import Directory, Principal
from anyscale_k8s_cli.sandbox.azure.errors import ArmError
from anyscale_k8s_cli.sandbox.azure.lag import Lag
from anyscale_k8s_cli.sandbox.azure.resources import within
from anyscale_k8s_cli.sandbox.azure.roles import BUILT_IN, RoleDefinition, custom_role
from anyscale_k8s_cli.sandbox.azure.seed import guid

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class Assignment:
    """`scope` as it was written, `principal_type` as it was told or found out."""

    name: str
    scope: str
    role: RoleDefinition
    principal_id: str
    principal_type: str
    created_by: str
    created_at: datetime
    description: str = ""

    @property
    def id(self) -> str:
        return f"{self.scope}/providers/{ASSIGNMENTS}/{self.name}"

    def same_grant(self, other: Assignment) -> bool:
        return (
            self.principal_id == other.principal_id
            and self.role.id == other.role.id
            and self.scope.lower() == other.scope.lower()
        )

    def as_json(self, subscription: str) -> dict[str, Any]:
        at = self.created_at.isoformat()
        return {
            "properties": {
                "roleDefinitionId": self.role.as_json(subscription)["id"],
                "principalId": self.principal_id,
                "principalType": self.principal_type,
                "scope": self.scope,
                "condition": None,
                "conditionVersion": None,
                "createdOn": at,
                "updatedOn": at,
                "createdBy": self.created_by,
                "updatedBy": self.created_by,
                "delegatedManagedIdentityResourceId": None,
                "description": self.description or None,
            },
            "id": self.id,
            "type": ASSIGNMENTS,
            "name": self.name,
        }


@dataclass
class Rights:
    """The assignments of a subscription. `propagation` is how long data planes lag behind."""

    directory: Directory
    subscription: str
    propagation: Lag
    assignments: dict[str, Assignment] = field(default_factory=dict)
    definitions: dict[str, RoleDefinition] = field(
        default_factory=lambda: {role.id: role for role in BUILT_IN}
    )

    def forget_scope(self, scope: str) -> None:
        """What was granted on a resource goes with it."""
        for item in [a for a in self.assignments.values() if within(a.scope, scope)]:
            del self.assignments[item.name]

    # -- what is granted ----------------------------------------------------------

    def put(self, assignment: Assignment, *, settled: bool = False) -> None:
        self.assignments[assignment.name] = assignment
        if not settled:
            self.propagation.begin(assignment)

    def remove(self, name: str) -> Assignment | None:
        return self.assignments.pop(name, None)

    def grant(self, principal: Principal, role: RoleDefinition, scope: str) -> Assignment:
        """Assign a role as somebody did long ago."""
        name = guid("assignment", principal.object_id, role.id, scope.lower())
        assignment = Assignment(
            name,
            scope,
            role,
            principal.object_id,
            "ServicePrincipal",
            created_by=guid("principal", "somebody"),
            created_at=self.directory.clock(),
        )
        self.put(assignment, settled=True)
        return assignment

    def replace(self, principal: Principal, grants: Sequence[Mapping[str, Any]]) -> None:
        """From now on a principal holds these roles and no other.

        A grant names a `role`, or gives a document with the `actions` of one of its
        own; `scope` is the subscription where it is not named.
        """
        for held in [a for a in self.assignments.values() if a.principal_id == principal.object_id]:
            del self.assignments[held.name]
        for number, grant in enumerate(grants):
            scope = str(grant.get("scope") or self.subscription)
            self.grant(principal, self._granted(grant, principal, number), scope)

    def _granted(
        self, grant: Mapping[str, Any], principal: Principal, number: int
    ) -> RoleDefinition:
        if "role" in grant:
            return self.role_named(str(grant["role"]))
        identifier = guid("role", principal.object_id, str(number))
        role = custom_role(identifier, grant)
        self.definitions[identifier] = role
        return role

    def define(self, role: RoleDefinition) -> None:
        """A new role, or one that is other from now on, for those who hold it too."""
        self.definitions[role.id] = role
        for name, held in self.assignments.items():
            if held.role.id == role.id:
                self.assignments[name] = replace(held, role=role)

    def role_named(self, name: str) -> RoleDefinition:
        """Raises LookupError for an unknown role."""
        found = next((role for role in self.definitions.values() if role.name == name), None)
        if found is None:
            raise LookupError(f"there is no role {name!r}")
        return found

    # -- what it means ------------------------------------------------------------------

    def held(self, principal: Principal, scope: str) -> Iterator[Assignment]:
        """The assignments that count for a principal at a scope."""
        holders = {principal.object_id, *principal.groups}
        for assignment in self.assignments.values():
            if assignment.principal_id in holders and within(scope, assignment.scope):
                yield assignment

    def allowed(self, principal: Principal, action: str, scope: str) -> bool:
        return any(item.role.allows(action) for item in self.held(principal, scope))

    def in_effect(self, principal: Principal, action: str, scope: str, *, data: bool) -> bool:
        """Whether a data plane lets it; each question counts as one attempt of waiting."""
        granting = [
            item for item in self.held(principal, scope) if item.role.allows(action, data=data)
        ]
        return any(self.propagation.passed(item) for item in granting)

    def check(self, principal: Principal, action: str, scope: str) -> None:
        """Raises 403, naming action and scope."""
        if self.allowed(principal, action, scope):
            return
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{principal.app_id}' with object id '{principal.object_id}' does not have "
            f"authorization to perform action '{action}' over scope '{scope}' or the scope is "
            "invalid. If access was recently granted, please refresh your credentials.",
        )
