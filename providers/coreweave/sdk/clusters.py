"""CKS clusters as the API tells of them, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.providers.coreweave.sdk.session import Session

RUNNING, DELETING = "RUNNING", "DELETING"


@dataclass(frozen=True)
class Caller:
    """Whom the token is of, and in which organisation."""

    user: str
    organisation: str


@dataclass(frozen=True)
class ClusterDescription:
    """`zone` is in CoreWeave's own capitals; `endpoint` a URL, empty where there is none yet.

    `issuer` signs the tokens of its service accounts; empty where CoreWeave publishes none.
    """

    id: str
    name: str
    zone: str
    public: bool
    version: str
    state: str
    endpoint: str
    issuer: str


class Clusters:
    def __init__(self, session: Session) -> None:
        self._session = session

    def caller(self) -> Caller:
        found = self._session.ask("auth:whoami", "GET", "/v1beta1/auth/whoami")
        principal = found.get("principal") or {}
        return Caller(str(principal.get("uid", "")), str(principal.get("orgUid", "")))

    def all(self) -> list[ClusterDescription]:
        found = self._session.ask("cks:ListClusters", "GET", "/v1beta1/cks/clusters")
        return [_description(item) for item in found.get("items") or ()]


def _description(item: dict[str, Any]) -> ClusterDescription:
    endpoint = str(item.get("apiServerEndpoint") or "").rstrip("/")
    return ClusterDescription(
        id=str(item.get("id", "")),
        name=str(item.get("name", "")),
        zone=str(item.get("zone", "")),
        public=bool(item.get("public")),
        version=str(item.get("version", "")).removeprefix("v"),
        state=str(item.get("status", "")).removeprefix("STATUS_"),
        issuer=str(item.get("serviceAccountOidcIssuerUrl") or ""),
        endpoint=endpoint if not endpoint or "://" in endpoint else f"https://{endpoint}",
    )
