"""AWS as the control plane uses it: identity proofs replayed at STS, addresses signed for S3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import Field

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import Body, fitting
from anyscale_k8s_cli.sandbox.controlplane.storage import SECONDS, Target, no_operator

_DEFAULT_REGION = "us-east-1"
_ARN = re.compile(r"<Arn>([^<]+)</Arn>")
_CODE = re.compile(r"<Code>([^<]+)</Code>")
# …:assumed-role/<role>/<session>, with the account before it
_ASSUMED = re.compile(r"arn:[\w-]+:sts::(\d{12}):assumed-role/([^/]+)/.+")
_ROLE = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/(?:.+/)?([^/]+)")


class SignedRequest(Body):
    """A request somebody else signed, to be sent as it is."""

    method: str
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class StsVerifier:
    """Replays a signed GetCallerIdentity at the one STS it believes, as the real one does.

    `http` gives the client session to use; it lives as long as the stand-in.
    """

    sts_url: str
    http: Callable[[], aiohttp.ClientSession]

    async def verify(self, proof: Mapping[str, Any], registered: str) -> None:
        _compare(await self._caller(fitting(SignedRequest, proof)), registered)

    async def _caller(self, request: SignedRequest) -> str:
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


class StorageKeys(Body):
    """Temporary keys for the bucket, held in memory only."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


@dataclass(frozen=True)
class S3Signer:
    """Signs for S3. `endpoint_url` is AWS itself, for buckets that name no endpoint."""

    endpoint_url: str

    async def sign(self, method: str, target: Target, keys: Mapping[str, Any] | None) -> str:
        if keys is None:
            raise no_operator()
        session = fitting(StorageKeys, keys)
        endpoint = target.endpoint or self.endpoint_url
        bucket = urlsplit(target.bucket).netloc
        where = urlsplit(endpoint)
        place = (
            f"{where.scheme}://{bucket}.{where.netloc}"
            if target.by_host
            else f"{endpoint}/{bucket}"
        )
        request = AWSRequest(method=method, url=f"{place}/{quote(target.path)}")
        credentials = Credentials(
            session.access_key_id, session.secret_access_key, session.session_token or None
        )
        region = target.region or _DEFAULT_REGION
        S3SigV4QueryAuth(credentials, "s3", region, expires=SECONDS).add_auth(request)
        return str(request.url)
