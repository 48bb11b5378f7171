"""Azure as the operator's SDK would use it: the pod's federated token, Entra, blob storage.

Plain HTTP. The only credentials are a pod's token in a file that a variable names, and an
application's secret: pods of the stand-in cluster have no metadata service.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from yarl import URL

from anyscale_k8s_cli.sandbox.workloads.operator_cloud import CloudFailure, Tokens
from anyscale_k8s_cli.sandbox.workloads.operator_config import OperatorConfig

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_STORAGE_SCOPE = "https://storage.azure.com/.default"
_VERSION = "2023-11-03"
_ERROR = re.compile(r"<Code>(.*?)</Code>\s*<Message>(.*?)[\n<]", re.DOTALL)
# What Entra says about the request itself, after the cause.
_TRACE = re.compile(r"\s*Trace ID:.*", re.DOTALL)
CLIENT_SECRET = "AZURE_CLIENT_SECRET"
TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"
# In the sandbox no cloud is the public one.
_NEEDED_FOR_BLOBS = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_AUTHORITY_HOST")
_NEEDED = ("AZURE_TENANT_ID", TOKEN_FILE, "AZURE_AUTHORITY_HOST")


@dataclass(frozen=True)
class AzureSession:
    """The managed identity of the operator. `audience_token` is for the control plane."""

    azure: Azure
    client_id: str
    audience_token: str = field(repr=False)
    source: str = ""
    _storage_tokens: list[str] = field(default_factory=list, repr=False)

    async def identity(self) -> str:
        """The principal that the token is of; nobody's where there is none."""
        if not self.audience_token:
            return ""
        claims = self.audience_token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        return str(json.loads(base64.urlsafe_b64decode(padded))["oid"])

    async def proof(self) -> dict[str, Any]:
        return {"access_token": self.audience_token}

    async def storage_keys(self) -> dict[str, Any]:
        return {"access_token": await self._storage_token()}

    async def put(self, storage: dict[str, Any], key: str, content: bytes) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        await self._blob(storage, "PUT", f"/{quote(key)}", headers, content)

    async def get(self, storage: dict[str, Any], key: str) -> bytes:
        return await self._blob(storage, "GET", f"/{quote(key)}")

    async def list(self, storage: dict[str, Any], prefix: str) -> None:
        query = urlencode({"restype": "container", "comp": "list", "prefix": prefix})
        await self._blob(storage, "GET", f"?{query}")

    async def delete(self, storage: dict[str, Any], key: str) -> None:
        await self._blob(storage, "DELETE", f"/{quote(key)}")

    async def _storage_token(self) -> str:
        if not self._storage_tokens:
            self._storage_tokens.append(await self.azure.token(self.client_id, _STORAGE_SCOPE))
        return self._storage_tokens[0]

    async def _blob(
        self,
        storage: dict[str, Any],
        method: str,
        rest: str,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
    ) -> bytes:
        token = await self._storage_token()
        own = {"Authorization": f"Bearer {token}", "x-ms-version": _VERSION, **(headers or {})}
        return await self.azure.send(method, f"{_container_url(storage)}{rest}", own, content)


@dataclass(frozen=True)
class Azure:
    """Entra at the authority that the pod was given; `tokens` are the pod's, by path."""

    http: aiohttp.ClientSession
    config: OperatorConfig
    tokens: Tokens

    async def session(self) -> AzureSession:
        environ = self.config.environ
        missing = [name for name in _NEEDED if not environ.get(name)]
        if missing:
            raise CloudFailure(
                "DefaultAzureCredential: failed to acquire a token. WorkloadIdentityCredential: "
                f"{', '.join(missing)} not set in the environment. ManagedIdentityCredential: no "
                "response from the IMDS endpoint"
            )
        client_id = environ.get("AZURE_CLIENT_ID", "")
        if not client_id:
            raise CloudFailure(
                "WorkloadIdentityCredential: no client ID specified. Check pod configuration or "
                "set ClientID in the options"
            )
        scope = environ.get("ANYSCALE_AUTH_AUDIENCE", "")
        if not scope:
            raise CloudFailure("global.auth.audience is not set: no token for the control plane")
        source = f"workload identity, client {client_id}"
        return AzureSession(self, client_id, await self.token(client_id, scope), source)

    async def token(self, client_id: str, scope: str) -> str:
        """An access token for the pod's secret, else for its federated token."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "scope": scope}
        if secret := self.config.environ.get(CLIENT_SECRET):
            return await self._granted({**form, "client_secret": secret})
        try:
            assertion = await self.tokens(self.config.environ.get(TOKEN_FILE, ""))
        except LookupError as missing:
            raise CloudFailure(f"failed to read the token file: {missing}") from missing
        of_pod = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        return await self._granted({**form, **of_pod})

    async def _granted(self, form: dict[str, str]) -> str:
        environ = self.config.environ
        host = environ["AZURE_AUTHORITY_HOST"].rstrip("/")
        url = f"{host}/{environ['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = json.loads(await self.send("POST", url, headers, urlencode(form).encode()))
        return str(answer["access_token"])

    async def send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> bytes:
        target = URL(url, encoded=True)
        try:
            async with self.http.request(method, target, headers=headers, data=body) as answer:
                content = await answer.read()
        except aiohttp.ClientError as failure:
            raise CloudFailure(f"no answer from Azure: {failure}") from failure
        if answer.status >= 400:
            raise CloudFailure(_said(answer.status, content.decode(errors="replace")))
        return content


@dataclass(frozen=True)
class BlobsAlone:
    """What the container's variables name opens blobs, and proves nothing to the control plane."""

    azure: Azure

    async def session(self) -> AzureSession:
        environ = self.azure.config.environ
        missing = [name for name in _NEEDED_FOR_BLOBS if not environ.get(name)]
        if missing:
            raise CloudFailure(
                f"EnvironmentCredential: missing environment variables {', '.join(missing)}"
            )
        client_id = environ["AZURE_CLIENT_ID"]
        kind = "client secret" if environ.get(CLIENT_SECRET) else "workload identity"
        return AzureSession(self.azure, client_id, "", f"{kind}, client {client_id}")


def _container_url(storage: dict[str, Any]) -> str:
    """Where the registered container answers: `abfss://<container>@<account>…` at its endpoint."""
    bucket, endpoint = urlsplit(str(storage["bucket_name"])), str(storage.get("endpoint") or "")
    if not endpoint:
        raise CloudFailure(f"{storage['bucket_name']} is registered without a blob endpoint")
    return f"{endpoint.rstrip('/')}/{bucket.username or bucket.netloc}"


def _said(status: int, body: str) -> str:
    """Code and message of an error, in XML or JSON."""
    found = _ERROR.search(body)
    if found:
        return f"{found[1]}: {found[2]}"
    try:
        error = json.loads(body)
    except ValueError:
        return f"HTTP {status}"
    return _TRACE.sub("", str(error.get("error_description") or error.get("error")))
