"""What a subscription may have in a region, and what of it is used."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.providers.aks.namespaces import NETWORK, STORAGE
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_VERSIONS = {NETWORK: "2024-05-01", STORAGE: "2023-05-01"}


@dataclass(frozen=True)
class Usage:
    used: int
    limit: int


class Usages:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, namespace: str, location: str) -> dict[str, Usage]:
        """The limits of a resource provider in a region, by Azure's names for them."""
        path = f"/subscriptions/{self._session.subscription}/providers/{namespace}"
        found = self._session.pages(
            f"{namespace}/locations/usages/read",
            f"{path}/locations/{location}/usages",
            _VERSIONS[namespace],
        )
        return {
            str(item["name"]["value"]): Usage(int(item["currentValue"]), int(item["limit"]))
            for item in found
        }
