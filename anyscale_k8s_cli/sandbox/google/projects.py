"""The Resource Manager and Service Usage APIs, as far as one project needs them.

https://cloud.google.com/resource-manager/reference/rest/v3/projects
https://cloud.google.com/service-usage/docs/reference/rest/v1/services
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, denied, invalid
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.seed import SERVICES

# Ids of projects of an organization's own domain begin with it and a colon.
_ONE = "/v3/projects/{project:(?:[^/:]+:)?[^/:]+}"
_SERVICES = "/v1/projects/{project}/services"
_MOST_NAMES = 30
_PAGE = 50


@dataclass(frozen=True)
class ResourceManager:
    """https://cloudresourcemanager.googleapis.com, version 3."""

    project: Project

    def service(self) -> Service:
        prefix = "cloudresourcemanager.projects"
        return Service(
            "cloudresourcemanager",
            (
                Method(f"{prefix}.get", "GET", _ONE, self._get),
                Method(f"{prefix}.getIamPolicy", "POST", f"{_ONE}:getIamPolicy", self._policy),
                Method(
                    f"{prefix}.setIamPolicy", "POST", f"{_ONE}:setIamPolicy", self._set, write=True
                ),
                Method(
                    f"{prefix}.testIamPermissions", "POST", f"{_ONE}:testIamPermissions", self._test
                ),
            ),
        )

    def _get(self, call: Call) -> Reply:
        self._check(call, "resourcemanager.projects.get")
        return Reply(
            {
                "name": f"projects/{self.project.number}",
                "parent": "organizations/684120977155",
                "projectId": self.project.id,
                "state": "ACTIVE",
                "displayName": self.project.id,
                "createTime": "2024-03-11T09:14:07.000Z",
                "updateTime": "2024-03-11T09:14:08.000Z",
                "etag": 'W/"5f0ad6c31d7b7f1f"',
            }
        )

    def _policy(self, call: Call) -> Reply:
        self._check(call, "resourcemanager.projects.getIamPolicy")
        options = call.content.get("options") or {}
        version = int(options.get("requestedPolicyVersion") or 1)
        return Reply(self.project.rules.read(self.project.policy, "project", version))

    def _set(self, call: Call) -> Reply:
        self._check(call, "resourcemanager.projects.setIamPolicy")
        wanted = call.content.get("policy") or {}
        self.project.rules.replace(self.project.policy, wanted, "project")
        return Reply(self.project.rules.shown(self.project.policy, 3))

    def _test(self, call: Call) -> Reply:
        if not self.project.is_called(call.params["project"]):
            raise _hidden(call.params["project"])
        held = [
            permission
            for permission in call.content.get("permissions") or ()
            if self.project.permits(call.caller, _single(permission))
        ]
        return Reply({"permissions": held} if held else {})

    def _check(self, call: Call, permission: str) -> None:
        name = call.params["project"]
        if not self.project.is_called(name) or not self.project.permits(call.caller, permission):
            raise _hidden(name)


@dataclass(frozen=True)
class ServiceUsage:
    """https://serviceusage.googleapis.com"""

    project: Project

    def service(self) -> Service:
        return Service(
            "serviceusage",
            (
                Method(
                    "serviceusage.services.batchGet", "GET", f"{_SERVICES}:batchGet", self._batch
                ),
                Method("serviceusage.services.list", "GET", _SERVICES, self._list),
                Method("serviceusage.services.get", "GET", f"{_SERVICES}/{{service}}", self._get),
            ),
        )

    def _get(self, call: Call) -> Reply:
        self._check(call, "serviceusage.services.get")
        return Reply(self._shown(call.params["service"]))

    def _batch(self, call: Call) -> Reply:
        self._check(call, "serviceusage.services.get")
        names = call.query.getall("names", [])
        if not 0 < len(names) <= _MOST_NAMES:
            raise invalid(f"Between 1 and {_MOST_NAMES} names are allowed.")
        hosts = [_service_name(name) for name in names]
        return Reply({"services": [self._shown(host) for host in hosts]})

    def _list(self, call: Call) -> Reply:
        self._check(call, "serviceusage.services.list")
        wanted = call.query.get("filter", "")
        shown = [self._shown(f"{name}.googleapis.com") for name in SERVICES]
        if wanted:
            state = wanted.removeprefix("state:")
            if state not in ("ENABLED", "DISABLED"):
                raise invalid(f"Invalid filter: {wanted}")
            shown = [service for service in shown if service["state"] == state]
        return Reply(page(shown, "services", call))

    def _shown(self, host: str) -> dict[str, Any]:
        name = host.removesuffix(".googleapis.com")
        if name not in SERVICES:
            raise GoogleError(
                "PERMISSION_DENIED",
                f"Not found or permission denied for service(s): {host}.",
                details=[],
            )
        return {
            "name": f"projects/{self.project.number}/services/{host}",
            "parent": f"projects/{self.project.number}",
            "config": {"name": host, "title": SERVICES[name]},
            "state": "ENABLED" if name in self.project.enabled else "DISABLED",
        }

    def _check(self, call: Call, permission: str) -> None:
        name = call.params["project"]
        if not self.project.is_called(name):
            raise denied(permission, f"projects/{name}")
        self.project.check(call.caller, permission, f"projects/{name}")


def page(items: Iterable[Any], key: str, call: Call, size: int = _PAGE) -> dict[str, Any]:
    """One page of a list, by `pageSize` and `pageToken`; an empty list is no field."""
    everything = list(items)
    start = int(call.query.get("pageToken") or 0)
    end = start + min(int(call.query.get("pageSize") or size), size)
    found = {key: everything[start:end]} if everything[start:end] else {}
    return {**found, "nextPageToken": str(end)} if end < len(everything) else found


def _single(permission: object) -> str:
    if "*" in str(permission):
        raise invalid(f"Permission {permission} is not valid for this resource.")
    return str(permission)


def _service_name(name: str) -> str:
    found = re.fullmatch(r"projects/[^/]+/services/([^/]+)", name)
    if found is None:
        raise invalid(f"Invalid service name: {name}")
    return found[1]


def _hidden(name: str) -> GoogleError:
    """Which project there is, nobody is told who may not see it."""
    return GoogleError(
        "PERMISSION_DENIED",
        f"The caller does not have permission on project {name}, or it does not exist.",
    )
