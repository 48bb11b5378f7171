"""Azure Policy: what it will say of an object that is not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

# https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions
_KIND = "Microsoft.PolicyInsights/checkPolicyRestrictions"
_VERSION = "2024-10-01"
_DENY = "deny"


@dataclass(frozen=True)
class Draft:
    """An object as it would be made: its content, by the API's version that it is written for."""

    kind: str
    version: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Denial:
    """The assignment that denies a draft, and the fields that it looks at."""

    assignment: str
    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.assignment.rpartition("/")[2]


class Policies:
    """The assignments that hold in the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def denials(self, group: str, draft: Draft) -> list[Denial]:
        """Who would deny it in a resource group. Nothing is made."""
        path = f"/subscriptions/{self._session.subscription}/resourceGroups/{group}"
        body = {
            "resourceDetails": {
                "apiVersion": draft.version,
                "resourceContent": {"type": draft.kind, **draft.content},
            },
            "includeAuditEffect": False,
        }
        found = self._session.post(f"{_KIND}/read", f"{path}/providers/{_KIND}", _VERSION, body)
        return list(_denials(found.get("contentEvaluationResult") or {}))


def _denials(found: Mapping[str, Any]) -> Iterator[Denial]:
    for item in found.get("policyEvaluations") or ():
        effect = (item.get("effectDetails") or {}).get("policyEffect") or _DENY
        if item.get("evaluationResult") != "NonCompliant" or str(effect).lower() != _DENY:
            continue
        looked_at = (item.get("evaluationDetails") or {}).get("evaluatedExpressions") or ()
        yield Denial(
            str(item["policyInfo"]["policyAssignmentId"]),
            tuple(str(looked["path"]) for looked in looked_at if looked.get("path")),
        )
