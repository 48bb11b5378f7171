"""Object storage by Oracle's own API: buckets, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from oci.object_storage import ObjectStorageClient
from oci.object_storage.models import CreateBucketDetails, UpdateBucketDetails

from anyscale_k8s_cli.providers.oke.sdk.session import Session

PRIVATE, UNVERSIONED = "NoPublicAccess", "Disabled"


@dataclass(frozen=True)
class BucketState:
    """`objects` and `size` are Oracle's own, which lag behind by hours."""

    name: str
    compartment: str
    tags: Mapping[str, str]
    public_access: str
    versioning: str
    etag: str
    objects: int = 0
    size: int = 0


class Buckets:
    """The buckets of a region."""

    def __init__(self, session: Session, region: str) -> None:
        self._session = session
        self._region = region

    @property
    def _client(self) -> ObjectStorageClient:
        return self._session.client(ObjectStorageClient, self._region)

    @cached_property
    def namespace(self) -> str:
        """The tenancy's own name in object storage. Asked once."""
        answer = self._session.ask("objectstorage.GetNamespace", self._client.get_namespace)
        return str(answer.data)

    def state(self, name: str) -> BucketState | None:
        """The bucket; None when there is none, or none that we may see."""
        found = self._session.find(
            "objectstorage.GetBucket",
            lambda: self._client.get_bucket(
                self.namespace, name, fields=["approximateCount", "approximateSize"]
            ),
        )
        return _state(found.data) if found is not None else None

    def check_seen(self, compartment: str) -> None:
        """Raise if we may not see a compartment's buckets: of a single one Oracle then says that
        there is none."""
        self._session.ask(
            "objectstorage.ListBuckets",
            lambda: self._client.list_buckets(self.namespace, compartment, limit=1),
        )

    def tagged(self, compartment: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Names and tags of a compartment's buckets."""
        for item in self._session.items(
            "objectstorage.ListBuckets",
            lambda **page: self._client.list_buckets(
                self.namespace, compartment, fields=["tags"], **page
            ),
        ):
            yield item.name, dict(item.freeform_tags or {})

    def create(self, name: str, compartment: str, tags: Mapping[str, str]) -> None:
        details = CreateBucketDetails(
            name=name,
            compartment_id=compartment,
            public_access_type=PRIVATE,
            storage_tier="Standard",
            versioning=UNVERSIONED,
            freeform_tags=dict(tags),
        )
        self._session.ask(
            "objectstorage.CreateBucket",
            lambda: self._client.create_bucket(self.namespace, details),
        )

    def update(self, found: BucketState, tags: Mapping[str, str]) -> None:
        """Tags, and no access for the public; refused if somebody wrote since it was read."""
        details = UpdateBucketDetails(freeform_tags=dict(tags), public_access_type=PRIVATE)
        self._session.ask(
            "objectstorage.UpdateBucket",
            lambda: self._client.update_bucket(
                self.namespace, found.name, details, if_match=found.etag
            ),
        )

    def delete(self, name: str) -> None:
        """Already gone is success; one that is not empty is refused."""
        self._session.remove(
            "objectstorage.DeleteBucket",
            partial(self._client.delete_bucket, self.namespace, name),
            lambda: self.state(name) is not None,
        )

    # -- what is in them ------------------------------------------------------------------

    def objects(
        self, name: str, *, versions: bool, prefix: str = ""
    ) -> Iterator[tuple[str, str | None]]:
        """Names of all objects, each with its version where all versions are wanted."""
        if versions:
            for item in self._session.items(
                "objectstorage.ListObjectVersions",
                lambda **page: self._client.list_object_versions(
                    self.namespace, name, prefix=prefix, **page
                ),
            ):
                yield item.name, item.version_id
            return
        start: str | None = ""
        while start is not None:
            page = self._session.ask(
                "objectstorage.ListObjects",
                partial(
                    self._client.list_objects, self.namespace, name, start=start, prefix=prefix
                ),
            ).data
            yield from ((item.name, None) for item in page.objects)
            start = page.next_start_with

    def remove(self, name: str, key: str, version: str | None) -> None:
        """Already gone is success."""
        which = {"version_id": version} if version else {}
        self._session.remove(
            "objectstorage.DeleteObject",
            lambda: self._client.delete_object(self.namespace, name, key, **which),
            lambda: (key, version) in self.objects(name, versions=bool(version), prefix=key),
        )

    def abort_uploads(self, name: str) -> None:
        """End every multipart upload that nobody finished."""
        for item in list(
            self._session.items(
                "objectstorage.ListMultipartUploads",
                lambda **page: self._client.list_multipart_uploads(self.namespace, name, **page),
            )
        ):
            self._session.find(
                "objectstorage.AbortMultipartUpload",
                partial(
                    self._client.abort_multipart_upload,
                    self.namespace,
                    name,
                    item.object,
                    item.upload_id,
                ),
            )


def _state(item: Any) -> BucketState:
    return BucketState(
        name=item.name,
        compartment=item.compartment_id,
        tags=dict(item.freeform_tags or {}),
        public_access=item.public_access_type or PRIVATE,
        versioning=item.versioning or UNVERSIONED,
        etag=item.etag or "",
        objects=int(item.approximate_count or 0),
        size=int(item.approximate_size or 0),
    )
