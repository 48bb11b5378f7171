"""Object storage by Oracle's own API. What is in the buckets is in the S3 store.

https://docs.oracle.com/iaas/api/#/en/objectstorage
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import unquote

from anyscale_k8s_cli.sandbox.oci.api import GONE, Answer, Call, Route, page
from anyscale_k8s_cli.sandbox.oci.identity import check_tags
from anyscale_k8s_cli.sandbox.oci.policies import Need
from anyscale_k8s_cli.sandbox.oci.refusals import Refused, conflict, invalid, not_there
from anyscale_k8s_cli.sandbox.oci.seed import NAMESPACE, REGION, TENANCY_ID, ocid
from anyscale_k8s_cli.sandbox.oci.tenancy import Tenancy

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")


@dataclass
class Record:
    """What the native API keeps of a bucket."""

    compartment: str
    tags: dict[str, str] = field(default_factory=dict)
    public: str = "NoPublicAccess"
    versioning: str = "Disabled"
    version: int = 1


@dataclass(frozen=True)
class Holding:
    """What is in a bucket: sizes of objects by their keys, and keys of uploads by their ids."""

    created: datetime
    objects: Mapping[str, int]
    uploads: Mapping[str, str]


class Store(Protocol):
    """The S3 store in which the buckets are."""

    def names(self) -> list[str]: ...

    def is_taken(self, bucket: str) -> bool:
        """Whether somebody has the name, be it another tenancy."""
        ...

    def create(self, bucket: str) -> None: ...

    def remove(self, bucket: str) -> None: ...

    def holding(self, bucket: str) -> Holding: ...

    def remove_object(self, bucket: str, key: str) -> bool:
        """Whether there was one."""
        ...

    def abort(self, bucket: str, upload: str) -> bool:
        """Whether there was one."""
        ...


@dataclass(frozen=True)
class Buckets:
    tenancy: Tenancy
    store: Store
    records: dict[str, Record] = field(default_factory=dict)

    def record(self, bucket: str) -> Record:
        """Buckets that are made by S3 are in the compartment that is meant for these."""
        return self.records.setdefault(bucket, Record(TENANCY_ID))

    @property
    def places(self) -> dict[str, str]:
        """The compartment of each bucket."""
        return {name: self.record(name).compartment for name in self.store.names()}

    def routes(self) -> list[Route]:
        every = "/n/{namespace}/b"
        one = f"{every}/{{bucket}}"
        return [
            Route("GetNamespace", "GET", "/n", lambda _: Answer(NAMESPACE)),
            Route("ListBuckets", "GET", every, self._list),
            Route("CreateBucket", "POST", every, self._create),
            Route("GetBucket", "GET", one, self._get),
            Route("UpdateBucket", "POST", one, self._update),
            Route("DeleteBucket", "DELETE", one, self._delete),
            Route("ListObjects", "GET", f"{one}/o", self._objects),
            Route("DeleteObject", "DELETE", f"{one}/o/{{object}}", self._remove),
            Route("ListMultipartUploads", "GET", f"{one}/u", self._uploads),
            Route("AbortMultipartUpload", "DELETE", f"{one}/u/{{object}}", self._abort),
        ]

    def _check(self, call: Call, verb: str, what: str, place: str, bucket: str = "") -> None:
        if call.path["namespace"] != NAMESPACE:
            raise not_there()
        self.tenancy.check(call.caller, Need(verb, what, place, bucket))

    def _found(self, call: Call, verb: str, what: str = "buckets") -> tuple[str, Record]:
        name = call.path["bucket"]
        if name not in self.store.names() or call.region != REGION:
            raise _no_bucket(name)
        record = self.record(name)
        self._check(call, verb, what, record.compartment, name)
        return name, record

    def _list(self, call: Call) -> Answer:
        place = call.asked("compartmentId")
        self._check(call, "inspect", "buckets", place)
        found = [
            self._shown(name, call)
            for name in self.store.names()
            if self.record(name).compartment == place
        ]
        return page(found, call.query)

    def _create(self, call: Call) -> Answer:
        call.said("name", "compartmentId")
        name, place = str(call.body["name"]), str(call.body["compartmentId"])
        self._check(call, "manage", "buckets", place, name)
        if not _NAME.fullmatch(name):
            raise invalid(f"The bucket name {name} is not valid")
        check_tags(call.body.get("freeformTags"))
        if self.store.is_taken(name):
            raise conflict(
                "BucketAlreadyExists",
                f"Either the bucket '{name}' in namespace '{NAMESPACE}' already exists or you are "
                "not authorized to create it",
            )
        self.store.create(name)
        self.records[name] = Record(
            place,
            dict(call.body.get("freeformTags") or {}),
            str(call.body.get("publicAccessType") or "NoPublicAccess"),
            str(call.body.get("versioning") or "Disabled"),
        )
        return self._answer(name, call)

    def _get(self, call: Call) -> Answer:
        name, _ = self._found(call, "read")
        return self._answer(name, call)

    def _update(self, call: Call) -> Answer:
        name, record = self._found(call, "use")
        call.guard(_etag(name, record))
        check_tags(call.body.get("freeformTags"))
        if (tags := call.body.get("freeformTags")) is not None:
            record.tags = dict(tags)
        record.public = str(call.body.get("publicAccessType") or record.public)
        record.versioning = str(call.body.get("versioning") or record.versioning)
        record.version += 1
        return self._answer(name, call)

    def _delete(self, call: Call) -> Answer:
        name, record = self._found(call, "manage")
        call.guard(_etag(name, record))
        found = self.store.holding(name)
        if found.objects or found.uploads:
            what = "object" if found.objects else "multipart upload"
            raise conflict(
                "BucketNotEmpty", f"Bucket named '{name}' is not empty. Delete all {what}s first."
            )
        self.store.remove(name)
        self.records.pop(name, None)
        return GONE

    # -- what is in them ---------------------------------------------------------------

    def _objects(self, call: Call) -> Answer:
        name, _ = self._found(call, "inspect", "objects")
        start, size = call.query.get("start", ""), int(call.query.get("limit") or 1000)
        keys = [key for key in sorted(self.store.holding(name).objects) if key >= start]
        shown = [{"name": key} for key in keys[:size]]
        return Answer({"objects": shown, "nextStartWith": next(iter(keys[size:]), None)})

    def _remove(self, call: Call) -> Answer:
        name, _ = self._found(call, "manage", "objects")
        key = unquote(call.path["object"])
        if not self.store.remove_object(name, key):
            raise _no_object(key)
        return GONE

    def _uploads(self, call: Call) -> Answer:
        name, _ = self._found(call, "read")
        uploads = self.store.holding(name).uploads
        found = [
            {"namespace": NAMESPACE, "bucket": name, "object": key, "uploadId": upload}
            for upload, key in sorted(uploads.items())
        ]
        return page(found, call.query)

    def _abort(self, call: Call) -> Answer:
        name, _ = self._found(call, "manage", "objects")
        if not self.store.abort(name, call.asked("uploadId")):
            raise _no_object(call.path["object"])
        return GONE

    def _answer(self, name: str, call: Call) -> Answer:
        etag = _etag(name, self.record(name))
        return Answer(self._shown(name, call), headers={"etag": etag})

    def _shown(self, name: str, call: Call) -> dict[str, Any]:
        record, found = self.record(name), self.store.holding(name)
        shown: dict[str, Any] = {
            "namespace": NAMESPACE,
            "name": name,
            "compartmentId": record.compartment,
            "createdBy": call.caller,
            "timeCreated": found.created.isoformat(),
            "etag": _etag(name, record),
            "id": ocid("bucket", name, "iad"),
        }
        fields = call.query.get("fields", "")
        if "compartmentId" not in call.query:
            shown |= {
                "publicAccessType": record.public,
                "versioning": record.versioning,
                "storageTier": "Standard",
            }
        # Lists tell of tags only when they are asked to.
        if "compartmentId" not in call.query or "tags" in fields:
            shown["freeformTags"] = dict(record.tags)
        if "approximateCount" in fields:
            shown["approximateCount"] = len(found.objects)
        if "approximateSize" in fields:
            shown["approximateSize"] = sum(found.objects.values())
        return shown

    def snapshot(self) -> Mapping[str, Any]:
        return {
            name: {
                "compartment": record.compartment,
                "tags": dict(sorted(record.tags.items())),
                "public": record.public,
                "versioning": record.versioning,
            }
            for name in self.store.names()
            for record in (self.record(name),)
        }


def _etag(name: str, record: Record) -> str:
    return f"{ocid('etag', name)[-12:]}-{record.version}"


def _no_bucket(name: str) -> Refused:
    return Refused(
        404,
        "BucketNotFound",
        f"Either the bucket named '{name}' does not exist in the namespace '{NAMESPACE}' or you "
        "are not authorized to access it",
    )


def _no_object(key: str) -> Refused:
    return Refused(404, "ObjectNotFound", f"The object '{key}' was not found")
