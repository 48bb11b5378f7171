"""An S3 store with keys, as the operator's SDK would use it: by the two files that are mounted.

`config` says where the store is and how it wants to be spoken to, `credentials` has the
keys. Whether buckets are named by paths is a variable of the operator's own.
"""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpchecksum import Crc32Checksum
from yarl import URL

from anyscale_k8s_cli.sandbox.workloads.operator_aws import assumed, said
from anyscale_k8s_cli.sandbox.workloads.operator_cloud import CloudFailure, Tokens
from anyscale_k8s_cli.sandbox.workloads.operator_config import OperatorConfig

_FOLDER = "/root/.aws"
_PATH_STYLE = "ANYSCALE_S3_USE_PATH_STYLE"
_EXCHANGE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
# Gives what a file of the container holds; raises LookupError if there is none.
Files = Callable[[str], str]


@dataclass(frozen=True)
class KeysSession:
    """The keys of a profile, and what its config says of the store."""

    s3: MountedKeys
    access_key: str
    secret: str = field(repr=False)
    settings: dict[str, str]
    token: str = field(default="", repr=False)
    source: str = "shared credentials file"

    async def identity(self) -> str:
        return ""

    async def proof(self) -> dict[str, Any]:
        raise CloudFailure("keys of an object store prove no identity")

    async def storage_keys(self) -> dict[str, Any]:
        return {
            "access_key_id": self.access_key,
            "secret_access_key": self.secret,
            "session_token": self.token,
        }

    async def put(self, storage: dict[str, Any], key: str, content: bytes) -> None:
        await self._call(storage, "PUT", key, body=content)

    async def get(self, storage: dict[str, Any], key: str) -> bytes:
        return await self._call(storage, "GET", key)

    async def list(self, storage: dict[str, Any], prefix: str) -> None:
        await self._call(storage, "GET", query={"list-type": "2", "prefix": prefix})

    async def delete(self, storage: dict[str, Any], key: str) -> None:
        await self._call(storage, "DELETE", key)

    async def _call(
        self,
        storage: dict[str, Any],
        method: str,
        key: str = "",
        *,
        query: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> bytes:
        url = self._address(str(storage["bucket_name"]).split("://", 1)[1].strip("/"), key)
        if query:
            url += "?" + urlencode(query)
        headers = {}
        if self.settings.get("request_checksum_calculation") != "when_required" and body:
            checksum = Crc32Checksum()
            checksum.update(body)
            headers["x-amz-checksum-crc32"] = checksum.b64digest()
        request = AWSRequest(method=method, url=url, data=body, headers=headers)
        credentials = Credentials(self.access_key, self.secret, self.token or None)
        S3SigV4Auth(credentials, "s3", self.settings.get("region", "")).add_auth(request)
        return await self.s3.send(method, url, dict(request.headers.items()), body)

    def _address(self, bucket: str, key: str) -> str:
        endpoint = self.settings.get("endpoint_url", "")
        if not endpoint:
            raise CloudFailure("the config file names no endpoint_url")
        if self.s3.config.environ.get(_PATH_STYLE) == "true":
            return f"{endpoint}/{bucket}" + (f"/{quote(key)}" if key else "")
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{bucket}.{parts.netloc}/{quote(key)}"


@dataclass(frozen=True)
class MountedKeys:
    """The store behind the files of the operator's container; `tokens` are by path too."""

    http: aiohttp.ClientSession
    config: OperatorConfig
    files: Files
    tokens: Tokens

    async def session(self) -> KeysSession:
        settings = self._profile("config")
        if "role_arn" in settings:
            return await self._assumed(settings)
        environ = self.config.environ
        if environ.get(_EXCHANGE):
            return await self._exchanged(environ[_EXCHANGE], settings)
        credentials = self._profile("credentials")
        try:
            return KeysSession(
                self,
                credentials["aws_access_key_id"],
                credentials["aws_secret_access_key"],
                settings,
            )
        except KeyError as missing:
            raise CloudFailure(f"the credentials file has no {missing}") from missing

    async def _assumed(self, settings: dict[str, str]) -> KeysSession:
        """Keys of the profile's role, for the token in the file that it names."""
        role_arn, endpoint = settings["role_arn"], settings.get("endpoint_url", "")
        if not endpoint:
            raise CloudFailure("the config file names no endpoint: the sandbox reaches no real AWS")
        try:
            token = await self.tokens(settings.get("web_identity_token_file", ""))
        except LookupError as missing:
            raise CloudFailure(f"failed to read the token file: {missing}") from missing
        access_key, secret, session = await assumed(self.send, endpoint, role_arn, token)
        source = f"web identity token, role {role_arn}"
        return KeysSession(self, access_key, secret, settings, session, source)

    async def _exchanged(self, url: str, settings: dict[str, str]) -> KeysSession:
        """Keys that are given for the token in the file that a variable names."""
        try:
            token = await self.tokens(self.config.environ.get(_TOKEN_FILE, ""))
        except LookupError as missing:
            raise CloudFailure(f"failed to read the token file: {missing}") from missing
        found = json.loads(await self.send("GET", url, {"Authorization": token}))
        return KeysSession(
            self,
            found["AccessKeyId"],
            found["SecretAccessKey"],
            settings,
            found["Token"],
            f"container credentials of {urlsplit(url).netloc}",
        )

    def _profile(self, name: str) -> dict[str, str]:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(self.files(f"{_FOLDER}/{name}"))
            return dict(parser["default"])
        except (LookupError, configparser.Error) as problem:
            raise CloudFailure(
                f"no valid credential sources found: {_FOLDER}/{name}: {problem}"
            ) from problem

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> bytes:
        host = urlsplit(url).hostname
        proxy = None if host == "127.0.0.1" else self.config.environ.get("HTTP_PROXY")
        target = URL(url, encoded=True)
        try:
            async with self.http.request(
                method, target, headers=headers, data=body, proxy=proxy
            ) as answer:
                content = await answer.read()
        except aiohttp.ClientError as failure:
            raise CloudFailure(f"no answer from the object store: {failure}") from failure
        if answer.status >= 400:
            raise CloudFailure(said(answer.status, content.decode(errors="replace")))
        return content
