"""Signed addresses in a registered bucket.

How the real control plane gets at a customer's bucket is not documented for
every platform. Here it signs with the keys that the operator sends with its
registration and renews with its reports, which is what makes a wrong policy on
the operator's role show up in the browser too. Before an operator has
registered it signs with keys of its own, if the sandbox gave it any; else it
refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from anyscale_k8s_cli.sandbox.controlplane.clouds import Cloud, Resource
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import (
    AccessMode,
    PresignedUrlRequest,
    StorageSession,
)

_SECONDS = 3600
_FILE_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")
_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class StorageAccess:
    """Where S3 answers, and the control plane's own keys for it, if it has any."""

    endpoint_url: str
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)

    @property
    def own(self) -> StorageSession | None:
        if not self.access_key_id:
            return None
        return StorageSession(
            access_key_id=self.access_key_id, secret_access_key=self.secret_access_key
        )


@dataclass(frozen=True)
class Signer:
    """Signs for one organisation."""

    organization_id: str
    access: StorageAccess | None

    def presign(
        self, cloud: Cloud, resource: Resource, asked: PresignedUrlRequest
    ) -> dict[str, Any]:
        """The answer of the presigned-address call."""
        if not _FILE_NAME.fullmatch(asked.file_name) or ".." in asked.file_name:
            raise Refused(400, f"file_name {asked.file_name} is not valid.")
        storage = resource.content["object_storage"]
        bucket = urlsplit(storage["bucket_name"])
        path = f"{self.organization_id}/{cloud.id}/{asked.file_type}/{asked.file_name}"
        answer = {
            "file_uri": f"{bucket.scheme}://{bucket.netloc}/{path}",
            "bucket_name": storage["bucket_name"],
            "bucket_path": path,
            # Nobody here acts on it, so the bucket is not asked.
            "file_exists": False,
        }
        if bucket.scheme != "s3" or self.access is None:
            endpoint = storage.get("endpoint") or ""
            return {**answer, "url": endpoint, "url_scheme": "smart_open"}
        keys = resource.operator.storage or self.access.own
        if keys is None:
            raise Refused(409, "No operator is connected that could give access to the bucket.")
        endpoint = (storage.get("endpoint") or self.access.endpoint_url).rstrip("/")
        region = storage.get("region") or resource.content.get("region") or _DEFAULT_REGION
        method = "PUT" if asked.access_mode is AccessMode.WRITE else "GET"
        url = sign_url(method, f"{endpoint}/{bucket.netloc}/{quote(path)}", region, keys)
        return {**answer, "url": url, "url_scheme": "http"}


def sign_url(method: str, url: str, region: str, keys: StorageSession) -> str:
    """A URL that S3 accepts for an hour without further authentication."""
    request = AWSRequest(method=method, url=url)
    signer = S3SigV4QueryAuth(
        Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token or None),
        "s3",
        region,
        expires=_SECONDS,
    )
    signer.add_auth(request)
    return str(request.url)
