"""Buckets: global names, settings and their rules, soft deletion.

https://cloud.google.com/storage/docs/json_api/v1/buckets
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from anyscale_k8s_cli.sandbox.google import constraints
from anyscale_k8s_cli.sandbox.google.constraints import ConstraintSeed
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, invalid, not_found
from anyscale_k8s_cli.sandbox.google.objects import Objects
from anyscale_k8s_cli.sandbox.google.policies import Grant, Policy
from anyscale_k8s_cli.sandbox.google.roles import (
    BUCKET_OWNER,
    BUCKET_READER,
    OBJECT_OWNER,
    OBJECT_READER,
)

Clock = Callable[[], datetime]
Settings = dict[str, Any]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_REGION = re.compile(r"[A-Z]+(?:-[A-Z]+)+\d+")
_MULTI_REGIONS = frozenset({"US", "EU", "ASIA"})
_CLASSES = frozenset({"STANDARD", "REGIONAL", "MULTI_REGIONAL", "NEARLINE", "COLDLINE", "ARCHIVE"})
_KMS_KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "*"})
_PREVENTION = frozenset({"inherited", "enforced"})
_MOST_LABELS, _LONGEST_LABEL = 64, 63
_SOFT_DELETE_SECONDS = 7 * 24 * 3600
_SHORTEST_SOFT_DELETE = 7 * 24 * 3600
_SETTABLE = frozenset(
    {
        "autoclass",
        "cors",
        "defaultEventBasedHold",
        "encryption",
        "iamConfiguration",
        "labels",
        "lifecycle",
        "logging",
        "softDeletePolicy",
        "storageClass",
        "versioning",
        "website",
    }
)


@dataclass
class Bucket:
    """A bucket. `settings` are the writable fields of its resource, as they were sent."""

    name: str
    project_number: str
    location: str
    created_at: datetime
    generation: int
    settings: Settings = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    objects: Objects = field(default_factory=Objects)
    metageneration: int = 1
    updated_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def uniform(self) -> bool:
        access = self.settings["iamConfiguration"]["uniformBucketLevelAccess"]
        return bool(access.get("enabled"))

    @property
    def private(self) -> bool:
        """Whether access by everybody is prevented."""
        return bool(self.settings["iamConfiguration"]["publicAccessPrevention"] == "enforced")

    @property
    def versioned(self) -> bool:
        return bool((self.settings.get("versioning") or {}).get("enabled"))

    @property
    def soft_delete(self) -> timedelta:
        policy = self.settings["softDeletePolicy"]
        return timedelta(seconds=int(policy.get("retentionDurationSeconds") or 0))

    @property
    def hard_delete_at(self) -> datetime | None:
        return self.deleted_at + self.soft_delete if self.deleted_at else None

    def as_json(self) -> dict[str, Any]:
        multi = self.location in _MULTI_REGIONS
        found: dict[str, Any] = {
            "kind": "storage#bucket",
            "id": self.name,
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{self.name}",
            "name": self.name,
            "projectNumber": self.project_number,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "location": self.location,
            "locationType": "multi-region" if multi else "region",
            "etag": f"CA{self.metageneration:X}=",
            "timeCreated": moment(self.created_at),
            "updated": moment(self.updated_at or self.created_at),
            "rpo": "DEFAULT" if multi else "",
            **copy.deepcopy(self.settings),
        }
        if self.deleted_at and self.hard_delete_at:
            found["softDeleteTime"] = moment(self.deleted_at)
            found["hardDeleteTime"] = moment(self.hard_delete_at)
        return {key: value for key, value in found.items() if value not in ("", {}, None)}


@dataclass
class Buckets:
    """All buckets that there are, other projects' too, since names are global.

    `kms_keys` are the keys that the storage service may use, `constraints` the rules of the
    organization that the project is in.
    """

    clock: Clock
    project_id: str
    kms_keys: Sequence[str] = ()
    constraints: Sequence[ConstraintSeed] = ()
    _buckets: list[Bucket] = field(default_factory=list)
    _generation: int = 1_748_851_904_000_000_000

    def live(self) -> list[Bucket]:
        return [bucket for bucket in self._buckets if bucket.deleted_at is None]

    def soft_deleted(self) -> list[Bucket]:
        now = self.clock()
        return [b for b in self._buckets if b.hard_delete_at is not None and b.hard_delete_at > now]

    def find(self, name: str) -> Bucket | None:
        return next((bucket for bucket in self.live() if bucket.name == name), None)

    def get(self, name: str) -> Bucket:
        bucket = self.find(name)
        if bucket is None:
            raise not_found("The specified bucket does not exist.")
        return bucket

    def add(
        self, name: str, project_number: str, location: str, wanted: Mapping[str, Any]
    ) -> Bucket:
        """A bucket as it is made; its owners' project has it by its first policy."""
        self._generation += 1_000_003
        bucket = Bucket(name, project_number, location, self.clock(), self._generation)
        bucket.settings = self._completed({}, wanted, location)
        bucket.policy = self._first_policy(uniform=bucket.uniform)
        self._buckets.append(bucket)
        return bucket

    def create(self, project_number: str, body: Mapping[str, Any]) -> Bucket:
        name = str(body.get("name") or "")
        _check_name(name)
        location = str(body.get("location") or "US").upper()
        if location not in _MULTI_REGIONS and not _REGION.fullmatch(location):
            raise invalid("The specified location constraint is not valid.")
        taken = self.find(name)
        if taken is not None:
            raise _taken(own=taken.project_number == project_number)
        constraints.check(self.constraints, name, body)
        return self.add(name, project_number, location, body)

    def patch(self, bucket: Bucket, changes: Mapping[str, Any]) -> None:
        """Apply a merge patch."""
        merged = _merged(bucket.settings, {k: v for k, v in changes.items() if k in _SETTABLE})
        constraints.check(self.constraints, bucket.name, merged)
        was_uniform = bucket.uniform
        bucket.settings = self._completed(bucket.settings, merged, bucket.location)
        if bucket.uniform and not was_uniform:
            bucket.policy.grants += _object_grants(self.project_id)
        bucket.metageneration += 1
        bucket.updated_at = self.clock()

    def delete(self, bucket: Bucket) -> None:
        if not bucket.objects.empty:
            raise GoogleError(
                "ALREADY_EXISTS", "The bucket you tried to delete is not empty.", reason="conflict"
            )
        self.drop(bucket)

    def drop(self, bucket: Bucket) -> None:
        """Delete it, whatever is in it."""
        bucket.deleted_at = self.clock()
        if not bucket.soft_delete:
            self._buckets.remove(bucket)

    def restore(self, name: str, generation: str) -> Bucket:
        for bucket in self.soft_deleted():
            if bucket.name == name and str(bucket.generation) == generation:
                if self.find(name):
                    raise _taken(own=True)
                bucket.deleted_at = None
                bucket.metageneration += 1
                return bucket
        raise not_found("The specified bucket does not exist.")

    def _first_policy(self, *, uniform: bool) -> Policy:
        project = self.project_id
        owners = [f"projectEditor:{project}", f"projectOwner:{project}"]
        grants = [Grant(BUCKET_OWNER, member) for member in owners]
        grants.append(Grant(BUCKET_READER, f"projectViewer:{project}"))
        return Policy(grants + (_object_grants(project) if uniform else []), revision=1)

    def _completed(
        self, before: Mapping[str, Any], wanted: Mapping[str, Any], location: str
    ) -> Settings:
        """Valid settings, with what is always there. Raises 400, or 403 for a closed key."""
        settings: Settings = {k: copy.deepcopy(v) for k, v in wanted.items() if k in _SETTABLE}
        settings["storageClass"] = settings.get("storageClass") or "STANDARD"
        if settings["storageClass"] not in _CLASSES:
            raise invalid("Invalid argument.")
        settings["iamConfiguration"] = self._access(before, settings.get("iamConfiguration") or {})
        settings["softDeletePolicy"] = self._soft_delete(settings.get("softDeletePolicy"))
        _check_labels(settings.get("labels") or {})
        _check_cors(settings.get("cors") or [])
        self._check_encryption(settings.get("encryption") or {}, location)
        return {key: value for key, value in settings.items() if value not in (None, {}, [])}

    def _access(self, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
        prevention = wanted.get("publicAccessPrevention") or "inherited"
        if prevention not in _PREVENTION:
            raise invalid("Invalid argument.")
        uniform = bool((wanted.get("uniformBucketLevelAccess") or {}).get("enabled"))
        access: dict[str, Any] = {"enabled": uniform}
        if uniform:
            known = (before.get("iamConfiguration") or {}).get("uniformBucketLevelAccess") or {}
            locked = known.get("lockedTime") or moment(self.clock() + timedelta(days=90))
            access["lockedTime"] = locked
        return {
            "bucketPolicyOnly": dict(access),
            "uniformBucketLevelAccess": access,
            "publicAccessPrevention": prevention,
        }

    def _soft_delete(self, wanted: Mapping[str, Any] | None) -> dict[str, Any]:
        given = _SOFT_DELETE_SECONDS if wanted is None else wanted.get("retentionDurationSeconds")
        seconds = int(given or 0)
        if seconds and seconds < _SHORTEST_SOFT_DELETE:
            raise invalid("Soft delete policies must have a retention of 0 or of at least 7 days.")
        effective = (wanted or {}).get("effectiveTime") or moment(self.clock())
        return {"retentionDurationSeconds": str(seconds), "effectiveTime": effective}

    def _check_encryption(self, wanted: Mapping[str, Any], location: str) -> None:
        key = wanted.get("defaultKmsKeyName")
        if not key:
            return
        found = _KMS_KEY.fullmatch(str(key))
        if found is None:
            raise invalid("Malformed Cloud KMS crypto key.")
        if found[1].upper() not in (location, "GLOBAL"):
            raise invalid(
                f"Cloud KMS key location '{found[1]}' does not match the bucket's location "
                f"'{location}'."
            )
        if key not in self.kms_keys:
            raise GoogleError(
                "PERMISSION_DENIED",
                "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service "
                "account has been authorized to use this key.",
            )


def moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _object_grants(project_id: str) -> list[Grant]:
    """What takes the place of object ACLs where access is uniform."""
    owners = (f"projectEditor:{project_id}", f"projectOwner:{project_id}")
    return [
        *(Grant(OBJECT_OWNER, member) for member in owners),
        Grant(OBJECT_READER, f"projectViewer:{project_id}"),
    ]


def _merged(present: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7386."""
    merged = dict(present)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = _merged(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _check_name(name: str) -> None:
    parts = name.split(".")
    longest = 63 if len(parts) == 1 else 222
    fits = _NAME.fullmatch(name) and len(name) <= longest and all(0 < len(p) <= 63 for p in parts)
    if not fits or name.startswith("goog") or "google" in name or _is_address(name):
        raise invalid(f"Invalid bucket name: '{name}'")
    if len(parts) > 1:
        raise GoogleError(
            "PERMISSION_DENIED",
            "The bucket you tried to create requires domain ownership verification.",
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _taken(*, own: bool) -> GoogleError:
    message = (
        "Your previous request to create the named bucket succeeded and you already own it."
        if own
        else "The requested bucket name is not available. The bucket namespace is shared by all "
        "users of the system. Please select a different name and try again."
    )
    return GoogleError("ALREADY_EXISTS", message, reason="conflict")


def _check_labels(labels: Mapping[str, Any]) -> None:
    """https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels"""
    if len(labels) > _MOST_LABELS:
        raise invalid("Invalid argument.")
    for key, value in labels.items():
        starts_well = key[:1].isalpha() and key[:1] == key[:1].lower()
        if not starts_well or not _is_label(key) or not _is_label(str(value)):
            raise invalid("Invalid argument.")


def _is_label(text: str) -> bool:
    letters = all(c in "_-" or c.isdigit() or (c.isalpha() and c == c.lower()) for c in text)
    return letters and len(text) <= _LONGEST_LABEL


def _check_cors(rules: Sequence[Mapping[str, Any]]) -> None:
    for rule in rules:
        if not set(rule.get("method") or ()) <= _METHODS or not rule.get("origin"):
            raise invalid("Invalid argument.")
