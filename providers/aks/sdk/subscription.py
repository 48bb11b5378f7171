"""The subscription itself: whose it is, and what it is registered to use."""

from __future__ import annotations

from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_VERSION = "2022-12-01"
_READ = "Microsoft.Resources/subscriptions/read"


class Subscription:
    def __init__(self, session: Session) -> None:
        self._session = session

    def tenant(self) -> str:
        """The id of the directory that it trusts. Raises `account-mismatch` when it is not seen."""
        path = f"/subscriptions/{self._session.subscription}"
        return str(self._session.get(_READ, path, _VERSION)["tenantId"])

    def seen(self) -> list[str]:
        """The ids of all subscriptions that the caller sees and that are in use."""
        found = self._session.pages(_READ, "/subscriptions", _VERSION)
        return [str(item["subscriptionId"]) for item in found if item.get("state") == "Enabled"]

    def registered(self, namespace: str) -> bool:
        """Whether it may use a resource provider."""
        path = f"/subscriptions/{self._session.subscription}/providers/{namespace}"
        found = self._session.get(
            "Microsoft.Resources/subscriptions/providers/read", path, "2021-04-01"
        )
        return str(found.get("registrationState")) in ("Registered", "Registering")
