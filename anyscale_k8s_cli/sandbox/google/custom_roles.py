"""Roles that a project, or the organization above it, defines itself.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, invalid, not_found
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.roles import PREDEFINED, CustomRole, matches

_ID = re.compile(r"[A-Za-z0-9_.]{3,64}")
# No role of a project can have it, since no project is above projects.
_OF_ORGANIZATIONS = "resourcemanager.projects.list"


@dataclass(frozen=True)
class CustomRoles:
    """Those of `projects` or of `organizations`, as `kind` says.

    Whoever has a right in the project has it in the organization here.
    """

    project: Project
    kind: str

    def methods(self) -> tuple[Method, ...]:
        every = f"/v1/{self.kind}/{{parent}}/roles"
        one, prefix = every + "/{role:[^/:]+}", f"iam.{self.kind}.roles"
        return (
            Method(f"{prefix}.create", "POST", every, self._create, write=True),
            Method(f"{prefix}.get", "GET", one, self._get),
            Method(f"{prefix}.patch", "PATCH", one, self._patch, write=True),
            Method(f"{prefix}.delete", "DELETE", one, self._delete, write=True),
            Method(f"{prefix}.undelete", "POST", f"{one}:undelete", self._undelete, write=True),
        )

    def _create(self, call: Call) -> Reply:
        name = str(call.content.get("roleId") or "")
        if not _ID.fullmatch(name):
            raise invalid(f"The role_id {name!r} is not of the form [a-zA-Z0-9_.]{{3,64}}.")
        parent = f"{self.kind}/{call.params['parent']}"
        self._check(call, "create", f"create a role in {parent}")
        full, known = f"{parent}/roles/{name}", self.project.roles.custom
        if full in known and known[full].deleted:
            raise GoogleError(
                "FAILED_PRECONDITION",
                f"You can't create a role_id ({name}) which has been marked for deletion.",
            )
        if full in known:
            raise GoogleError("ALREADY_EXISTS", f"A role named {name} in {parent} already exists.")
        known[full] = CustomRole(())
        try:
            self._fill(full, call.content.get("role") or {})
        except GoogleError:
            del known[full]
            raise
        return Reply(self._shown(full))

    def _get(self, call: Call) -> Reply:
        return Reply(self._shown(self._named(call, "get")))

    def _patch(self, call: Call) -> Reply:
        name, mask = self._named(call, "update"), call.query.get("updateMask")
        fields = mask.split(",") if mask else list(call.content)
        self._fill(name, {field: call.content.get(field) for field in fields})
        return Reply(self._shown(name))

    def _delete(self, call: Call) -> Reply:
        name = self._named(call, "delete")
        self.project.roles.custom[name].deleted = True
        return Reply(self._shown(name))

    def _undelete(self, call: Call) -> Reply:
        name = self._named(call, "undelete")
        self.project.roles.custom[name].deleted = False
        return Reply(self._shown(name))

    def _fill(self, name: str, wanted: dict[str, Any]) -> None:
        role = self.project.roles.custom[name]
        held = [str(item) for item in wanted.get("includedPermissions") or ()]
        known = [pattern for patterns in PREDEFINED.values() for pattern in patterns]
        for item in held:
            above = item == _OF_ORGANIZATIONS and self.kind == "projects"
            if "*" in item or above or not matches(known, item):
                raise invalid(f"Permission {item} is not valid.")
        if "includedPermissions" in wanted:
            role.permissions = tuple(held)
        role.title = str(wanted.get("title") or role.title)
        role.description = str(wanted.get("description") or role.description)
        role.stage = str(wanted.get("stage") or role.stage)

    def _named(self, call: Call, verb: str) -> str:
        name = f"{self.kind}/{call.params['parent']}/roles/{call.params['role']}"
        self._check(call, verb, f"{verb} the role at {name}")
        if name not in self.project.roles.custom:
            raise not_found(f"The role named {name} was not found.")
        return name

    def _check(self, call: Call, verb: str, what: str) -> None:
        elsewhere = self.kind == "projects" and call.params["parent"] != self.project.id
        if elsewhere or not self.project.permits(call.caller, f"iam.roles.{verb}"):
            raise GoogleError("PERMISSION_DENIED", f"You don't have permission to {what}.")

    def _shown(self, name: str) -> dict[str, Any]:
        role = self.project.roles.custom[name]
        found: dict[str, Any] = {"name": name, "stage": role.stage, "etag": "BwYkq1m5lKs="}
        if role.permissions:
            found["includedPermissions"] = sorted(role.permissions)
        texts = {"title": role.title, "description": role.description}
        found.update({key: text for key, text in texts.items() if text})
        return {**found, "deleted": True} if role.deleted else found
