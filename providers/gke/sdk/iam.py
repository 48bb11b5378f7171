"""IAM: service accounts and their policies, by REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.gke.sdk import failures
from anyscale_k8s_cli.providers.gke.sdk.policy import Policy
from anyscale_k8s_cli.providers.gke.sdk.session import Session

_PAGE = 100


@dataclass(frozen=True)
class ServiceAccount:
    email: str
    unique_id: str
    description: str = ""
    disabled: bool = False


class Iam:
    """The service accounts of the session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def account(self, email: str) -> ServiceAccount | None:
        try:
            return _account(self._call("iam.serviceAccounts.get", "GET", f"/{email}"))
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise

    def accounts(self) -> Iterator[ServiceAccount]:
        """All of the project, page by page."""
        token = ""
        while True:
            query = {"pageSize": _PAGE, **({"pageToken": token} if token else {})}
            page = self._call("iam.serviceAccounts.list", "GET", "", query=query)
            yield from map(_account, page.get("accounts", []))
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def create(self, account_id: str, display_name: str, description: str) -> ServiceAccount:
        wanted = {"displayName": display_name, "description": description}
        body = {"accountId": account_id, "serviceAccount": wanted}
        return _account(self._call("iam.serviceAccounts.create", "POST", "", body=body))

    def describe(self, email: str, description: str) -> None:
        body = {"serviceAccount": {"description": description}, "updateMask": "description"}
        self._call("iam.serviceAccounts.update", "PATCH", f"/{email}", body=body)

    def delete(self, email: str) -> None:
        """Already gone is success."""
        try:
            self._call("iam.serviceAccounts.delete", "DELETE", f"/{email}")
        except CloudFailure as failure:
            if failure.api_code != failures.ABSENT:
                raise

    def policy(self, email: str) -> Policy:
        query = {"options.requestedPolicyVersion": 3}
        found = self._call(
            "iam.serviceAccounts.getIamPolicy", "POST", f"/{email}:getIamPolicy", query=query
        )
        return Policy.of(found)

    def set_policy(self, email: str, policy: Policy) -> None:
        """Refused (a `STALE` code) when the policy changed since it was read."""
        body = {"policy": policy.as_json()}
        self._call("iam.serviceAccounts.setIamPolicy", "POST", f"/{email}:setIamPolicy", body=body)

    def _call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        base = f"/v1/projects/{self._session.project}/serviceAccounts"
        return self._session.rest(what, method, "iam", base + path, body=body, query=query)


def _account(item: Mapping[str, Any]) -> ServiceAccount:
    return ServiceAccount(
        email=str(item.get("email", "")),
        unique_id=str(item.get("uniqueId", "")),
        description=str(item.get("description", "")),
        disabled=bool(item.get("disabled")),
    )
