"""Microsoft.Authorization: role assignments and definitions, effective permissions, locks."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.azure.arm_routes import Answer, ArmRequest, Needs, Route
from anyscale_k8s_cli.sandbox.azure.directory import Directory, Principal
from anyscale_k8s_cli.sandbox.azure.errors import ArmError, bad_request, conflict
from anyscale_k8s_cli.sandbox.azure.locks import Locks
from anyscale_k8s_cli.sandbox.azure.resources import within
from anyscale_k8s_cli.sandbox.azure.rights import ASSIGNMENTS, Assignment, Rights
from anyscale_k8s_cli.sandbox.azure.roles import RoleDefinition, custom_role

_HERE = "{scope}/providers/Microsoft.Authorization"
_EQUALS = re.compile(r"(\w+)\s+eq\s+'((?:[^']|'')*)'|(\w+)\(\s*(?:'([^']*)')?\s*\)", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_TYPES = {"User", "Group", "ServicePrincipal", "ForeignGroup", "Device"}


@dataclass(frozen=True)
class Authorization:
    """The operations at any scope."""

    rights: Rights
    directory: Directory
    locks: Locks

    def routes(self) -> list[Route]:
        one = _HERE + "/roleAssignments/{assignment}"
        read, write = f"{ASSIGNMENTS}/read", f"{ASSIGNMENTS}/write"
        definition, defines = f"{DEFINITIONS}/read", f"{DEFINITIONS}/write"
        role = _HERE + "/roleDefinitions/{definition}"
        return [
            Route("PUT", one, "RoleAssignments_Create", write, self.create),
            Route("GET", one, "RoleAssignments_Get", read, self.get),
            Route("DELETE", one, "RoleAssignments_Delete", f"{ASSIGNMENTS}/delete", self.delete),
            Route(
                "GET", _HERE + "/roleAssignments", "RoleAssignments_ListForScope", read, self.list
            ),
            Route("GET", role, "RoleDefinitions_Get", definition, self.get_definition),
            Route("PUT", role, "RoleDefinitions_CreateOrUpdate", defines, self.define),
            Route("DELETE", role, "RoleDefinitions_Delete", f"{DEFINITIONS}/delete", self.undefine),
            Route(
                "GET",
                _HERE + "/roleDefinitions",
                "RoleDefinitions_List",
                definition,
                self.list_definitions,
            ),
            Route(
                "GET",
                _HERE + "/permissions",
                "Permissions_List",
                "Microsoft.Authorization/permissions/read",
                self.permissions,
                Needs.NOWHERE,
            ),
            Route(
                "GET",
                _HERE + "/locks",
                "ManagementLocks_ListByScope",
                "Microsoft.Authorization/locks/read",
                self.list_locks,
            ),
        ]

    # -- role assignments -------------------------------------------------------------

    def create(self, request: ArmRequest) -> Answer:
        wanted = self._wanted(request)
        existing = self.rights.assignments.get(wanted.name)
        if existing is not None:
            if not existing.same_grant(wanted):
                raise bad_request(
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be "
                    "updated.",
                )
            return Answer(self._shown(existing), 200)
        for other in self.rights.assignments.values():
            if other.same_grant(wanted):
                raise conflict(
                    "RoleAssignmentExists",
                    "The role assignment already exists. The ID of the conflicting role "
                    f"assignment is {other.name.replace('-', '')}.",
                )
        self.rights.put(wanted)
        return Answer(self._shown(wanted), 201)

    def _wanted(self, request: ArmRequest) -> Assignment:
        name = request["assignment"]
        try:
            name = str(uuid.UUID(name))
        except ValueError:
            raise bad_request(
                "InvalidRoleAssignmentId",
                f"The role assignment ID '{name}' is not valid. The role assignment ID must be a "
                "GUID.",
            ) from None
        properties = request.properties
        principal_id = str(properties.get("principalId") or "").lower()
        told = str(properties.get("principalType") or "")
        role = self._role(str(properties.get("roleDefinitionId") or ""))
        if not role.assignable(request["scope"]):
            raise bad_request(
                "RoleAssignmentScopeNotAssignableToRoleDefinition",
                f"The role assignment scope '{request['scope']}' is not assignable to role "
                f"definition '{role.id}'.",
            )
        principal = self._principal(principal_id, told)
        if told and told not in _TYPES:
            raise bad_request("InvalidPrincipalType", f"The principal type '{told}' is not valid.")
        if told and told != "ServicePrincipal":
            raise bad_request(
                "UnmatchedPrincipalType",
                f"The PrincipalId '{principal.object_id.replace('-', '')}' has type "
                f"'ServicePrincipal' , which is different from specified PrinciaplType '{told}'.",
            )
        caller = request.caller
        return Assignment(
            name,
            request["scope"],
            role,
            principal.object_id,
            "ServicePrincipal",
            created_by=caller.object_id if caller else "",
            created_at=self.directory.clock(),
            description=str(properties.get("description") or ""),
        )

    def _role(self, definition: str) -> RoleDefinition:
        found = self.rights.definitions.get(definition.rsplit("/", 1)[-1].lower())
        if found is None:
            raise bad_request(
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{definition.rsplit('/', 1)[-1]}' does not "
                "exist.",
            )
        return found

    def _principal(self, principal_id: str, told: str) -> Principal:
        """A new principal is not known at once; without its type it takes longer still."""
        found = self.directory.find(principal_id)
        known = self.directory.replication.passed(principal_id)
        if known and not told:
            known = self.directory.replication.passed((principal_id, "type"))
        if found is not None and known:
            return found
        raise bad_request(
            "PrincipalNotFound",
            f"Principal {principal_id.replace('-', '')} does not exist in the directory "
            f"{self.directory.tenant_id}. Check that you have the correct principal ID. If you are "
            "creating this principal and then immediately assigning a role, this error might be "
            "related to a replication delay. In this case, set the role assignment principalType "
            "property to a value, such as ServicePrincipal, User, or Group.  See "
            "https://aka.ms/docs-principaltype",
        )

    def get(self, request: ArmRequest) -> Answer:
        found = self._at(request)
        if found is None:
            raise ArmError(
                404,
                "RoleAssignmentNotFound",
                f"The role assignment '{request['assignment']}' is not found.",
            )
        return Answer(self._shown(found))

    def delete(self, request: ArmRequest) -> Answer:
        found = self._at(request)
        if found is None:
            return Answer(status=204)
        self.locks.check_delete(found.id)
        self.rights.remove(found.name)
        return Answer(self._shown(found))

    def _at(self, request: ArmRequest) -> Assignment | None:
        found = self.rights.assignments.get(request["assignment"].lower())
        same = found is not None and found.scope.lower() == request["scope"].lower()
        return found if same else None

    def list(self, request: ArmRequest) -> Answer:
        """Those above, at and below the scope; `atScope()` leaves out those below."""
        terms = _terms(request)
        found = [
            item
            for item in self.rights.assignments.values()
            if within(request["scope"], item.scope)
            or ("atscope" not in terms and within(item.scope, request["scope"]))
        ]
        for term in ("principalid", "assignedto"):
            if term in terms:
                found = [item for item in found if item.principal_id == terms[term].lower()]
        return Answer({"value": [self._shown(item) for item in found]})

    def _shown(self, assignment: Assignment) -> dict[str, Any]:
        shown = assignment.as_json(self.rights.subscription)
        if self.directory.find(assignment.principal_id) is None:
            # What Azure says once the principal was deleted.
            shown["properties"]["principalType"] = "Unknown"
        return shown

    # -- what roles and rights there are ------------------------------------------------

    def get_definition(self, request: ArmRequest) -> Answer:
        found = self.rights.definitions.get(request["definition"].lower())
        if found is None:
            raise ArmError(
                404,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{request['definition']}' does not exist.",
            )
        return Answer(found.as_json(self.rights.subscription))

    def define(self, request: ArmRequest) -> Answer:
        identifier, wanted = request["definition"].lower(), request.properties
        if not _GUID.fullmatch(identifier):
            raise bad_request(
                "InvalidRoleDefinitionId",
                f"The role definition ID '{identifier}' is not valid. The role definition ID must "
                "be a GUID.",
            )
        held = (wanted.get("permissions") or [{}])[0]
        role = custom_role(identifier, {**wanted, **held})
        if not role.scopes or "/" in role.scopes:
            raise bad_request(
                "InvalidActionOrNotAction" if role.scopes else "MissingAssignableScopes",
                "The assignable scopes of a custom role must be subscriptions, resource groups or "
                "management groups.",
            )
        taken = [item for item in self.rights.definitions.values() if item.name == role.name]
        if any(item.id != identifier for item in taken):
            raise conflict(
                "RoleDefinitionWithSameNameExists",
                f"A custom role with the same name already exists in this directory. "
                f"Use a different name. Name: '{role.name}'.",
            )
        self.rights.define(role)
        return Answer(role.as_json(self.rights.subscription), 201)

    def undefine(self, request: ArmRequest) -> Answer:
        identifier = request["definition"].lower()
        found = self.rights.definitions.get(identifier)
        if found is None:
            return Answer(status=204)
        if any(item.role.id == identifier for item in self.rights.assignments.values()):
            raise bad_request(
                "RoleDefinitionHasAssignments",
                "There are existing role assignments referencing role.",
            )
        del self.rights.definitions[identifier]
        return Answer(found.as_json(self.rights.subscription))

    def list_definitions(self, request: ArmRequest) -> Answer:
        name = _terms(request).get("rolename")
        found = [
            role.as_json(self.rights.subscription)
            for role in self.rights.definitions.values()
            if (name is None or role.name == name) and role.assignable(request["scope"])
        ]
        return Answer({"value": found})

    def permissions(self, request: ArmRequest) -> Answer:
        """What the caller may do at a scope: the permissions of each role that it holds."""
        if request.caller is None:
            return Answer({"value": []})
        held = self.rights.held(request.caller, request["scope"])
        return Answer({"value": [item.role.permission for item in held]})

    def list_locks(self, request: ArmRequest) -> Answer:
        return Answer({"value": self.locks.listed(request["scope"])})


def _terms(request: ArmRequest) -> dict[str, str]:
    """The terms of a `$filter`, by name in lower case: `name eq 'value'` and `name('value')`."""
    text = request.query.get("$filter", "")
    terms = {}
    for match in _EQUALS.finditer(text):
        name, value, call, argument = match.groups()
        terms[(name or call).lower()] = value.replace("''", "'") if name else argument or ""
    if text and not terms:
        raise bad_request("InvalidFilter", f"The filter '{text}' is not supported.")
    return terms
