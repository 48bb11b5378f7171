"""Managed identities of one's own, and whose tokens stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session

_KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
_TRUST = f"{_KIND}/federatedIdentityCredentials"
# What Entra wants a foreign token to be for.
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Identity:
    """`id` as Azure writes it; `principal_id` is its id in the directory."""

    id: str
    name: str
    location: str
    principal_id: str
    client_id: str
    tenant_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The name of its resource group."""
        return self.id.split("/")[4]


@dataclass(frozen=True)
class Trust:
    """A federated credential: tokens of that issuer for that subject stand for the identity."""

    issuer: str
    subject: str
    audiences: tuple[str, ...] = (EXCHANGE_AUDIENCE,)


class Identities:
    """The identities of the session's subscription."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, group: str, name: str) -> Identity | None:
        found = self._session.find(f"{_KIND}/read", lambda: self._api.get(group, name))
        return _identity(found) if found is not None else None

    def all(self) -> Iterator[Identity]:
        """All of the subscription."""
        listed = self._session.ask(f"{_KIND}/read", lambda: list(self._api.list_by_subscription()))
        return map(_identity, listed)

    def put(self, group: str, name: str, location: str, tags: Mapping[str, str]) -> Identity:
        """Make it, or give it these tags and no others."""
        body = {"location": location, "tags": dict(tags)}
        return _identity(
            self._session.ask(
                f"{_KIND}/write", lambda: self._api.create_or_update(group, name, body)
            )
        )

    def delete(self, group: str, name: str) -> None:
        """With what it trusts; already gone is success."""
        self._session.find(f"{_KIND}/delete", lambda: self._api.delete(group, name))

    # -- federated credentials -----------------------------------------------------------

    def trusts(self, group: str, name: str) -> dict[str, Trust]:
        """Its federated credentials by name; none where there is no such identity."""
        found = self._session.find(
            f"{_TRUST}/read", lambda: list(self._credentials.list(group, name))
        )
        return {str(item.name): _trust(item) for item in found or ()}

    def put_trust(self, group: str, identity: str, name: str, trust: Trust) -> None:
        body = {
            "properties": {
                "issuer": trust.issuer,
                "subject": trust.subject,
                "audiences": list(trust.audiences),
            }
        }
        self._session.ask(
            f"{_TRUST}/write",
            lambda: self._credentials.create_or_update(group, identity, name, body),
        )

    @property
    def _client(self) -> Any:
        from azure.mgmt.msi import ManagedServiceIdentityClient

        return self._session.client(
            "msi", lambda arguments: ManagedServiceIdentityClient(**arguments)
        )

    @property
    def _api(self) -> Any:
        return self._client.user_assigned_identities

    @property
    def _credentials(self) -> Any:
        return self._client.federated_identity_credentials


def _identity(item: Any) -> Identity:
    return Identity(
        id=str(item.id),
        name=str(item.name),
        location=str(item.location),
        principal_id=str(item.principal_id),
        client_id=str(item.client_id),
        tenant_id=str(item.tenant_id),
        tags=dict(item.tags or {}),
    )


def _trust(item: Any) -> Trust:
    return Trust(str(item.issuer), str(item.subject), tuple(item.audiences or ()))
