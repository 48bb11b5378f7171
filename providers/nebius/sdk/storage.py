"""Buckets, as Nebius' own API sets them up; what is in them, S3 tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from nebius.api.nebius.common.v1 import ResourceMetadata
from nebius.api.nebius.storage.v1 import (
    Bucket as Message,
)
from nebius.api.nebius.storage.v1 import (
    BucketServiceClient,
    BucketSpec,
    BucketStatus,
    CORSConfiguration,
    CORSRule,
    CreateBucketRequest,
    DeleteBucketRequest,
    GetBucketByNameRequest,
    LifecycleAbortIncompleteMultipartUpload,
    LifecycleConfiguration,
    LifecycleFilter,
    LifecycleNoncurrentVersionExpiration,
    LifecycleRule,
    ListBucketsRequest,
    UpdateBucketRequest,
    VersioningPolicy,
)

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.nebius.sdk import failures
from anyscale_k8s_cli.providers.nebius.sdk.session import LIMITS, PAGE, Session

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """What a bucket is set to, in S3's words.

    `tidied` says that old versions end after `old_days` and unfinished uploads after
    `upload_days`; other rules for the contents are somebody else's and stay.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    versioning: bool = False
    cors: Sequence[Rule] = ()
    old_days: int = 0
    upload_days: int = 0


@dataclass(frozen=True)
class BucketState:
    """`objects` and `size` (bytes) count all versions, as of some minutes ago."""

    id: str
    name: str
    region: str
    settings: Settings
    version: int
    deleted: bool
    objects: int
    size: int


class Storage:
    """The buckets of the session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def state(self, name: str) -> BucketState | None:
        """A bucket of the project; one of somebody else's is not seen."""
        found = self._message(name)
        return _state(found) if found is not None else None

    def states(self) -> Iterator[BucketState]:
        for page in self._session.pages(
            "storage.bucket.list",
            lambda token: self._buckets.list(
                ListBucketsRequest(
                    parent_id=self._session.project, page_size=PAGE, page_token=token
                ),
                **LIMITS,
            ),
        ):
            yield from map(_state, page.items)

    def create(self, name: str, wanted: Settings) -> None:
        """Raises `CloudFailure` EXISTS when anybody in the region has the name."""
        metadata = ResourceMetadata(
            parent_id=self._session.project, name=name, labels=wanted.labels
        )
        spec = BucketSpec()
        _set(spec, wanted)
        request = CreateBucketRequest(metadata=metadata, spec=spec)
        self._session.do("storage.bucket.create", lambda: self._buckets.create(request, **LIMITS))

    def update(self, name: str, wanted: Settings, version: int) -> None:
        """Refused (a `STALE` code) when the bucket changed since it was read."""
        found = self._message(name)
        if found is None:
            return
        spec = found.spec
        _set(spec, wanted)
        metadata = ResourceMetadata(
            id=found.metadata.id,
            parent_id=found.metadata.parent_id,
            name=name,
            labels=wanted.labels,
            resource_version=version,
        )
        request = UpdateBucketRequest(metadata=metadata, spec=spec)
        self._session.do("storage.bucket.update", lambda: self._buckets.update(request, **LIMITS))

    def delete(self, bucket_id: str) -> None:
        """At once, instead of some days later. Already gone is success."""
        request = DeleteBucketRequest(id=bucket_id, ttl=timedelta(0))
        try:
            self._session.do(
                "storage.bucket.delete", lambda: self._buckets.delete(request, **LIMITS)
            )
        except CloudFailure as failure:
            if failure.api_code != failures.ABSENT:
                raise

    @property
    def _buckets(self) -> BucketServiceClient:
        return BucketServiceClient(self._session.sdk)

    def _message(self, name: str) -> Message | None:
        request = GetBucketByNameRequest(parent_id=self._session.project, name=name)
        return self._session.find(
            "storage.bucket.get", lambda: self._buckets.get_by_name(request, **LIMITS)
        )


def _state(item: Message) -> BucketState:
    spec, status = item.spec, item.status
    cors, lifecycle = spec.cors, spec.lifecycle_configuration
    rules = lifecycle.rules if lifecycle else ()
    counts = [
        part
        for counter in (status.counters if status else ())
        for part in (counter.counters, counter.non_current_counters)
        if part
    ]
    settings = Settings(
        labels=dict(item.metadata.labels),
        versioning=spec.versioning_policy == VersioningPolicy.ENABLED,
        cors=tuple(_cors(rule) for rule in (cors.rules if cors else ())),
        old_days=_shortest(
            rule.noncurrent_version_expiration.noncurrent_days
            for rule in rules
            if _is_on(rule) and rule.noncurrent_version_expiration
        ),
        upload_days=_shortest(
            rule.abort_incomplete_multipart_upload.days_after_initiation
            for rule in rules
            if _is_on(rule) and rule.abort_incomplete_multipart_upload
        ),
    )
    return BucketState(
        id=item.metadata.id,
        name=item.metadata.name,
        region=status.region if status else "",
        settings=settings,
        version=int(item.metadata.resource_version),
        deleted=bool(status and status.state == BucketStatus.State.SCHEDULED_FOR_DELETION),
        objects=sum(
            count.simple_objects_quantity + count.multipart_objects_quantity for count in counts
        ),
        size=sum(count.simple_objects_size + count.multipart_objects_size for count in counts),
    )


def _shortest(days: Any) -> int:
    return min((int(value) for value in days if value), default=0)


def _is_on(rule: LifecycleRule) -> bool:
    """Whether a rule holds for all that is in the bucket."""
    whole = rule.filter is None or not rule.filter.prefix
    return whole and rule.status == LifecycleRule.Status.ENABLED


def _cors(rule: CORSRule) -> Rule:
    return {
        "origins": tuple(rule.allowed_origins),
        "methods": tuple(rule.allowed_methods),
        "headers": tuple(rule.allowed_headers),
        "exposed": tuple(rule.expose_headers),
        "max_age_seconds": int(rule.max_age_seconds or 0),
    }


def _set(spec: BucketSpec, wanted: Settings) -> None:
    """Put what is wanted into a specification, leaving all else in it."""
    if wanted.versioning:
        spec.versioning_policy = VersioningPolicy.ENABLED
    spec.cors = CORSConfiguration(
        rules=[
            CORSRule(
                allowed_origins=rule["origins"],
                allowed_methods=rule["methods"],
                allowed_headers=rule["headers"],
                expose_headers=rule["exposed"],
                max_age_seconds=rule["max_age_seconds"],
            )
            for rule in wanted.cors
        ]
    )
    found = _state(Message(metadata=ResourceMetadata(), spec=spec)).settings
    rules = list(spec.lifecycle_configuration.rules) if spec.lifecycle_configuration else []
    if wanted.old_days != found.old_days:
        rules.append(
            _rule(
                "anyscale-k8s-old-versions",
                noncurrent_version_expiration=LifecycleNoncurrentVersionExpiration(
                    noncurrent_days=wanted.old_days
                ),
            )
        )
    if wanted.upload_days != found.upload_days:
        rules.append(
            _rule(
                "anyscale-k8s-unfinished-uploads",
                abort_incomplete_multipart_upload=LifecycleAbortIncompleteMultipartUpload(
                    days_after_initiation=wanted.upload_days
                ),
            )
        )
    spec.lifecycle_configuration = LifecycleConfiguration(rules=rules)


def _rule(name: str, **what: Any) -> LifecycleRule:
    status = LifecycleRule.Status.ENABLED
    return LifecycleRule(id=name, status=status, filter=LifecycleFilter(prefix=""), **what)
