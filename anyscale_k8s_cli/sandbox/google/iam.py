"""The IAM API: service accounts and the policies on them.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts
"""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.google.accounts import ServiceAccount
from anyscale_k8s_cli.sandbox.google.api import Call, Handle, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.custom_roles import CustomRoles
from anyscale_k8s_cli.sandbox.google.errors import denied, not_found
from anyscale_k8s_cli.sandbox.google.identity_pools import IdentityPools
from anyscale_k8s_cli.sandbox.google.project import Project

_PATH = "/v1/projects/{project}/serviceAccounts"
_ONE = _PATH + "/{account:[^/:]+}"
_PAGE = 100


@dataclass(frozen=True)
class Iam:
    """https://iam.googleapis.com"""

    project: Project

    def service(self) -> Service:
        def method(verb: str, http: str, path: str, handle: Handle, *, write: bool) -> Method:
            return Method(f"iam.projects.serviceAccounts.{verb}", http, path, handle, write)

        return Service(
            "iam",
            (
                method("create", "POST", _PATH, self._create, write=True),
                method("list", "GET", _PATH, self._list, write=False),
                method("get", "GET", _ONE, self._get, write=False),
                method("patch", "PATCH", _ONE, self._patch, write=True),
                method("delete", "DELETE", _ONE, self._delete, write=True),
                method("undelete", "POST", f"{_ONE}:undelete", self._undelete, write=True),
                method("disable", "POST", f"{_ONE}:disable", self._disable, write=True),
                method("enable", "POST", f"{_ONE}:enable", self._enable, write=True),
                method("getIamPolicy", "POST", f"{_ONE}:getIamPolicy", self._policy, write=False),
                method("setIamPolicy", "POST", f"{_ONE}:setIamPolicy", self._set, write=True),
                method(
                    "testIamPermissions",
                    "POST",
                    f"{_ONE}:testIamPermissions",
                    self._test,
                    write=False,
                ),
                *IdentityPools(self.project).methods(),
                *CustomRoles(self.project, "projects").methods(),
                *CustomRoles(self.project, "organizations").methods(),
            ),
        )

    def _create(self, call: Call) -> Reply:
        self._in_project(call, "iam.serviceAccounts.create")
        return Reply(self.project.accounts.create(call.content).as_json())

    def _list(self, call: Call) -> Reply:
        self._in_project(call, "iam.serviceAccounts.list")
        size = min(int(call.query.get("pageSize") or _PAGE), _PAGE)
        start = int(call.query.get("pageToken") or 0)
        accounts = self.project.accounts.live()
        found = {"accounts": [account.as_json() for account in accounts[start : start + size]]}
        if start + size < len(accounts):
            return Reply({**found, "nextPageToken": str(start + size)})
        return Reply(found if accounts else {})

    def _get(self, call: Call) -> Reply:
        return Reply(self._account(call, "iam.serviceAccounts.get").as_json())

    def _patch(self, call: Call) -> Reply:
        account = self._account(call, "iam.serviceAccounts.update")
        self.project.accounts.patch(account, call.content)
        return Reply(account.as_json())

    def _delete(self, call: Call) -> Reply:
        self.project.accounts.delete(self._account(call, "iam.serviceAccounts.delete"))
        return Reply({})

    def _undelete(self, call: Call) -> Reply:
        self._in_project(call, "iam.serviceAccounts.undelete")
        account = self.project.accounts.undelete(call.params["account"])
        return Reply({"restoredAccount": account.as_json()})

    def _disable(self, call: Call) -> Reply:
        self._account(call, "iam.serviceAccounts.disable").disabled = True
        return Reply({})

    def _enable(self, call: Call) -> Reply:
        self._account(call, "iam.serviceAccounts.enable").disabled = False
        return Reply({})

    def _policy(self, call: Call) -> Reply:
        account = self._account(call, "iam.serviceAccounts.getIamPolicy")
        version = int(call.query.get("options.requestedPolicyVersion") or 1)
        return Reply(self.project.rules.read(account.policy, "account", version))

    def _set(self, call: Call) -> Reply:
        account = self._account(call, "iam.serviceAccounts.setIamPolicy")
        self.project.rules.replace(account.policy, call.content.get("policy") or {}, "account")
        return Reply(self.project.rules.shown(account.policy, 3))

    def _test(self, call: Call) -> Reply:
        account = self.project.accounts.get(call.params["account"])
        held = [
            permission
            for permission in call.content.get("permissions") or ()
            if self.project.permits(call.caller, str(permission), account.policy)
        ]
        return Reply({"permissions": held} if held else {})

    def _account(self, call: Call, permission: str) -> ServiceAccount:
        """The account in the path; who lacks the permission is not told whether it is there."""
        name = call.params["account"]
        account = self.project.accounts.find(name)
        called = call.params["project"]
        if called != "-" and not self.project.is_called(called):
            raise denied(permission, f"projects/{called}/serviceAccounts/{name}")
        policies = [account.policy] if account else []
        resource = f"projects/{self.project.id}/serviceAccounts/{name}"
        self.project.check(call.caller, permission, resource, *policies)
        if account is None:
            raise not_found("Unknown service account")
        return account

    def _in_project(self, call: Call, permission: str) -> None:
        called = call.params["project"]
        if called != "-" and not self.project.is_called(called):
            raise denied(permission, f"projects/{called}")
        self.project.check(call.caller, permission, f"projects/{self.project.id}")
