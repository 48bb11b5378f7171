"""Service accounts: their names, their soft deletion, and the time until all of Google knows them.

https://cloud.google.com/iam/docs/service-accounts-create
https://cloud.google.com/iam/docs/service-accounts-delete-undelete
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from anyscale_k8s_cli.sandbox.google.errors import GoogleError, invalid, not_found
from anyscale_k8s_cli.sandbox.google.policies import Policy
from anyscale_k8s_cli.sandbox.google.seed import email_of

Clock = Callable[[], datetime]

_ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_LONGEST_DESCRIPTION = 256
_LONGEST_DISPLAY_NAME = 100
_KEPT = timedelta(days=30)


@dataclass
class ServiceAccount:
    """An account. `unknown_to` counts, by use, how often it is still refused as unknown."""

    email: str
    unique_id: str
    project_id: str
    display_name: str = ""
    description: str = ""
    policy: Policy = field(default_factory=Policy)
    deleted_at: datetime | None = None
    disabled: bool = False
    unknown_to: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"projects/{self.project_id}/serviceAccounts/{self.email}"

    def known_to(self, use: str) -> bool:
        """Whether a use of the account finds it by now; each question brings it nearer."""
        left = self.unknown_to.get(use, 0)
        if left:
            self.unknown_to[use] = left - 1
        return not left

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": self.name,
            "projectId": self.project_id,
            "uniqueId": self.unique_id,
            "email": self.email,
            "etag": "MDEwMjE5MjA=",
            "oauth2ClientId": self.unique_id,
        }
        if self.display_name:
            found["displayName"] = self.display_name
        if self.description:
            found["description"] = self.description
        if self.disabled:
            found["disabled"] = True
        return found


@dataclass
class ServiceAccounts:
    """All of a project's accounts, the deleted ones for 30 days.

    `refused_attempts`: how often each use of a new account fails before it is known there.
    """

    project_id: str
    clock: Clock
    refused_attempts: int = 1
    most: int = 100
    _accounts: list[ServiceAccount] = field(default_factory=list)

    def live(self) -> list[ServiceAccount]:
        return [account for account in self._accounts if account.deleted_at is None]

    def deleted(self) -> list[ServiceAccount]:
        """Those that can still be undeleted."""
        edge = self.clock() - _KEPT
        return [a for a in self._accounts if a.deleted_at is not None and a.deleted_at > edge]

    def find(self, name: str) -> ServiceAccount | None:
        """The live account with this e-mail or unique id."""
        return next((a for a in self.live() if name in (a.email, a.unique_id)), None)

    def get(self, name: str) -> ServiceAccount:
        account = self.find(name)
        if account is None:
            raise not_found("Unknown service account")
        return account

    def by_id(self, unique_id: str) -> ServiceAccount | None:
        """The account with this unique id, deleted or not."""
        return next((a for a in self._accounts if a.unique_id == unique_id), None)

    def add(self, email: str, **fields: Any) -> ServiceAccount:
        """An account that everybody knows at once, as a world is seeded with it."""
        account = ServiceAccount(email, new_id(), self.project_id, **fields)
        self._accounts.append(account)
        return account

    def create(self, body: Mapping[str, Any]) -> ServiceAccount:
        account_id = str(body.get("accountId") or "")
        if not _ACCOUNT_ID.fullmatch(account_id):
            raise invalid(
                f"Invalid service account id: {account_id}. Service account ID must be between "
                "6 and 30 characters. Service account ID must start with a lower case letter, "
                "followed by one or more lower case alphanumerical characters that can be "
                "separated by hyphens."
            )
        described = _described(body.get("serviceAccount") or {})
        email = email_of(account_id, self.project_id)
        if self.find(email):
            raise GoogleError(
                "ALREADY_EXISTS",
                f"Service account {account_id} already exists within project "
                f"projects/{self.project_id}.",
                details=[
                    {
                        "@type": "type.googleapis.com/google.rpc.ResourceInfo",
                        "resourceName": f"projects/{self.project_id}/serviceAccounts/{email}",
                    }
                ],
            )
        if len(self.live()) >= self.most:
            raise GoogleError(
                "RESOURCE_EXHAUSTED", "Maximum number of service accounts on project reached."
            )
        unknown = dict.fromkeys(("policy", "token"), self.refused_attempts)
        return self.add(email, unknown_to=unknown, **described)

    def patch(self, account: ServiceAccount, body: Mapping[str, Any]) -> None:
        """Change what the mask names: only display name and description can be changed."""
        mask = str(body.get("updateMask") or "").replace("display_name", "displayName")
        fields = {name for name in mask.split(",") if name}
        if not fields:
            raise invalid("The update mask is required.")
        if unknown := fields - {"displayName", "description"}:
            raise invalid(f"The update mask contains fields that cannot be changed: {unknown}")
        wanted = _described(body.get("serviceAccount") or {})
        if "displayName" in fields:
            account.display_name = wanted["display_name"]
        if "description" in fields:
            account.description = wanted["description"]

    def delete(self, account: ServiceAccount) -> None:
        account.deleted_at = self.clock()

    def undelete(self, unique_id: str) -> ServiceAccount:
        account = next((a for a in self.deleted() if a.unique_id == unique_id), None)
        if account is None:
            raise not_found(f"Service account {unique_id} does not exist.")
        if self.find(account.email):
            raise GoogleError(
                "FAILED_PRECONDITION",
                f"Service account {account.email} cannot be undeleted: a service account with "
                "the same name exists.",
            )
        account.deleted_at = None
        return account


def new_id() -> str:
    """A number of 21 digits, as accounts have."""
    return f"1{secrets.randbelow(10**20):020d}"


def _described(wanted: Mapping[str, Any]) -> dict[str, str]:
    display_name = str(wanted.get("displayName") or "")
    description = str(wanted.get("description") or "")
    if len(display_name.encode()) > _LONGEST_DISPLAY_NAME:
        raise invalid(f"The display name is longer than {_LONGEST_DISPLAY_NAME} bytes.")
    if len(description.encode()) > _LONGEST_DESCRIPTION:
        raise invalid(f"The description is longer than {_LONGEST_DESCRIPTION} bytes.")
    return {"display_name": display_name, "description": description}
