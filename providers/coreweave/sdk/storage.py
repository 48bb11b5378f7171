"""AI Object Storage's own API: access keys, and access policies of the organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from anyscale_k8s_cli.providers.coreweave.sdk.session import Session

_KEYS = "/v1/cwobject/access-key"
_EXCHANGED = "/v1/cwobject/temporary-credentials/api-token"
_REVOKE = "/v1/cwobject/revoke-access-key/access-key"
_POLICIES = "/v1/cwobject/access-policy"
_CAN_I = "/v1/cwobject/auth/can-i"
# The rights that calls take, by CoreWeave's names.
# https://docs.coreweave.com/products/storage/object-storage/auth-access/organization-policies/console-permissions
CREATE_KEY, REVOKE_KEY = "cwobject:CreateAccessKey", "cwobject:RevokeAccessKeyByAccessKey"
ENSURE_POLICY, DELETE_POLICY = "cwobject:EnsureAccessPolicy", "cwobject:DeleteAccessPolicy"
_STATUS = "ACCESS_KEY_STATUS_"
# How lasting keys end: never, or in a year of the past.
_LASTING_BEFORE = 1971


@dataclass(frozen=True)
class AccessKey:
    """A key as it is listed: without its secret. `ends` is None for a lasting one."""

    id: str
    status: str
    ends: datetime | None
    principal: str
    attributes: Mapping[str, str]

    @property
    def active(self) -> bool:
        return self.status == "ACTIVE"


@dataclass(frozen=True)
class MadeKey:
    """A new key, with the secret that is told this once."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class SessionKey:
    """A key that is nobody's to revoke: it ends by itself. `ends` is None where it is not told."""

    id: str
    secret: str = field(repr=False)
    session: str = field(repr=False)
    ends: datetime | None


@dataclass(frozen=True)
class Statement:
    name: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...]
    effect: str = "Allow"


@dataclass(frozen=True)
class Policy:
    name: str
    statements: tuple[Statement, ...]


class ObjectStorage:
    def __init__(self, session: Session) -> None:
        self._session = session

    def may(self, *actions: str) -> bool:
        """Whether the caller may do all of these, wherever.

        https://docs.coreweave.com/products/storage/object-storage/reference/object-storage-api-ref/cwobject/check-authorization
        """
        body = {"actions": list(actions), "resources": ["*"]}
        found = self._session.ask("cwobject:AuthCanI", "POST", _CAN_I, body)
        return found.get("verdict") is True

    # -- keys -------------------------------------------------------------------------

    def access_keys(self) -> list[AccessKey]:
        """All of the organisation that are not revoked."""
        found = self._session.ask("cwobject:ListAccessKeyInfo", "GET", _KEYS)
        listed = [_key(item.get("info") or item) for item in found.get("items") or ()]
        return [key for key in listed if key.status != "DELETED"]

    def create_key(self, lifetime: timedelta, attributes: Mapping[str, str]) -> MadeKey:
        """Never repeated: the first would be nobody's."""
        body = {
            "durationSeconds": int(lifetime.total_seconds()),
            "attributes": dict(attributes),
        }
        made = self._session.ask(CREATE_KEY, "POST", _KEYS, body, once=True)
        return MadeKey(_id(made), str(made["secretKey"]))

    def session_key(self) -> SessionKey:
        """What the API token itself is exchanged for: nothing is made that anybody could list.

        https://docs.coreweave.com/products/storage/object-storage/auth-access/manage-access-keys/api-access-token
        """
        found = self._session.ask(CREATE_KEY, "GET", _EXCHANGED)
        return SessionKey(
            str(found["AccessKeyId"]),
            str(found["SecretAccessKey"]),
            str(found.get("Token") or ""),
            _time(found.get("Expiration")),
        )

    def revoke_key(self, key_id: str) -> None:
        """Already gone is success."""
        self._session.find(REVOKE_KEY, "POST", _REVOKE, {"accessKey": key_id})

    # -- policies ---------------------------------------------------------------------

    def policies(self) -> list[Policy]:
        found = self._session.ask("cwobject:ListAccessPolicy", "GET", _POLICIES)
        return [_policy(item.get("policy") or item) for item in found.get("policies") or ()]

    def ensure_policy(self, policy: Policy) -> None:
        """Make it, or put it in the place of the one of that name."""
        statements = [
            {
                "name": item.name,
                "effect": item.effect,
                "actions": list(item.actions),
                "resources": list(item.resources),
                "principals": list(item.principals),
            }
            for item in policy.statements
        ]
        body = {"policy": {"version": "v1alpha1", "name": policy.name, "statements": statements}}
        self._session.ask(ENSURE_POLICY, "POST", _POLICIES, body)

    def delete_policy(self, name: str) -> None:
        """Already gone is success."""
        path = f"{_POLICIES}/{quote(name, safe='')}"
        self._session.find(DELETE_POLICY, "DELETE", path)


def _id(item: Mapping[str, Any]) -> str:
    # Older installations of the API write it otherwise.
    return str(item.get("accessKeyId") or item.get("accessKeyID") or "")


def _key(item: Mapping[str, Any]) -> AccessKey:
    return AccessKey(
        id=_id(item),
        status=str(item.get("status", "")).removeprefix(_STATUS),
        ends=_time(item.get("expiry")),
        principal=str(item.get("principalName", "")),
        attributes={key: str(value) for key, value in (item.get("attributes") or {}).items()},
    )


def _time(text: object) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(str(text))
    # The year is looked at first: year one in another time zone would be before all years.
    return None if found.year < _LASTING_BEFORE else found.astimezone(UTC)


def _policy(item: Mapping[str, Any]) -> Policy:
    return Policy(
        str(item.get("name", "")),
        tuple(
            Statement(
                name=str(found.get("name", "")),
                actions=tuple(found.get("actions") or ()),
                resources=tuple(found.get("resources") or ()),
                principals=tuple(found.get("principals") or ()),
                effect=str(found.get("effect", "")),
            )
            for found in item.get("statements") or ()
        ),
    )
