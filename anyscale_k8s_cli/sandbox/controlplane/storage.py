"""Signed addresses in a registered bucket.

How the real control plane gets at a customer's bucket is not documented for
every platform. Here it signs with what the operator sends with its registration
and renews with its reports, which is what makes a wrong policy on the
operator's identity show up in the browser too. How one signs is each kind of
storage's own; who does it is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from anyscale_k8s_cli.sandbox.controlplane.clouds import Cloud, Resource
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.controlplane.shapes import AccessMode, PresignedUrlRequest

SECONDS = 3600
_BY_HOST = "VIRTUAL_HOSTED_STYLE"
_FILE_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")


@dataclass(frozen=True)
class Target:
    """One object: `bucket` is the registered URL, the rest as registered.

    `by_host` says that the bucket stands in the host's name.
    """

    bucket: str
    path: str
    endpoint: str
    region: str
    by_host: bool = False


class StorageSigner(Protocol):
    """Signs addresses of one kind of storage."""

    async def sign(self, method: str, target: Target, keys: Mapping[str, Any] | None) -> str:
        """A URL that the storage accepts for an hour; `keys` are what the operator sent.

        Raises 409 when there is nothing to sign with.
        """
        ...


@dataclass(frozen=True)
class Addresses:
    """Gives out addresses for one organisation. `signers` are by the scheme of the bucket."""

    organization_id: str
    signers: Mapping[str, StorageSigner]

    async def presign(
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
        endpoint = (storage.get("endpoint") or "").rstrip("/")
        signer = self.signers.get(bucket.scheme)
        if signer is None:
            return {**answer, "url": endpoint, "url_scheme": "smart_open"}
        region = storage.get("region") or resource.content.get("region") or ""
        method = "PUT" if asked.access_mode is AccessMode.WRITE else "GET"
        by_host = storage.get("s3_addressing_style") == _BY_HOST
        target = Target(storage["bucket_name"], path, endpoint, region, by_host)
        url = await signer.sign(method, target, resource.operator.storage)
        return {**answer, "url": url, "url_scheme": "http"}


def no_operator() -> Refused:
    """Nobody has sent anything to sign with."""
    return Refused(409, "No operator is connected that could give access to the bucket.")
