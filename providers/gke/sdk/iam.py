"""IAM: service accounts and their policies, by REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.gcs.sdk import failures
from anyscale_k8s_cli.providers.gcs.sdk.policy import Policy
from anyscale_k8s_cli.providers.gcs.sdk.session import Session

_PAGE = 100
_DOMAIN = "iam.gserviceaccount.com"
# The account of virtual machines, named after the project's number.
_DEFAULT_COMPUTE = "developer.gserviceaccount.com"


@dataclass(frozen=True)
class ServiceAccount:
    email: str
    unique_id: str
    description: str = ""
    disabled: bool = False


# An account that one may not look at.
UNSEEN = ServiceAccount("", "")


@dataclass(frozen=True)
class Role:
    """A project's or an organization's own. `stage` as Google has it."""

    permissions: frozenset[str]
    stage: str
    deleted: bool


# The stage of a role that is switched off.
DISABLED = "DISABLED"


class Iam:
    """Service accounts: those of the session's project, and others by their e-mail."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def account(self, email: str) -> ServiceAccount | None:
        try:
            return _account(self._of(email, "iam.serviceAccounts.get", "GET"))
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise

    def accounts(self) -> Iterator[ServiceAccount]:
        """All of the project, page by page."""
        token = ""
        while True:
            query = {"pageSize": _PAGE, **({"pageToken": token} if token else {})}
            page = self._call("iam.serviceAccounts.list", "GET", self._own, query=query)
            yield from map(_account, page.get("accounts", []))
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def create(self, account_id: str, display_name: str, description: str) -> ServiceAccount:
        wanted = {"displayName": display_name, "description": description}
        body = {"accountId": account_id, "serviceAccount": wanted}
        return _account(self._call("iam.serviceAccounts.create", "POST", self._own, body=body))

    def describe(self, email: str, description: str) -> None:
        body = {"serviceAccount": {"description": description}, "updateMask": "description"}
        self._of(email, "iam.serviceAccounts.update", "PATCH", body=body)

    def delete(self, email: str) -> None:
        """Already gone is success."""
        try:
            self._of(email, "iam.serviceAccounts.delete", "DELETE")
        except CloudFailure as failure:
            if failure.api_code != failures.ABSENT:
                raise

    def policy(self, email: str) -> Policy:
        query = {"options.requestedPolicyVersion": 3}
        what = "iam.serviceAccounts.getIamPolicy"
        return Policy.of(self._of(email, what, "POST", ":getIamPolicy", query=query))

    def set_policy(self, email: str, policy: Policy) -> None:
        """Refused (a `STALE` code) when the policy changed since it was read."""
        body = {"policy": policy.as_json()}
        self._of(email, "iam.serviceAccounts.setIamPolicy", "POST", ":setIamPolicy", body=body)

    def held(self, email: str, permissions: Sequence[str]) -> set[str] | None:
        """Those of the permissions that the caller has on an account; None when it is not there."""
        body = {"permissions": list(permissions)}
        what = "iam.serviceAccounts.testIamPermissions"
        try:
            found = self._of(email, what, "POST", ":testIamPermissions", body=body)
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise
        return set(found.get("permissions") or ())

    def role(self, name: str) -> Role | None:
        """One by its full name; a deleted one can be seen for a while."""
        try:
            found = self._call("iam.roles.get", "GET", f"/v1/{name}")
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise
        return Role(
            permissions=frozenset(map(str, found.get("includedPermissions") or ())),
            stage=str(found.get("stage", "")),
            deleted=bool(found.get("deleted")),
        )

    @property
    def _own(self) -> str:
        return f"/v1/projects/{self._session.project}/serviceAccounts"

    def _of(
        self,
        email: str,
        what: str,
        method: str,
        verb: str = "",
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        project = project_of(email) or self._session.project
        path = f"/v1/projects/{project}/serviceAccounts/{email}{verb}"
        return self._call(what, method, path, body=body, query=query)

    def _call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return self._session.rest(what, method, "iam", path, body=body, query=query)


def email_of(account_id: str, project: str) -> str:
    """The e-mail of a service account of a project.

    Projects of an organization's own domain ("example.com:demo") have it the other way round.
    """
    # https://cloud.google.com/iam/docs/service-account-overview
    domain, _, own = project.rpartition(":")
    return f"{account_id}@{own}.{domain + '.' if domain else ''}{_DOMAIN}"


def project_of(email: str) -> str:
    """The project that an e-mail tells of; empty where it tells none."""
    account, _, place = email.partition("@")
    if place.endswith(f".{_DOMAIN}"):
        own, _, domain = place.removesuffix(f".{_DOMAIN}").partition(".")
        return f"{domain}:{own}" if domain else own
    if place == _DEFAULT_COMPUTE:
        return account.partition("-")[0]
    return ""


def _account(item: Mapping[str, Any]) -> ServiceAccount:
    return ServiceAccount(
        email=str(item.get("email", "")),
        unique_id=str(item.get("uniqueId", "")),
        description=str(item.get("description", "")),
        disabled=bool(item.get("disabled")),
    )
