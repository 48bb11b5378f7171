"""Who may sign: users with their keys, and sessions of assumed roles."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.policy import Document, Grants
from anyscale_k8s_cli.sandbox.aws.propagation import Propagation

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `id` is what the service calls UserId, `entity` the ARN in IAM."""

    arn: str
    id: str
    account: str
    entity: str
    user_name: str = ""

    def context(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that depend on the caller alone."""
        keys: dict[str, tuple[str, ...]] = {
            "aws:principalarn": (self.entity,),
            "aws:principalaccount": (self.account,),
            "aws:userid": (self.id,),
        }
        return keys | {"aws:username": (self.user_name,)} if self.user_name else keys


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key that somebody may sign with. Sessions have a token and an end."""

    access_key: str
    secret: str
    principal: Principal
    role_id: str = ""
    token: str | None = None
    expires: datetime | None = None
    policies: tuple[Document, ...] | None = None


class Principals:
    """The users of the account and the sessions that STS has given out."""

    def __init__(
        self,
        account: Account,
        clock: Clock,
        propagation: Propagation,
        organisation: Sequence[Document] | None = None,
    ) -> None:
        """`organisation` are the policies of the one that the account is in, if it is in any."""
        self._account = account
        self._propagation = propagation
        self._clock = clock
        self._organisation = organisation
        self._sessions: dict[str, Keys] = {}

    def keys(self, access_key: str) -> Keys | None:
        if session := self._sessions.get(access_key):
            return session
        found = self._account.user_of_key(access_key)
        if found is None:
            return None
        user, key = found
        principal = Principal(user.arn, user.id, self._account.id, user.arn, user.name)
        return Keys(access_key, key.secret_access_key, principal)

    def open_session(
        self, role: Any, name: str, seconds: int, policies: Sequence[Document] | None = None
    ) -> Keys:
        """Temporary keys of a role, at most further restricted by session policies."""
        arn = f"arn:{self._account.partition}:sts::{self._account.id}:assumed-role/"
        principal = Principal(
            f"{arn}{role.name}/{name}", f"{role.id}:{name}", self._account.id, role.arn
        )
        session = Keys(
            access_key="ASIA" + _random(string.ascii_uppercase + string.digits, 16),
            secret=_random(string.ascii_letters + string.digits, 40),
            principal=principal,
            role_id=role.id,
            token="FwoGZXIvYXdzE" + _random(string.ascii_letters + string.digits, 300),
            expires=self._clock() + timedelta(seconds=seconds),
            policies=tuple(policies) if policies is not None else None,
        )
        self._sessions[session.access_key] = session
        return session

    def expire_sessions(self) -> None:
        """End every session now."""
        now = self._clock()
        for access_key, session in self._sessions.items():
            self._sessions[access_key] = _ended(session, now)

    def grants(self, keys: Keys) -> Grants:
        """What the holder of these keys may do; a deleted role's sessions may do nothing."""
        if not keys.role_id:
            entity = self._account.entity(keys.principal.entity)
            return self.grants_of(entity) if entity is not None else Grants()
        role = self._account.role_by_id(keys.role_id)
        if role is None:
            return Grants()
        policies = self._propagation.policies(role)
        bounds = (self._account.boundary(role), keys.policies, self._organisation)
        return Grants(policies, *bounds)

    def grants_of(self, entity: Any) -> Grants:
        """What IAM itself says that a user or role may do."""
        return Grants(
            self._account.policies(entity),
            self._account.boundary(entity),
            organisation=self._organisation,
        )


def credentials(keys: Keys) -> Mapping[str, Any]:
    """A session as STS answers it."""
    return {
        "AccessKeyId": keys.access_key,
        "SecretAccessKey": keys.secret,
        "SessionToken": keys.token,
        "Expiration": keys.expires,
    }


def session_policies(parameters: Mapping[str, Any]) -> list[Document] | None:
    """The session policy of an AssumeRole call, if it has one."""
    return [json.loads(parameters["Policy"])] if parameters.get("Policy") else None


def _ended(session: Keys, now: datetime) -> Keys:
    return Keys(
        session.access_key,
        session.secret,
        session.principal,
        session.role_id,
        session.token,
        now - timedelta(seconds=1),
        session.policies,
    )


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
