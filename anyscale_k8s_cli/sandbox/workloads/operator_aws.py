"""AWS as the operator's SDK would use it: credentials of the pod, STS, S3.

Plain HTTP with botocore's signers. Credentials are looked for in the SDK's
order: web identity (IRSA), then the container agent (Pod Identity), then the node's
own role where the world lets pods reach it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from anyscale_k8s_cli.sandbox.workloads.operator_cloud import CloudFailure, Tokens
from anyscale_k8s_cli.sandbox.workloads.operator_config import OperatorConfig

STS_AUDIENCE = "sts.amazonaws.com"
AGENT_AUDIENCE = "pods.eks.amazonaws.com"
# A variable of this sandbox alone: in life the SDKs know the address.
NODE_ROLE = "SANDBOX_NODE_ROLE_URL"
_STS_VERSION = "2011-06-15"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_ERROR = re.compile(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", re.DOTALL)


@dataclass(frozen=True)
class AwsSession:
    """Temporary keys of the operator's role."""

    aws: Aws
    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    source: str = ""

    async def proof(self) -> dict[str, Any]:
        """A signed GetCallerIdentity for somebody else to send; it works for a few minutes."""
        request = AWSRequest(
            method="POST",
            url=f"{self.aws.endpoint}/",
            data=urlencode({"Action": "GetCallerIdentity", "Version": _STS_VERSION}),
            headers={"Content-Type": _FORM},
        )
        SigV4Auth(self._credentials, "sts", self.aws.config.region).add_auth(request)
        return {
            "method": "POST",
            "url": request.url,
            "headers": dict(request.headers.items()),
            "body": request.data,
        }

    async def identity(self) -> str:
        """The ARN of the assumed role."""
        signed = await self.proof()
        answer = await self.aws.send(
            signed["method"], signed["url"], signed["headers"], signed["body"].encode()
        )
        return _element(answer.decode(), "Arn")

    async def storage_keys(self) -> dict[str, Any]:
        return {
            "access_key_id": self.access_key,
            "secret_access_key": self.secret,
            "session_token": self.token,
        }

    async def put(self, storage: dict[str, Any], key: str, content: bytes) -> None:
        await self._s3(storage, "PUT", key, body=content)

    async def get(self, storage: dict[str, Any], key: str) -> bytes:
        return await self._s3(storage, "GET", key)

    async def list(self, storage: dict[str, Any], prefix: str) -> None:
        await self._s3(storage, "GET", query={"list-type": "2", "prefix": prefix})

    async def delete(self, storage: dict[str, Any], key: str) -> None:
        await self._s3(storage, "DELETE", key)

    @property
    def _credentials(self) -> Credentials:
        return Credentials(self.access_key, self.secret, self.token or None)

    async def _s3(
        self,
        storage: dict[str, Any],
        method: str,
        key: str = "",
        *,
        query: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> bytes:
        bucket = str(storage["bucket_name"]).split("://", 1)[1].strip("/")
        endpoint = str(storage.get("endpoint") or self.aws.endpoint).rstrip("/")
        url = f"{endpoint}/{bucket}" + (f"/{quote(key)}" if key else "")
        if query:
            url += "?" + urlencode(query)
        request = AWSRequest(method=method, url=url, data=body)
        region = storage.get("region") or self.aws.config.region
        S3SigV4Auth(self._credentials, "s3", region).add_auth(request)
        return await self.aws.send(method, url, dict(request.headers.items()), body)


@dataclass(frozen=True)
class Aws:
    """The APIs at the endpoint that the pod was given; `tokens` projects one per audience."""

    http: aiohttp.ClientSession
    config: OperatorConfig
    tokens: Tokens

    async def session(self) -> AwsSession:
        environ = self.config.environ
        if environ.get("AWS_ROLE_ARN"):
            return await self._web_identity(environ["AWS_ROLE_ARN"])
        if environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            return await self._container(environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
        if url := environ.get(NODE_ROLE):
            return await self._keys(url, {}, "role of the node")
        raise CloudFailure(
            "no valid credential sources found: no web identity or container credentials in the "
            "environment; no EC2 IMDS role found, operation error ec2imds: GetMetadata"
        )

    async def _web_identity(self, role_arn: str) -> AwsSession:
        token = await self._token(STS_AUDIENCE)
        keys = await assumed(self.send, self.endpoint, role_arn, token)
        return AwsSession(self, *keys, source=f"web identity token, role {role_arn}")

    async def _container(self, url: str) -> AwsSession:
        token = await self._token(AGENT_AUDIENCE)
        return await self._keys(url, {"Authorization": token}, "EKS Pod Identity agent")

    async def _keys(self, url: str, headers: dict[str, str], source: str) -> AwsSession:
        answer = json.loads(await self.send("GET", url, headers))
        return AwsSession(
            self, answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"], source=source
        )

    async def _token(self, audience: str) -> str:
        try:
            return await self.tokens(audience)
        except LookupError as missing:
            raise CloudFailure(f"failed to read the token file: {missing}") from missing

    @property
    def endpoint(self) -> str:
        if not self.config.aws_endpoint:
            raise CloudFailure("AWS_ENDPOINT_URL is not set: the sandbox reaches no real AWS")
        return self.config.aws_endpoint

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> bytes:
        # As it was signed: the client would decode some of the escapes.
        target = URL(url, encoded=True)
        try:
            async with self.http.request(method, target, headers=headers, data=body) as answer:
                content = await answer.read()
        except aiohttp.ClientError as failure:
            raise CloudFailure(f"no answer from AWS: {failure}") from failure
        if answer.status >= 400:
            raise CloudFailure(said(answer.status, content.decode(errors="replace")))
        return content


async def assumed(
    send: Callable[[str, str, dict[str, str], bytes], Awaitable[bytes]],
    endpoint: str,
    role_arn: str,
    token: str,
) -> tuple[str, str, str]:
    """Id, secret and session token of a role's keys, for a token of the service account."""
    parameters = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": _STS_VERSION,
        "RoleArn": role_arn,
        "RoleSessionName": "anyscale-operator",
        "WebIdentityToken": token,
    }
    body = urlencode(parameters).encode()
    answer = (await send("POST", f"{endpoint}/", {"Content-Type": _FORM}, body)).decode()
    return (
        _element(answer, "AccessKeyId"),
        _element(answer, "SecretAccessKey"),
        _element(answer, "SessionToken"),
    )


def said(status: int, body: str) -> str:
    """Code and message of an error, in XML or JSON."""
    found = _ERROR.search(body)
    if found:
        return f"{html.unescape(found[1])}: {html.unescape(found[2])}"
    try:
        error = json.loads(body)
    except ValueError:
        return f"HTTP {status}"
    kind = error.get("__type") or error.get("code") or f"HTTP {status}"
    return f"{kind}: {error.get('message') or error.get('Message') or ''}"


def _element(xml: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    if found is None:
        raise CloudFailure(f"STS answered without {name}")
    return html.unescape(found[1])
