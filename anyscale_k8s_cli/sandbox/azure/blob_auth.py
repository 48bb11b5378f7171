"""Who may do what to blobs: by Entra's tokens and roles, by the account's keys, by a SAS."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from anyscale_k8s_cli.sandbox.azure import blob_sas
from anyscale_k8s_cli.sandbox.azure.blob_request import BlobError, BlobRequest
from anyscale_k8s_cli.sandbox.azure.blob_sas import Sas
from anyscale_k8s_cli.sandbox.azure.blob_store import BlobAccount
from anyscale_k8s_cli.sandbox.azure.directory import Directory, Principal, for_storage
from anyscale_k8s_cli.sandbox.azure.resources import Resource
from anyscale_k8s_cli.sandbox.azure.rights import Rights
from anyscale_k8s_cli.sandbox.azure.tokens import BadToken

_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
_LONGEST_DELEGATION = timedelta(days=7)


@dataclass(frozen=True)
class Admission:
    """Lets requests in. `login_url` is where the challenge sends clients to."""

    directory: Directory
    rights: Rights
    login_url: str
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def admit(self, request: BlobRequest, account: Resource, data: BlobAccount) -> Principal | None:
        """Return the caller, None for the holder of a key; raises 401 or 403."""
        scheme, _, proof = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            principal = self._bearer(proof.strip())
            self._check(principal, request, account)
            return principal
        if scheme.lower() == "sharedkey":
            self._check_shared_key(account)
            _check_signature(request, data, proof)
            return None
        sas = Sas(request)
        if sas.present:
            return self._by_sas(sas, request, account, data)
        if request.right.letters in ("r", "l") and _is_public(request, data):
            return None
        raise self._challenge("NoAuthenticationInformation")

    def caller(self, request: BlobRequest) -> str:
        """Who says to call, for the record."""
        scheme, _, proof = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            try:
                return self._bearer(proof.strip()).display_name
            except BlobError:
                return ""
        if scheme.lower() == "sharedkey":
            return "shared key"
        return "SAS" if Sas(request).present else ""

    # -- Entra -------------------------------------------------------------------------

    def _bearer(self, token: str) -> Principal:
        try:
            bearer = self.directory.tokens.verify(token, for_storage)
        except BadToken as bad:
            raise self._challenge("InvalidAuthenticationInfo") from bad
        found = self.directory.find(bearer.object_id)
        if found is None:
            raise self._challenge("InvalidAuthenticationInfo")
        return found

    def _check(self, principal: Principal, request: BlobRequest, account: Resource) -> None:
        right, scope = request.right, account.id
        if request.container:
            scope = f"{account.id}/blobServices/default/containers/{request.container}"
        if not self.rights.in_effect(principal, right.action, scope, data=right.data):
            raise BlobError(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this permission.",
            )

    def _challenge(self, code: str) -> BlobError:
        login = f"{self.login_url}/{self.directory.tenant_id}/oauth2/authorize"
        return BlobError(
            401,
            code,
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header.",
            {
                "WWW-Authenticate": f"Bearer authorization_uri={login} "
                "resource_id=https://storage.azure.com"
            },
        )

    # -- signatures -----------------------------------------------------------------------

    @staticmethod
    def _check_shared_key(account: Resource) -> None:
        if account.properties.get("allowSharedKeyAccess") is False:
            raise BlobError(
                403,
                "KeyBasedAuthenticationNotPermitted",
                "Key based authentication is not permitted on this storage account.",
            )

    def _by_sas(
        self, sas: Sas, request: BlobRequest, account: Resource, data: BlobAccount
    ) -> Principal | None:
        now = self.directory.clock()
        if not sas.delegated:
            self._check_shared_key(account)
            sas.check(data.keys.values(), now)
            return None
        query = request.query
        names = ("skoid", "sktid", "skt", "ske", "sks", "skv")
        signed = tuple(query.get(name, "") for name in names)
        sas.check([self._delegation_key(account.name, signed)], now)
        principal = self.directory.find(query["skoid"])
        if principal is None:
            raise blob_sas.failed("The signing identity is not known.")
        # No more than whoever asked for the key may do.
        self._check(principal, request, account)
        return principal

    def delegate(
        self, account: str, principal: Principal, start: datetime, expiry: datetime, version: str
    ) -> dict[str, str]:
        """A user delegation key and what it is for, by the names of Azure's answer."""
        if not timedelta() < expiry - self.directory.clock() <= _LONGEST_DELEGATION:
            raise BlobError(
                400,
                "InvalidXmlNodeValue",
                "The value for one of the XML nodes is not in the correct format: Expiry",
            )
        signed = {
            "SignedOid": principal.object_id,
            "SignedTid": self.directory.tenant_id,
            "SignedStart": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "SignedExpiry": f"{expiry:%Y-%m-%dT%H:%M:%SZ}",
            "SignedService": "b",
            "SignedVersion": version,
        }
        return {**signed, "Value": self._delegation_key(account, tuple(signed.values()))}

    def _delegation_key(self, account: str, signed: tuple[str, ...]) -> str:
        """Computed again from what it is for: nobody has to remember those given out."""
        text = "\n".join((account, *signed)).encode()
        return base64.b64encode(hmac.new(self._secret, text, sha256).digest()).decode()


def _check_signature(request: BlobRequest, data: BlobAccount, proof: str) -> None:
    """https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key"""
    name, _, signature = proof.partition(":")
    text = _string_to_sign(request, name)
    wanted = [blob_sas.sign(key, text) for key in data.keys.values()]
    if name != data.name or signature not in wanted:
        raise blob_sas.failed("The MAC signature found in the HTTP request is not the same.")


def _string_to_sign(request: BlobRequest, account: str) -> str:
    headers = dict(request.headers)
    if headers.get("content-length") == "0":
        del headers["content-length"]
    own = {name: value for name, value in headers.items() if name.startswith("x-ms-")}
    # Hyphens count only between names that are the same without them.
    ordered = sorted(own, key=lambda name: (name.replace("-", ""), name))
    query = {name.lower(): value for name, value in request.query.items()}
    return "\n".join(
        [
            request.method,
            *(headers.get(name, "") for name in _SIGNED_HEADERS),
            *(f"{name}:{own[name]}" for name in ordered),
            f"/{account}{request.raw_path}",
            *(f"{name}:{query[name]}" for name in sorted(query)),
        ]
    )


def _is_public(request: BlobRequest, data: BlobAccount) -> bool:
    container = data.containers.get(request.container)
    if container is None:
        return False
    wanted = {"Container"} if request.kind == "container" else {"Container", "Blob"}
    return container.public_access in wanted
