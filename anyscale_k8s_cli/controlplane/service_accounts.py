"""Service accounts of the organisation and their API keys.

Source: the vendor's client. An owner of the organisation may do all of this; what
a key is worth is known only when it is made, so nobody can be told a token again.
How many keys an account may have and how names are spelled is documented nowhere:
ours are few, and their names are letters, digits and dashes. A key's id in paths is
taken to be the hash that the lists give.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from anyscale_k8s_cli.controlplane.client import Call, ControlPlane
from anyscale_k8s_cli.controlplane.failures import ApiFailure, outcome_unknown
from anyscale_k8s_cli.controlplane.models import ApiKey, ServiceAccount
from anyscale_k8s_cli.run import StillWaiting

# The lists of keys give no more at once.
_KEYS_PAGE = 50
_MINT_WINDOW = 60.0

_PEOPLE = "/api/v2/organization_collaborators"
_USERS = "/api/v2/users"


@dataclass(frozen=True)
class MintedKey:
    """A key at the one moment when its token is known."""

    key: ApiKey
    token: str = field(repr=False)


class ServiceAccounts:
    """The service accounts of one organisation."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.run = plane.run

    def find(self, name: str) -> ServiceAccount | None:
        """The account of exactly this name; None when there is none."""
        call = Call("GET", f"{_PEOPLE}/", query={"is_service_account": "true", "name": name})
        found = [self.plane.shaped(ServiceAccount, item) for item in self.plane.results(call)]
        return next((item for item in found if item.name == name), None)

    def create(self, name: str) -> ServiceAccount:
        """Make it; one of this name that is there already is success."""
        try:
            self.plane.result(Call("POST", f"{_USERS}/service_accounts", query={"name": name}))
        except ApiFailure:
            if self.find(name) is None:
                raise
        return self.run.wait_for(
            lambda: self._listed(name), what=f"{name} to be listed", timeout=_MINT_WINDOW
        )

    def delete(self, account: ServiceAccount) -> None:
        """Remove it with its keys; gone already is success."""
        self._unless_gone(Call("DELETE", f"{_PEOPLE}/{account.id}"))

    def keys(self, *, user_id: str | None = None, name: str | None = None) -> list[ApiKey]:
        """Keys that were not revoked: of one account, and those that the server finds by `name`."""
        call = Call("GET", f"{_USERS}/admin/api_keys", query={"user_id": user_id, "name": name})
        return self._unrevoked(call)

    def own_keys(self) -> list[ApiKey]:
        """Those of whoever asks."""
        return self._unrevoked(Call("GET", f"{_USERS}/api_keys"))

    def mint(self, account: ServiceAccount, name: str, lifetime: timedelta) -> MintedKey:
        """A new key. One whose token did not reach us is revoked and made again."""
        body = {
            "user_id": account.user_id,
            "name": name,
            "duration": lifetime.total_seconds(),
        }

        def attempt() -> MintedKey:
            self._revoke_named(account, name)
            call = Call("POST", f"{_USERS}/create_api_key", body=body)
            token = str(self.plane.result(call)["server_session_id"])
            listed = self.run.wait_for(
                lambda: self._key_listed(account, name),
                what="the new key to be listed",
                timeout=_MINT_WINDOW,
            )
            return MintedKey(listed, token)

        return self.run.retry(
            attempt,
            retriable=outcome_unknown,
            what=f"a key of {account.name}",
            timeout=_MINT_WINDOW,
        )

    def revoke(self, key_id: str) -> None:
        """End a key for good; gone already is success."""
        self._unless_gone(Call("DELETE", f"{_USERS}/admin/api_keys/{key_id}"))

    def longest_days(self) -> int | None:
        """How many days the organisation lets a key live; None where it says nothing of it."""
        try:
            found = self.plane.result(Call("GET", "/api/v2/organizations/api_key_expiration"))
        except ApiFailure as failure:
            if failure.status in (403, 404):
                return None
            raise
        days = (found or {}).get("max_api_key_expiration_days")
        return days if isinstance(days, int) and days > 0 else None

    def _unrevoked(self, call: Call) -> list[ApiKey]:
        found = self.plane.results(call, page_size=_KEYS_PAGE)
        keys = [self.plane.shaped(ApiKey, item) for item in found]
        return [key for key in keys if key.revoked_at is None]

    def _revoke_named(self, account: ServiceAccount, name: str) -> None:
        for key in self.keys(user_id=account.user_id):
            if key.name == name:
                self.revoke(key.id)

    def _listed(self, name: str) -> ServiceAccount:
        found = self.find(name)
        if found is None:
            raise StillWaiting("not listed yet")
        return found

    def _key_listed(self, account: ServiceAccount, name: str) -> ApiKey:
        keys = self.keys(user_id=account.user_id)
        found = next((key for key in keys if key.name == name), None)
        if found is None:
            raise StillWaiting("not listed yet")
        return found

    def _unless_gone(self, call: Call) -> None:
        try:
            self.plane.send(call)
        except ApiFailure as failure:
            if failure.status != 404:
                raise
