"""Google Cloud as the operator's SDK would use it: the metadata server, identity tokens, storage.

Plain HTTP. Who the operator is, the metadata server tells: it knows this pod by a
token of the pod's own, which in life its address does. Elsewhere a mounted file does: an
account's key, or where the pod's own token is exchanged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from yarl import URL

from anyscale_k8s_cli.sandbox.workloads.operator_cloud import CloudFailure, Tokens
from anyscale_k8s_cli.sandbox.workloads.operator_config import OperatorConfig

# Whom the operator's identity tokens are made for.
AUDIENCE = "https://console.anyscale.com"
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_FEDERATED = "external_account"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_METADATA = "/computeMetadata/v1/instance/service-accounts/default"

PodToken = Callable[[], Awaitable[str]]
# Gives what a file of the container holds; raises LookupError if there is none.
Files = Callable[[str], str]


@dataclass(frozen=True)
class GoogleSession:
    """An access token of an account; `private_key` is the account's, where it is mounted."""

    google: Google
    email: str
    token: str = field(repr=False)
    source: str = ""
    private_key: str = field(default="", repr=False)

    async def identity(self) -> str:
        return self.email

    async def proof(self) -> dict[str, Any]:
        """An identity token: the account asks for it itself, and must be allowed to."""
        url = f"{self.google.iam}/v1/projects/-/serviceAccounts/{self.email}:generateIdToken"
        asked = {"audience": AUDIENCE, "includeEmail": True}
        try:
            answer = await self.google.send("POST", url, self._headers, json.dumps(asked).encode())
        except CloudFailure as failure:
            raise CloudFailure(f"unable to generate identity token: {failure}") from failure
        return {"id_token": json.loads(answer)["token"]}

    async def storage_keys(self) -> dict[str, Any]:
        if self.private_key:
            return {"email": self.email, "private_key": self.private_key}
        return {"email": self.email, "access_token": self.token}

    async def put(self, storage: dict[str, Any], key: str, content: bytes) -> None:
        url = f"{self.google.storage}/upload/storage/v1/b/{_bucket(storage)}/o?"
        url += urlencode({"uploadType": "media", "name": key})
        await self.google.send("POST", url, self._headers, content)

    async def get(self, storage: dict[str, Any], key: str) -> bytes:
        return await self.google.send(
            "GET", f"{self._object(storage, key)}?alt=media", self._headers
        )

    async def list(self, storage: dict[str, Any], prefix: str) -> None:
        url = f"{self.google.storage}/storage/v1/b/{_bucket(storage)}/o?"
        await self.google.send("GET", url + urlencode({"prefix": prefix}), self._headers)

    async def delete(self, storage: dict[str, Any], key: str) -> None:
        await self.google.send("DELETE", self._object(storage, key), self._headers)

    def _object(self, storage: dict[str, Any], key: str) -> str:
        bucket = _bucket(storage)
        return f"{self.google.storage}/storage/v1/b/{bucket}/o/{quote(key, safe='')}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Google:
    """The APIs at the endpoints that the pod was given; `pod_token` is its own."""

    http: aiohttp.ClientSession
    config: OperatorConfig
    pod_token: PodToken

    async def session(self) -> GoogleSession:
        host = self.config.environ.get("GCE_METADATA_HOST", "")
        if not host:
            raise CloudFailure("could not find default credentials: no metadata server")
        try:
            own = await self.pod_token()
        except LookupError as missing:
            raise CloudFailure(f"the metadata server cannot know this pod: {missing}") from missing
        headers = {"Metadata-Flavor": "Google", "Authorization": f"Bearer {own}"}
        email = (await self.send("GET", f"http://{host}{_METADATA}/email", headers)).decode()
        answer = await self.send("GET", f"http://{host}{_METADATA}/token", headers)
        token = json.loads(answer)["access_token"]
        return GoogleSession(self, email, token, source=f"the metadata server, account {email}")

    @property
    def iam(self) -> str:
        return self._endpoint("IAMCREDENTIALS")

    @property
    def storage(self) -> str:
        return self._endpoint("STORAGE").removesuffix("/storage/v1")

    def _endpoint(self, service: str) -> str:
        variable = f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}"
        found = self.config.environ.get(variable, "").rstrip("/")
        if not found:
            raise CloudFailure(f"{variable} is not set: the sandbox reaches no real Google")
        return found

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> bytes:
        """One call; raises :class:`CloudFailure` in Google's words."""
        # As it was put together: the client would decode some of the escapes.
        target = URL(url, encoded=True)
        try:
            async with self.http.request(method, target, headers=headers, data=body) as answer:
                content = await answer.read()
        except aiohttp.ClientError as failure:
            raise CloudFailure(f"no answer from Google: {failure}") from failure
        if answer.status >= 400:
            raise CloudFailure(_said(answer.status, content.decode(errors="replace")))
        return content


@dataclass(frozen=True)
class MountedFile:
    """The file that the operator's container is told of: who has it is the account, or whoever
    the pod's own token is taken for. `tokens` are the pod's, by path."""

    google: Google
    files: Files
    tokens: Tokens

    async def session(self) -> GoogleSession:
        path = self.google.config.environ[KEY_FILE]
        try:
            said = json.loads(self.files(path))
            if said["type"] == _FEDERATED:
                return await self._federated(said)
            return await self._of_key(said)
        except (LookupError, ValueError, TypeError) as problem:
            raise CloudFailure(
                f"could not find default credentials: {path}: {problem}"
            ) from problem

    async def _of_key(self, key: dict[str, Any]) -> GoogleSession:
        email, private_key, token_uri = (
            str(key[name]) for name in ("client_email", "private_key", "token_uri")
        )
        assertion = _assertion(email, private_key, token_uri)
        token = await self._asked(token_uri, {"grant_type": _GRANT, "assertion": assertion})
        return GoogleSession(
            self.google, email, token, f"the key file, account {email}", private_key
        )

    async def _federated(self, said: dict[str, Any]) -> GoogleSession:
        """https://google.aip.dev/auth/4117"""
        form = {
            "grant_type": _EXCHANGE,
            "audience": said["audience"],
            "scope": _SCOPE,
            "requested_token_type": _ACCESS_TOKEN,
            "subject_token_type": said["subject_token_type"],
            "subject_token": await self.tokens(str(said["credential_source"]["file"])),
        }
        token = await self._asked(str(said["token_url"]), form)
        url = str(said["service_account_impersonation_url"])
        headers = {"Authorization": f"Bearer {token}"}
        asked = json.dumps({"scope": [_SCOPE]}).encode()
        answer = json.loads(await self.google.send("POST", url, headers, asked))
        email = url.rpartition("/")[2].partition(":")[0]
        source = f"workload identity federation, account {email}"
        return GoogleSession(self.google, email, str(answer["accessToken"]), source)

    async def _asked(self, url: str, form: dict[str, str]) -> str:
        answer = await self.google.send("POST", url, _FORM, urlencode(form).encode())
        return str(json.loads(answer)["access_token"])


def _assertion(email: str, private_key: str, token_uri: str) -> str:
    import jwt

    now = int(time.time())
    claims = {"iss": email, "aud": token_uri, "scope": _SCOPE, "iat": now, "exp": now + 3600}
    return jwt.encode(claims, private_key, algorithm="RS256")


def _bucket(storage: dict[str, Any]) -> str:
    return urlsplit(str(storage["bucket_name"])).netloc


def _said(status: int, body: str) -> str:
    """The message of an error; the metadata server's is plain text."""
    try:
        return f"{status}: {json.loads(body)['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{status}: {body.strip()}"
