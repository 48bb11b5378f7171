"""Blob storage: the containers of one account and the account's rules, by its own endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from anyscale_k8s_cli.providers.azureblob.cors import CorsRule
from anyscale_k8s_cli.providers.azureblob.sdk.session import Calls

_SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
_CONTAINERS = f"{_SERVICE}/containers"
WRITE_RULES = f"{_SERVICE}/write"
SIGN = f"{_SERVICE}/generateUserDelegationKey/action"
EXISTS = "ContainerAlreadyExists"
# Azure gives no key for less than a moment, nor for more than a week.
_LIFE = timedelta(minutes=5)


class Service:
    """One account, at its endpoint for blobs: as oneself, or as whoever a credential is of."""

    def __init__(self, session: Calls, endpoint: str, credential: Any = None) -> None:
        self._session = session
        self._endpoint = endpoint
        self._credential = credential

    def container(self, name: str) -> Mapping[str, str] | None:
        """Its metadata; None without one."""
        found = self._session.find(
            f"{_CONTAINERS}/read", lambda: self._container(name).get_container_properties()
        )
        return None if found is None else dict(found.metadata or {})

    def names(self, prefix: str) -> dict[str, Mapping[str, str]]:
        """The containers whose names begin so, with their metadata."""
        listed: list[Any] = self._session.ask(
            f"{_CONTAINERS}/read",
            lambda: list(self._client.list_containers(prefix, include_metadata=True)),
        )
        return {str(item.name): dict(item.metadata or {}) for item in listed}

    def create(self, name: str, metadata: Mapping[str, str]) -> None:
        """In one call with its metadata, and for nobody without a role."""
        self._session.ask(
            f"{_CONTAINERS}/write", lambda: self._container(name).create_container(dict(metadata))
        )

    def mark(self, name: str, metadata: Mapping[str, str]) -> None:
        """This metadata and no other."""
        self._session.ask(
            f"{_CONTAINERS}/write",
            lambda: self._container(name).set_container_metadata(dict(metadata)),
        )

    def delete(self, name: str) -> None:
        """With all that is in it; already gone is success."""
        self._session.find(
            f"{_CONTAINERS}/delete", lambda: self._container(name).delete_container()
        )

    def signing_key(self) -> None:
        """Asks for one, with which addresses of blobs are signed; nothing is done with it."""
        now = datetime.now(UTC)
        self._session.ask(SIGN, lambda: self._client.get_user_delegation_key(now, now + _LIFE))

    # -- the account's rules ---------------------------------------------------------------

    def cors(self) -> list[CorsRule]:
        found: Any = self._session.ask(f"{_SERVICE}/read", self._client.get_service_properties)
        return [_rule(rule) for rule in found.get("cors") or ()]

    def set_cors(self, rules: Sequence[CorsRule]) -> None:
        """All rules, also those of others; whatever else is set there stays."""
        from azure.storage.blob import CorsRule as SdkRule

        made = [
            SdkRule(
                list(rule.origins),
                list(rule.methods),
                allowed_headers=list(rule.headers),
                exposed_headers=list(rule.exposed),
                max_age_in_seconds=rule.seconds,
            )
            for rule in rules
        ]
        self._session.ask(WRITE_RULES, lambda: self._client.set_service_properties(cors=made))

    # -- the client --------------------------------------------------------------------------

    def _container(self, name: str) -> Any:
        return self._client.get_container_client(name)

    @cached_property
    def _client(self) -> Any:
        from azure.storage.blob import BlobServiceClient

        credential = self._credential or self._session.credential
        return BlobServiceClient(self._endpoint, credential=credential, **self._session.manner)


def _rule(rule: Any) -> CorsRule:
    return CorsRule(
        _parts(rule.allowed_origins),
        _parts(rule.allowed_methods),
        _parts(rule.allowed_headers),
        _parts(rule.exposed_headers),
        int(rule.max_age_in_seconds or 0),
    )


def _parts(text: str | None) -> tuple[str, ...]:
    """The SDK keeps lists as they go over the wire."""
    return tuple(part for part in (text or "").split(",") if part)
