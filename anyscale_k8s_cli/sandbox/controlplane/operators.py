"""The operator's side: registration with a proof of identity, and its reports.

What proves an identity is each cloud's own; who compares it is handed in. Each
way in which that can fail has its own sentence.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from anyscale_k8s_cli.sandbox.controlplane.accounts import Accounts, key_id
from anyscale_k8s_cli.sandbox.controlplane.clouds import Registry, Resource
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import (
    RegisterRequest,
    Registration,
    StatusReport,
    fitting,
)

_USER_DOMAIN = "anyscaleuserdata.com"
_SESSION_SECONDS = 3600


class IdentityVerifier(Protocol):
    """Knows the identities of one cloud."""

    async def verify(self, proof: Mapping[str, Any], registered: str) -> None:
        """Return when the proof is of the registered identity; raises 403 in its own words."""
        ...


@dataclass
class Session:
    """`key_id` is of the key that it was opened with; empty when there was none."""

    resource_id: str
    expires_at: datetime
    key_id: str


@dataclass
class Operators:
    """Who is connected. `verifiers` are by the provider of the resource."""

    registry: Registry
    accounts: Accounts
    verifiers: Mapping[str, IdentityVerifier]
    _sessions: dict[str, Session] = field(default_factory=dict)

    async def register(self, body: Any) -> dict[str, Any]:
        """A session for an operator that is who its resource says; else 403."""
        message = _decode(fitting(RegisterRequest, body))
        found = self.registry.resource(message.cloud_resource_id)
        if found is None:
            raise Refused(403, f"Cloud resource {message.cloud_resource_id} is not registered.")
        resource = found[1]
        await self._prove(message, resource)
        resource.operator.version = message.operator_version
        resource.operator.storage = message.storage
        token = f"opsess_{secrets.token_urlsafe(32)}"
        expires = self.registry.clock() + timedelta(seconds=_SESSION_SECONDS)
        opened_with = "" if message.token is None else key_id(message.token)
        self._sessions[token] = Session(resource.id, expires, opened_with)
        resource.operator.shut_out = False
        return {
            "session_token": token,
            "expires_at": expires.isoformat(),
            "report_interval_seconds": self.registry.behaviour.report_interval,
            "object_storage": resource.content["object_storage"],
            "cloud_resource": resource.content,
            "user_domain": _USER_DOMAIN,
        }

    def report(self, token: str, body: Any) -> dict[str, Any]:
        """Take a report and say what to run; 404 once the resource is gone."""
        session = self._sessions.get(token)
        if session is None or self.registry.clock() >= session.expires_at:
            raise Refused(401, "The operator's session is not valid. Register again.")
        found = self.registry.resource(session.resource_id)
        if found is None:
            del self._sessions[token]
            raise Refused(404, f"Cloud resource {session.resource_id} is no longer registered.")
        cloud, resource = found
        operator = resource.operator
        if session.key_id and (ended := self.accounts.ended(session.key_id)):
            del self._sessions[token]
            operator.shut_out = True
            raise Refused(401, f"The operator's Anyscale token is not valid: {ended}")
        report = fitting(StatusReport, body)
        operator.shut_out = False
        operator.version = report.operator_version
        operator.status = report.status
        operator.checks = report.check_results
        operator.active_workloads = report.active_workloads
        operator.storage = report.storage or operator.storage
        operator.reported_at = self.registry.clock()
        leaving = cloud.gone_at is not None
        return {
            "registration": "deleting" if leaving else "active",
            "workloads": 0 if leaving else operator.wanted_workloads,
        }

    async def _prove(self, message: Registration, resource: Resource) -> None:
        provider = str(resource.content["provider"])
        identity, verifier = _registered_identity(resource), self.verifiers.get(provider)
        if message.token is not None:
            self._prove_by_token(message.token)
        elif message.proof is None:
            raise Refused(403, "The operator sent neither an identity proof nor a token.")
        elif verifier is None:
            raise Refused(403, f"Identities of {provider} are not accepted.")
        elif not identity:
            raise Refused(403, f"Cloud resource {resource.id} names no operator identity.")
        else:
            await verifier.verify(message.proof, identity)

    def _prove_by_token(self, token: str) -> None:
        try:
            self.accounts.admit(token)
        except Refused as refused:
            said = f"The operator's Anyscale token is not valid: {refused.detail}"
            raise Refused(403, said) from None


def _registered_identity(resource: Resource) -> str:
    config = resource.content.get("kubernetes_config") or {}
    return str(config.get("anyscale_operator_iam_identity") or "")


def _decode(request: RegisterRequest) -> Registration:
    try:
        content = json.loads(base64.b64decode(request.message_base64, validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, "message_base64 does not hold a registration message.") from None
    return fitting(Registration, content)
