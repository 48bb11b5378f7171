"""The IAM Service Account Credentials API: acting as an account without its keys.

https://cloud.google.com/iam/docs/reference/credentials/rest
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.google.accounts import ServiceAccount
from anyscale_k8s_cli.sandbox.google.api import Call, Handle, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.errors import denied, invalid, not_found
from anyscale_k8s_cli.sandbox.google.oauth import id_claims
from anyscale_k8s_cli.sandbox.google.project import Project, account_caller
from anyscale_k8s_cli.sandbox.google.tokens import CLOUD_PLATFORM, Caller, encoded, signed_jwt

_IAM_SCOPE = "https://www.googleapis.com/auth/iam"
_LONGEST = 3600
_SECONDS = re.compile(r"(\d+)(?:\.\d+)?s")
_DELEGATE = re.compile(r"projects/-/serviceAccounts/(\S+)")


@dataclass(frozen=True)
class Credentials:
    """https://iamcredentials.googleapis.com"""

    project: Project

    def service(self) -> Service:
        return Service(
            "iamcredentials",
            (
                self._method("generateAccessToken", self._access_token),
                self._method("generateIdToken", self._id_token),
                self._method("signBlob", self._sign_blob),
            ),
        )

    def _method(self, verb: str, handle: Handle) -> Method:
        return Method(
            f"iamcredentials.projects.serviceAccounts.{verb}",
            "POST",
            rf"/v1/projects/-/serviceAccounts/{{account:[^/:]+}}:{verb}",
            handle,
            secret=True,
            scopes=frozenset({CLOUD_PLATFORM, _IAM_SCOPE}),
        )

    def _access_token(self, call: Call) -> Reply:
        scopes = frozenset(str(scope) for scope in call.content.get("scope") or ())
        if not scopes:
            raise invalid("Request contains an invalid argument: scope is required.")
        given = str(call.content.get("lifetime") or f"{_LONGEST}s")
        lifetime = _SECONDS.fullmatch(given)
        if lifetime is None or not 0 < int(lifetime[1]) <= _LONGEST:
            raise invalid(f"The lifetime {given} is not between 1s and {_LONGEST}s.")
        account = self._account(call, "iam.serviceAccounts.getAccessToken")
        token = self.project.tokens.issue(account_caller(account, scopes), int(lifetime[1]))
        moment = token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Reply({"accessToken": token.value, "expireTime": moment})

    def _id_token(self, call: Call) -> Reply:
        audience = str(call.content.get("audience") or "")
        if not audience:
            raise invalid("Request contains an invalid argument: audience is required.")
        account = self._account(call, "iam.serviceAccounts.getOpenIdToken")
        email = account.email if call.content.get("includeEmail") else ""
        claims = id_claims(self.project, account.unique_id, email, audience)
        return Reply({"token": signed_jwt(claims, self.project.google_key)})

    def _sign_blob(self, call: Call) -> Reply:
        try:
            payload = base64.b64decode(str(call.content.get("payload") or ""), validate=True)
        except binascii.Error:
            raise invalid(
                "Invalid value at 'payload' (TYPE_BYTES), Base64 decoding failed"
            ) from None
        if not payload:
            raise invalid("Request contains an invalid argument: payload is required.")
        self._account(call, "iam.serviceAccounts.signBlob")
        key = self.project.google_key
        return Reply({"keyId": key.id, "signedBlob": encoded(key.sign(payload))})

    def _account(self, call: Call, permission: str) -> ServiceAccount:
        """The account in the path, if the caller, by way of its delegates, may act as it."""
        caller = call.caller
        for name in call.content.get("delegates") or ():
            delegate = _DELEGATE.fullmatch(str(name))
            if delegate is None:
                raise invalid(f"Invalid delegate: {name}")
            between = self._permitted(caller, delegate[1], "iam.serviceAccounts.implicitDelegation")
            caller = account_caller(between, caller.scopes)
        return self._permitted(caller, call.params["account"], permission)

    def _permitted(self, caller: Caller, name: str, permission: str) -> ServiceAccount:
        account = self.project.accounts.find(name)
        if account is None or account.disabled:
            raise denied(permission, f"projects/-/serviceAccounts/{name}")
        if not account.known_to("token"):
            raise not_found(f"Not found; Gaia id not found for email {account.email}")
        self.project.check(caller, permission, account.name, account.policy)
        return account
