"""The operator's side: registration with a proof of identity, and its reports.

The real operator sends a signed STS request, which the control plane replays
and compares with the registered role; it never assumes that role. Here
likewise, over HTTP. Each way in which that can fail has its own sentence.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from anyscale_k8s_cli.sandbox.controlplane.accounts import Accounts
from anyscale_k8s_cli.sandbox.controlplane.clouds import Registry, Resource
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import (
    RegisterRequest,
    Registration,
    SignedRequest,
    StatusReport,
    fitting,
)

_SESSION_SECONDS = 3600
_ARN = re.compile(r"<Arn>([^<]+)</Arn>")
_CODE = re.compile(r"<Code>([^<]+)</Code>")
# …:assumed-role/<role>/<session>, with the account before it
_ASSUMED = re.compile(r"arn:[\w-]+:sts::(\d{12}):assumed-role/([^/]+)/.+")
_ROLE = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/(?:.+/)?([^/]+)")


class IdentityVerifier(Protocol):
    """Finds out who signed a request."""

    async def caller(self, request: SignedRequest) -> str:
        """The caller's ARN; raises 403 when the signature does not hold."""
        ...


@dataclass(frozen=True)
class StsVerifier:
    """Replays a signed GetCallerIdentity at the one STS it believes.

    `http` gives the client session to use; it lives as long as the stand-in.
    """

    sts_url: str
    http: Callable[[], aiohttp.ClientSession]

    async def caller(self, request: SignedRequest) -> str:
        asked, believed = urlsplit(request.url), urlsplit(self.sts_url)
        if (asked.scheme, asked.netloc) != (believed.scheme, believed.netloc):
            raise Refused(403, f"Identity proofs of {asked.netloc} are not accepted.")
        if request.method != "POST" or "Action=GetCallerIdentity" not in request.body:
            raise Refused(403, "The identity proof is not a GetCallerIdentity request.")
        try:
            async with self.http().post(
                request.url, data=request.body.encode(), headers=request.headers
            ) as answer:
                text = await answer.text()
        except aiohttp.ClientError as failure:
            raise Refused(503, f"STS does not answer: {type(failure).__name__}") from failure
        if answer.status != 200:
            code = _CODE.search(text)
            raise Refused(
                403, f"STS refused the identity proof: {code[1] if code else answer.status}."
            )
        found = _ARN.search(text)
        if found is None:
            raise Refused(503, "STS answered something unexpected.")
        return found[1]


@dataclass
class Session:
    resource_id: str
    expires_at: datetime


@dataclass
class Operators:
    """Who is connected. `verifier` is None where no cloud's identities can be checked."""

    registry: Registry
    accounts: Accounts
    verifier: IdentityVerifier | None
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
        self._sessions[token] = Session(resource.id, expires)
        return {
            "session_token": token,
            "expires_at": expires.isoformat(),
            "report_interval_seconds": self.registry.behaviour.report_interval,
            "object_storage": resource.content["object_storage"],
            "cloud_resource": resource.content,
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
        report = fitting(StatusReport, body)
        operator = resource.operator
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
        identity = _registered_identity(resource)
        if message.token is not None:
            self._prove_by_token(message.token)
        elif message.caller_identity is None:
            raise Refused(403, "The operator sent neither an identity proof nor a token.")
        elif self.verifier is None:
            raise Refused(403, f"Identities of {resource.content['provider']} are not accepted.")
        elif not identity:
            raise Refused(403, f"Cloud resource {resource.id} names no operator identity.")
        else:
            _compare(await self.verifier.caller(message.caller_identity), identity)

    def _prove_by_token(self, token: str) -> None:
        try:
            self.accounts.admit(token)
        except Refused:
            raise Refused(403, "The operator's Anyscale token is not valid.") from None


def _registered_identity(resource: Resource) -> str:
    config = resource.content.get("kubernetes_config") or {}
    return str(config.get("anyscale_operator_iam_identity") or "")


def _decode(request: RegisterRequest) -> Registration:
    try:
        content = json.loads(base64.b64decode(request.message_base64, validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, "message_base64 does not hold a registration message.") from None
    return fitting(Registration, content)


def _compare(caller: str, registered: str) -> None:
    """Account and role name must agree; a session's ARN has no path to compare."""
    used, wanted = _ASSUMED.fullmatch(caller), _ROLE.fullmatch(registered)
    if wanted is None:
        raise Refused(403, f"The registered identity {registered} is not the ARN of a role.")
    if used is None or used.groups() != wanted.groups():
        raise Refused(
            403,
            f"The operator's identity {caller} does not match the registered {registered}.",
        )
