"""Who may do what: role assignments, and the caller's own rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.azureblob.sdk import failures
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_KIND = "Microsoft.Authorization/roleAssignments"
WRITE = f"{_KIND}/write"
_DEFINITIONS = "Microsoft.Authorization/roleDefinitions/read"
_PERMISSIONS = "Microsoft.Authorization/permissions/read"


@dataclass(frozen=True)
class Assignment:
    """`role` is the id of a role's definition, without its path; `scope` in lower case."""

    id: str
    scope: str
    role: str
    principal_id: str
    description: str = ""


@dataclass(frozen=True)
class Permission:
    """What one role lets its holder do, in Azure's patterns."""

    actions: Sequence[str]
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    not_data_actions: Sequence[str] = ()

    def allows(self, action: str) -> bool:
        return matches(self.actions, action) and not matches(self.not_actions, action)

    def allows_data(self, action: str) -> bool:
        return matches(self.data_actions, action) and not matches(self.not_data_actions, action)


@dataclass(frozen=True)
class Definition:
    """A role by its id, without its path; `scopes` are those where it can be assigned."""

    id: str
    name: str
    description: str = ""
    custom: bool = True
    scopes: Sequence[str] = ()
    permissions: Sequence[Permission] = ()


class Roles:
    """Roles in the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def assignments(self, scope: str) -> list[Assignment]:
        """Those that count at a scope, made there or above; none where there is no such thing."""
        found = self._session.find(
            f"{_KIND}/read",
            lambda: list(self._client.role_assignments.list_for_scope(scope, filter="atScope()")),
        )
        return [_assignment(item) for item in found or ()]

    def held(self, scope: str, principal_id: str) -> list[Assignment]:
        """Those of a principal, and of its groups, at a scope, above and below."""
        found = self._session.ask(
            f"{_KIND}/read",
            lambda: list(
                self._client.role_assignments.list_for_scope(
                    scope, filter=f"assignedTo('{principal_id}')"
                )
            ),
        )
        return [_assignment(item) for item in found]

    def permissions(self, role: str) -> Sequence[Permission]:
        """What a role lets its holder do; nothing where there is no such role."""
        found = self.definition(role)
        return found.permissions if found else ()

    def definition(self, role: str, scope: str = "") -> Definition | None:
        """A role by its id, looked at from a scope; else from the subscription."""
        place = scope or f"/subscriptions/{self._session.subscription}"
        found = self._session.find(
            _DEFINITIONS, lambda: self._client.role_definitions.get(place, role)
        )
        return _definition(found) if found else None

    def named(self, name: str, scope: str) -> Definition | None:
        """A role by its name, which is one of its kind in a directory, if it counts at a scope."""
        quoted = name.replace("'", "''")
        found = self._session.ask(
            _DEFINITIONS,
            lambda: list(
                self._client.role_definitions.list(scope, filter=f"roleName eq '{quoted}'")
            ),
        )
        return _definition(found[0]) if found else None

    def assign(self, scope: str, name: str, role: str, principal_id: str, description: str) -> None:
        """Give a service principal a role; that it has it already is success."""
        definitions = "providers/Microsoft.Authorization/roleDefinitions"
        properties: Mapping[str, str] = {
            "roleDefinitionId": f"/subscriptions/{self._session.subscription}/{definitions}/{role}",
            "principalId": principal_id,
            # So that a new one need not be looked up where it is not known yet.
            "principalType": "ServicePrincipal",
            "description": description,
        }
        try:
            self._session.ask(
                WRITE,
                lambda: self._client.role_assignments.create(
                    scope, name, {"properties": properties}
                ),
            )
        except CloudFailure as failure:
            if failure.api_code != failures.ASSIGNED:
                raise

    def withdraw(self, assignment: Assignment) -> None:
        """Already gone is success."""
        self._session.find(
            f"{_KIND}/delete",
            lambda: self._client.role_assignments.delete_by_id(assignment.id),
        )

    def own(self, group: str) -> list[Permission]:
        """What the caller's roles let it do in a resource group."""
        found = self._session.ask(
            _PERMISSIONS,
            lambda: list(self._client.permissions.list_for_resource_group(group)),
        )
        return [_permission(item) for item in found]

    def own_on(self, resource: str) -> list[Permission]:
        """What they let it do with one resource, by its id."""
        path = f"{resource}/providers/Microsoft.Authorization/permissions"
        return [
            Permission(
                item.get("actions") or (),
                item.get("notActions") or (),
                item.get("dataActions") or (),
                item.get("notDataActions") or (),
            )
            for item in self._session.pages(_PERMISSIONS, path, "2022-04-01")
        ]

    @property
    def _client(self) -> Any:
        from azure.mgmt.authorization import AuthorizationManagementClient

        return self._session.client(
            "authorization", lambda arguments: AuthorizationManagementClient(**arguments)
        )


def _assignment(item: Any) -> Assignment:
    return Assignment(
        id=str(item.id),
        scope=str(item.scope).lower().rstrip("/"),
        role=str(item.role_definition_id).rpartition("/")[2].lower(),
        principal_id=str(item.principal_id).lower(),
        description=str(item.description or ""),
    )


def _definition(item: Any) -> Definition:
    return Definition(
        id=str(item.name).lower(),
        name=str(item.role_name),
        description=str(item.description or ""),
        custom=str(item.role_type) != "BuiltInRole",
        scopes=tuple(map(str, item.assignable_scopes or ())),
        permissions=tuple(map(_permission, item.permissions or ())),
    )


def _permission(item: Any) -> Permission:
    return Permission(
        item.actions or (),
        item.not_actions or (),
        item.data_actions or (),
        item.not_data_actions or (),
    )


def matches(patterns: Sequence[str], action: str) -> bool:
    """Whether an action is one of those that Azure's patterns mean."""
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
