"""What a store holds: keys, buckets, objects; and how it differs from Amazon's."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error


class Quirk(StrEnum):
    """In what a store is other than Amazon's, by name."""

    # Buckets are named by hosts alone, or by paths alone.
    VIRTUAL_HOSTED_ONLY = "virtual-hosted-only"
    PATH_ONLY = "path-only"
    # There is no CORS call.
    NO_CORS = "no-cors"
    # Requests with the checksums that SDKs send of their own accord are refused.
    CHECKSUM_REFUSED = "checksum-refused"
    # Signatures for another region are refused.
    SIGNING_REGION_CHECKED = "signing-region-checked"
    # A new key is not known yet at its first uses.
    KEYS_DELAYED = "keys-delayed"
    # Without a policy of the organisation nobody may do anything.
    ORGANISATION_POLICY = "organisation-policy"
    # Buckets cannot be made by this API.
    NO_BUCKET_CREATION = "no-bucket-creation"


@dataclass
class Key:
    """`buckets` are those that it reaches; None is all. `refusals`: uses not met yet.

    `session` is the token that must be shown with it; `may` says whether it is good for an
    action of S3's in a bucket, where a store tells actions apart.
    """

    id: str
    secret: str = field(repr=False)
    buckets: Container[str] | None = None
    refusals: int = 0
    session: str = field(default="", repr=False)
    may: Callable[[str, str], bool] | None = None


@dataclass(frozen=True)
class StoredObject:
    content: bytes
    etag: str
    content_type: str
    modified: datetime

    @classmethod
    def of(cls, content: bytes, content_type: str = "") -> StoredObject:
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return cls(content, etag, content_type or "binary/octet-stream", datetime.now(UTC))


@dataclass
class Upload:
    """A multipart upload that is under way."""

    key: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """`cors` are the rules as they were sent, each a mapping of lists.

    `held` are keys of objects that a lock keeps from being deleted.
    """

    name: str
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    cors: list[Mapping[str, list[str]]] = field(default_factory=list)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# How many uses of a new key are refused where keys are delayed.
_REFUSALS = 2


class ObjectStore:
    """One vendor's store. Safe to use from any thread.

    `host` is the name that it has among people (`cwobject.com`): with a proxy in
    front, `<bucket>.<host>` leads here. `policies` are the organisation's, by name.
    `taken` are names of other people's buckets.
    """

    def __init__(
        self,
        *,
        region: str,
        quirks: frozenset[Quirk] = frozenset(),
        host: str = "",
        name_pattern: re.Pattern[str] = _NAME,
        taken: frozenset[str] = frozenset(),
    ) -> None:
        self.region = region
        self.quirks = quirks
        self.host = host
        self.taken = taken
        self.policies: dict[str, object] = {}
        self.buckets: dict[str, Bucket] = {}
        self.lock = threading.RLock()
        self._name_pattern = name_pattern
        self._keys: dict[str, Key] = {}

    # -- keys -------------------------------------------------------------------

    def issue(self, *, buckets: frozenset[str] | None = None, id_prefix: str = "SANDBOX") -> Key:
        """A new key; it reaches `buckets`, or all."""
        key = Key(
            id_prefix + secrets.token_hex(7).upper(),
            secrets.token_urlsafe(30),
            buckets,
            _REFUSALS if Quirk.KEYS_DELAYED in self.quirks else 0,
        )
        with self.lock:
            self._keys[key.id] = key
        return key

    def revoke(self, key_id: str) -> None:
        """No error if there is no such key."""
        with self.lock:
            self._keys.pop(key_id, None)

    def key(self, key_id: str) -> Key | None:
        """The key, as it is at any other time than its first uses."""
        return self._keys.get(key_id)

    @property
    def key_ids(self) -> list[str]:
        return sorted(self._keys)

    def admitted(self, key_id: str) -> Key:
        """The key that signs a request. Raises what the store answers to others."""
        with self.lock:
            found = self._keys.get(key_id)
            if found is None:
                raise S3Error(
                    403,
                    "InvalidAccessKeyId",
                    "The access key ID you provided does not exist in our records.",
                )
            if found.refusals:
                found.refusals -= 1
                raise S3Error(403, "AccessDenied", "Access Denied.")
            if Quirk.ORGANISATION_POLICY in self.quirks and not self.policies:
                raise S3Error(403, "AccessDenied", "Access Denied.")
            return found

    # -- buckets ------------------------------------------------------------------

    def create_bucket(self, name: str) -> Bucket:
        with self.lock:
            if not self._name_pattern.fullmatch(name):
                raise S3Error(400, "InvalidBucketName", "The specified bucket is not valid.")
            if name in self.taken:
                raise S3Error(409, "BucketAlreadyExists", "The bucket name is not available.")
            if name in self.buckets:
                raise S3Error(409, "BucketAlreadyOwnedByYou", "You already own this bucket.")
            made = self.buckets[name] = Bucket(name)
            return made

    def bucket(self, name: str) -> Bucket:
        if name in self.taken:
            raise S3Error(403, "AccessDenied", "Access Denied.")
        found = self.buckets.get(name)
        if found is None:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist.")
        return found

    def delete_bucket(self, name: str) -> None:
        with self.lock:
            if self.bucket(name).objects:
                raise S3Error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            del self.buckets[name]

    def snapshot(self) -> dict[str, object]:
        """What is there, to compare two moments by. No secrets."""
        with self.lock:
            return {
                "keys": self.key_ids,
                "policies": sorted(self.policies),
                "buckets": {
                    name: {
                        "objects": {key: item.etag for key, item in bucket.objects.items()},
                        "uploads": len(bucket.uploads),
                        "cors": [dict(rule) for rule in bucket.cors],
                    }
                    for name, bucket in self.buckets.items()
                },
            }
