"""Buckets as Nebius' own API shows them; what is in them, the object store has.

https://docs.nebius.com/object-storage/buckets/manage
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import grpc

from anyscale_k8s_cli.sandbox.nebius import api, refusals
from anyscale_k8s_cli.sandbox.nebius.api import Call, Method, Methods
from anyscale_k8s_cli.sandbox.nebius.collection import page
from anyscale_k8s_cli.sandbox.nebius.refusals import Refused
from anyscale_k8s_cli.sandbox.nebius.tenant import Tenant

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Holding:
    """What is in a bucket; `size` in bytes."""

    objects: int = 0
    size: int = 0
    uploads: int = 0


class ObjectStore(Protocol):
    """The store in which buckets live. Its names are one region's, whoever's they are."""

    def has(self, bucket: str) -> bool: ...

    def create(self, bucket: str) -> None: ...

    def remove(self, bucket: str) -> None: ...

    def holds(self, bucket: str) -> Holding: ...

    def set_cors(self, bucket: str, rules: Sequence[Mapping[str, Sequence[str]]]) -> None:
        """Replace the rules, in the words of S3's own documents."""
        ...


@dataclass(frozen=True)
class Storage:
    tenant: Tenant
    store: ObjectStore

    def methods(self) -> Methods:
        service, right = "nebius.storage.v1.BucketService", "storage.bucket"
        buckets = self.tenant.buckets
        return {
            f"{service}/Get": Method(
                lambda call: self._counted(buckets.get(call.request.id)), f"{right}.get"
            ),
            f"{service}/GetByName": Method(
                lambda call: self._counted(
                    buckets.named_or_refused(call.request.parent_id, call.request.name)
                ),
                f"{right}.get",
                api.parent,
            ),
            f"{service}/List": Method(self._list, f"{right}.list", api.parent),
            f"{service}/Create": Method(
                self._create, f"{right}.create", api.new_parent, write=True
            ),
            f"{service}/Update": Method(self._update, f"{right}.update", api.changed, write=True),
            f"{service}/Delete": Method(self._delete, f"{right}.delete", write=True),
        }

    def _list(self, call: Call) -> Any:
        from nebius.api.nebius.storage.v1 import ListBucketsResponse

        there = map(self._counted, self.tenant.buckets.of_parent(call.request.parent_id))
        shown, token = page(there, call.request)
        return ListBucketsResponse(items=shown, next_page_token=token)

    def _create(self, call: Call) -> Any:
        from nebius.api.nebius.storage.v1 import BucketStatus

        request, name = call.request, call.request.metadata.name
        if not _NAME.fullmatch(name):
            raise refusals.invalid(f"bucket name {name!r} is not valid")
        if self.store.has(name):
            raise refusals.exists("bucket", name)
        bucket = self.tenant.buckets.create(
            request.metadata, request.spec, request.metadata.parent_id
        )
        bucket.status = BucketStatus(
            state=BucketStatus.State.ACTIVE,
            region=self.tenant.region,
            domain_name=f"{name}.storage.{self.tenant.region}.nebius.cloud",
        )
        self.store.create(name)
        self._tell(bucket)
        return self._done(call, "Create bucket", bucket)

    def _update(self, call: Call) -> Any:
        request = call.request
        bucket = self.tenant.buckets.update(request.metadata.id, request.metadata, request.spec)
        self._tell(bucket)
        return self._done(call, "Update bucket", bucket)

    def _delete(self, call: Call) -> Any:
        """At once with a lifetime of zero, and only when it is empty; else some days later."""
        from nebius.api.nebius.storage.v1 import BucketStatus

        bucket = self.tenant.buckets.get(call.request.id)
        name = bucket.metadata.name
        held = self.store.holds(name)
        if held.objects or held.uploads:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"bucket {name} is not empty")
        if call.request.ttl != timedelta(0):
            status: Any = bucket.status
            status.state = BucketStatus.State.SCHEDULED_FOR_DELETION
            return self._done(call, "Delete bucket", bucket)
        self.store.remove(name)
        self.tenant.buckets.delete(call.request.id)
        for permit in list(self.tenant.permits.items.values()):
            if permit.spec.resource_id == call.request.id:
                self.tenant.permits.delete(permit.metadata.id)
        return self._done(call, "Delete bucket", bucket)

    def _counted(self, bucket: Any) -> Any:
        """The bucket with what it holds now."""
        from nebius.api.nebius.storage.v1 import BucketCounters, CurrentBucketCounters

        held = self.store.holds(bucket.metadata.name)
        counts = CurrentBucketCounters(
            simple_objects_quantity=held.objects,
            simple_objects_size=held.size,
            multipart_uploads_quantity=held.uploads,
        )
        bucket.status.counters = [BucketCounters(counters=counts)]
        return bucket

    def _tell(self, bucket: Any) -> None:
        """Let the object store know what it serves browsers."""
        cors = bucket.spec.cors
        rules = [
            {
                "AllowedOrigin": list(rule.allowed_origins),
                "AllowedMethod": list(rule.allowed_methods),
                "AllowedHeader": list(rule.allowed_headers),
                "ExposeHeader": list(rule.expose_headers),
                "MaxAgeSeconds": [str(rule.max_age_seconds or 0)],
            }
            for rule in (cors.rules if cors is not None else ())
        ]
        self.store.set_cors(bucket.metadata.name, rules)

    def _done(self, call: Call, what: str, bucket: Any) -> Any:
        return self.tenant.operations.start(what, bucket.metadata.id, call.caller)
