"""Entra on the wire: discovery documents, keys, and the token endpoint."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from anyscale_k8s_cli.sandbox.azure.directory import Directory, EntraError, Principal
from anyscale_k8s_cli.sandbox.wire import AiohttpHandler, Operation, Refusal, Wire

SERVICE = "entra"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEFAULT = "/.default"
_NAMES = {"common", "organizations"}


@dataclass(frozen=True)
class Entra:
    """The login endpoint of one tenant."""

    directory: Directory
    lock: threading.RLock

    def application(self, wire: Wire) -> web.Application:
        application = web.Application(
            middlewares=[wire.middleware(_classify, _refuse), _with_errors]
        )
        application.add_routes(
            [
                web.get("/{tenant}/v2.0/.well-known/openid-configuration", self.configuration),
                web.get("/{tenant}/.well-known/openid-configuration", self.configuration),
                web.get("/common/discovery/instance", self.instances),
                web.get("/{tenant}/discovery/v2.0/keys", self.keys),
                web.get("/{tenant}/discovery/keys", self.keys),
                web.post("/{tenant}/oauth2/v2.0/token", self.token),
                web.post("/{tenant}/oauth2/token", self.token),
            ]
        )
        return application

    async def configuration(self, request: web.Request) -> web.Response:
        tenant = self._tenant(request)
        base = f"{request.url.origin()}/{tenant}"
        return web.json_response(
            {
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "tenant_region_scope": "NA",
                "cloud_instance_name": request.url.authority,
            }
        )

    async def instances(self, request: web.Request) -> web.Response:
        """Which hosts are one and the same login endpoint; here it has one name only."""
        host = request.url.authority
        return web.json_response(
            {
                "tenant_discovery_endpoint": f"{request.url.origin()}/"
                f"{self.directory.tenant_id}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                ],
            }
        )

    async def keys(self, request: web.Request) -> web.Response:
        with self.lock:
            return web.json_response(self.directory.tokens.keys())

    async def token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        with self.lock:
            return web.json_response(self._token(request, form))

    def _token(self, request: web.Request, form: Mapping[str, str]) -> dict[str, object]:
        self._tenant(request)
        if form.get("grant_type") != "client_credentials":
            message = "The request body must contain the following parameter: 'grant_type'."
            if form.get("grant_type"):
                message = f"The grant type '{form['grant_type']}' is not supported here."
            raise EntraError(400, "unsupported_grant_type", 70003, message)
        audience = _audience(form)
        principal, by_secret = self._client(form)
        self.directory.check_audience(audience)
        token, seconds = self.directory.tokens.issue(
            principal.bearer, audience, by_secret=by_secret
        )
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        }

    def _client(self, form: Mapping[str, str]) -> tuple[Principal, bool]:
        client_id = form.get("client_id", "")
        if form.get("client_assertion_type") == _ASSERTION_TYPE:
            assertion = form.get("client_assertion", "")
            return self.directory.by_assertion(client_id, assertion), False
        if "client_secret" not in form:
            raise EntraError(
                401,
                "invalid_client",
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the "
                "'client_credentials' grant type.",
            )
        return self.directory.by_secret(client_id, form["client_secret"]), True

    def _tenant(self, request: web.Request) -> str:
        tenant = request.match_info["tenant"]
        if tenant.lower() != self.directory.tenant_id and tenant not in _NAMES:
            raise EntraError(
                400,
                "invalid_request",
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID "
                "and are signing into the correct cloud. Check with your subscription "
                "administrator, this may happen if there are no active subscriptions for the "
                "tenant.",
            )
        return self.directory.tenant_id


def _audience(form: Mapping[str, str]) -> str:
    """What the token is for: a scope with its default suffix, or a resource of old."""
    if resource := form.get("resource"):
        return resource
    scopes = [
        scope
        for scope in form.get("scope", "").split()
        if scope not in ("openid", "profile", "offline_access")
    ]
    if len(scopes) != 1:
        message = "The provided request must include a 'scope' input parameter."
        raise EntraError(400, "invalid_scope", 70011, message)
    if not scopes[0].endswith(_DEFAULT):
        raise EntraError(
            400,
            "invalid_scope",
            1002012,
            f"The provided value for scope {scopes[0]} is not valid. Client credential flows must "
            "have a scope value with /.default suffixed to the resource identifier (application "
            "ID URI).",
        )
    return scopes[0].removesuffix(_DEFAULT)


async def _classify(request: web.Request) -> Operation:
    body: object = None
    name = request.path.rsplit("/", 1)[-1]
    principal = resource = ""
    if request.method == "POST":
        form = await request.post()
        principal = str(form.get("client_id", ""))
        resource = str(form.get("scope") or form.get("resource") or "")
        # The proofs themselves are secrets.
        body = {
            "grant_type": str(form.get("grant_type", "")),
            "by": "assertion" if "client_assertion" in form else "secret",
        }
    return Operation(SERVICE, name, write=False, principal=principal, resource=resource, body=body)


@web.middleware
async def _with_errors(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except EntraError as error:
        return _error(error.status, error.error, error.number, str(error))


def _refuse(refusal: Refusal) -> web.Response:
    if refusal.status == 429:
        return _error(429, "temporarily_unavailable", 90055, "AADSTS90055: Tenant is throttled.")
    return _error(refusal.status, refusal.code, 90033, f"AADSTS90033: {refusal.message}")


def _error(status: int, error: str, number: int, text: str) -> web.Response:
    from datetime import UTC, datetime

    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    return web.json_response(
        {
            "error": error,
            "error_description": f"{text} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {at}",
            "error_codes": [number],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={number}",
        },
        status=status,
    )
