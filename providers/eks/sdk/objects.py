"""S3: what is in a bucket. Every call says whose bucket it expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.providers.eks.sdk.session import Session

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# The most that DeleteObjects takes.
BATCH = 1000
ABSENT = ("404", "NoSuchBucket")


@dataclass(frozen=True)
class Version:
    """One version of an object, or a marker of its deletion (with no size)."""

    key: str
    id: str
    size: int = 0
    marker: bool = False


@dataclass(frozen=True)
class Upload:
    """A multipart upload that nobody finished."""

    key: str
    id: str


class Objects:
    """The contents of one bucket of `account`."""

    def __init__(self, session: Session, bucket: str, account: str) -> None:
        self._session = session
        self._bucket = bucket
        self._account = account

    @property
    def _client(self) -> S3Client:
        client: S3Client = self._session.client("s3")
        return client

    # -- all of it, for deletion ---------------------------------------------------

    def versions(self) -> Iterator[list[Version]]:
        """All versions and markers, page by page; nothing when there is no such bucket."""
        pages = iter(
            self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, ExpectedBucketOwner=self._account
            )
        )
        while True:
            page: Mapping[str, Any] | None = self._session.find(
                "s3", lambda: next(pages, None), *ABSENT
            )
            if page is None:
                return
            yield [
                Version(item["Key"], item["VersionId"], size=int(item.get("Size", 0)))
                for item in page.get("Versions", [])
            ] + [
                Version(item["Key"], item["VersionId"], marker=True)
                for item in page.get("DeleteMarkers", [])
            ]

    def uploads(self) -> list[Upload]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, ExpectedBucketOwner=self._account
        )
        found = self._session.find(
            "s3",
            lambda: [
                Upload(item["Key"], item["UploadId"])
                for page in pages
                for item in page.get("Uploads", [])
            ],
            *ABSENT,
        )
        return found or []

    def delete_versions(self, versions: Sequence[Version]) -> list[str]:
        """Remove at most `BATCH` versions; returns what S3 refused, a line each."""
        items: Any = [{"Key": item.key, "VersionId": item.id} for item in versions]
        answer = self._session.ask(
            "s3",
            lambda: self._client.delete_objects(
                Bucket=self._bucket,
                ExpectedBucketOwner=self._account,
                Delete={"Objects": items, "Quiet": True},
            ),
        )
        return [
            f"{item.get('Key', '')}: {item.get('Code', '')} {item.get('Message', '')}"
            for item in answer.get("Errors", [])
        ]

    def abort_upload(self, upload: Upload) -> None:
        """Already gone is success."""
        self._session.find(
            "s3",
            lambda: self._client.abort_multipart_upload(
                Bucket=self._bucket,
                Key=upload.key,
                UploadId=upload.id,
                ExpectedBucketOwner=self._account,
            ),
            "NoSuchUpload",
        )

    # -- one object, for the proof ---------------------------------------------------

    def put(self, key: str, content: bytes) -> None:
        self._session.ask(
            "s3",
            lambda: self._client.put_object(
                Bucket=self._bucket, Key=key, Body=content, ExpectedBucketOwner=self._account
            ),
        )

    def get(self, key: str) -> bytes:
        def read() -> bytes:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=key, ExpectedBucketOwner=self._account
            )
            return answer["Body"].read()

        return self._session.ask("s3", read)

    def keys(self, prefix: str) -> list[str]:
        """The first page of keys that begin with a prefix."""
        answer = self._session.ask(
            "s3",
            lambda: self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, ExpectedBucketOwner=self._account
            ),
        )
        return [item["Key"] for item in answer.get("Contents", [])]

    def remove(self, key: str) -> None:
        self._session.ask(
            "s3",
            lambda: self._client.delete_object(
                Bucket=self._bucket, Key=key, ExpectedBucketOwner=self._account
            ),
        )
