"""What a store takes and what it refuses: asked by reading, and proven by use.

A refusal rarely says what is wrong. So what could be is tried otherwise, one setting
at a time: what then works is what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CliError, CloudFailure
from anyscale_k8s_cli.object_storage import PARTS_KEY, PROOF_KEY, Contradiction, round_trip
from anyscale_k8s_cli.providers.objectstore import codes, permissions
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.spec import Addressing, Checksums

_CONTENT = b"Written in parts by anyscale-k8s-cli.\n"
_OTHER = {Addressing.PATH: Addressing.VIRTUAL, Addressing.VIRTUAL: Addressing.PATH}
REFUSED = {
    Addressing.PATH: codes.STORE_PATH_STYLE_REFUSED,
    Addressing.VIRTUAL: codes.STORE_VIRTUAL_HOST_REFUSED,
}
# Said to keys that are known, and of a reading of heads alone, which has no words.
_NOT_ALLOWED = ("AccessDenied", "403", "Forbidden")
_REGION_WORDS = ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException")

Trial = Callable[[S3], Any]


@dataclass(frozen=True)
class BucketObjects:
    """The objects of one bucket, as the round trip wants them."""

    s3: S3
    bucket: str

    def put(self, key: str, content: bytes) -> None:
        self.s3.put(self.bucket, key, content)

    def get(self, key: str) -> bytes:
        return self.s3.get(self.bucket, key)

    def keys(self, prefix: str) -> list[str]:
        return self.s3.keys(self.bucket, prefix)

    def remove(self, key: str) -> None:
        self.s3.remove(self.bucket, key)


def look(s3: S3, bucket: str) -> None:
    """Read from a bucket, which need not exist. Raises with the setting that is wrong."""
    _told(s3, bucket, lambda asked: read_once(asked, bucket))


def read_once(s3: S3, bucket: str) -> None:
    """Lists a bucket and reads an object, which is what carries checksums."""
    s3.exists(bucket)
    s3.find(bucket, PROOF_KEY)


def use(s3: S3, bucket: str) -> None:
    """Put, get, list and delete, whole and in parts. Raises with the setting that is wrong."""
    objects = BucketObjects(s3, bucket)
    try:
        # A store may take some seconds to let a new key into a new bucket.
        _told(s3, bucket, lambda asked: asked.put(bucket, PROOF_KEY, _CONTENT), patient=True)
        round_trip(objects, lambda _, call: _told(s3, bucket, lambda _: call()))
        _told(s3, bucket, lambda asked: asked.put_in_parts(bucket, PARTS_KEY, _CONTENT))
        if s3.get(bucket, PARTS_KEY) != _CONTENT:
            raise Contradiction("was read other than written in parts")
        s3.remove(bucket, PARTS_KEY)
    except Contradiction as wrong:
        raise CliError(errors.BUCKET_DENIED, f"An object in the bucket {bucket} {wrong}") from wrong


def _told(s3: S3, bucket: str, trial: Trial, *, patient: bool = False) -> Any:
    """The trial's answer, or the error that names what is wrong."""
    try:
        return s3.run.retry(
            lambda: trial(s3),
            retriable=lambda problem: isinstance(problem, CloudFailure) and problem.denied,
            what=f"{s3.store.title} to take the keys",
            timeout=s3.store.key_seconds if patient else 0,
        )
    except CloudFailure as failure:
        raise diagnosed(s3, bucket, trial, failure) from failure


def diagnosed(s3: S3, bucket: str, trial: Trial, failure: CloudFailure) -> CloudFailure:
    """The failure by its own code: what was refused, and which option mends it."""
    store = s3.store
    region = failure.details.get("region")
    if failure.api_code in _REGION_WORDS or region:
        fix = f"give --storage-region {region}" if region else "correct --storage-region"
        return _as(
            failure,
            codes.STORE_SIGNING_REGION,
            f"{store.title} does not take signatures for the region {store.region}",
            fix,
        )
    if failure.api_code in _NOT_ALLOWED and _works(s3, trial):
        # As things are set the store is read: it is this call alone that it does not allow.
        return _keys_denied(s3, bucket, failure)
    style, other = store.addressing, _OTHER[store.addressing]
    if store.checksums is Checksums.WHEN_SUPPORTED and _works(
        s3.spoken_to(checksums=Checksums.WHEN_REQUIRED), trial
    ):
        return _as(
            failure,
            codes.STORE_CHECKSUM_REFUSED,
            f"{store.title} refuses the checksums that SDKs send of their own accord",
            f"give --storage-checksums {Checksums.WHEN_REQUIRED}",
        )
    if _works(s3.spoken_to(addressing=other), trial):
        return _as(
            failure,
            REFUSED[style],
            f"{store.title} does not take {style} style addresses of buckets",
            f"give --storage-addressing {other}",
        )
    return _keys_denied(s3, bucket, failure) if failure.denied else failure


def _keys_denied(s3: S3, bucket: str, failure: CloudFailure) -> CloudFailure:
    if failure.api_code not in _NOT_ALLOWED:
        return _as(
            failure,
            codes.STORE_KEYS_DENIED,
            f"{s3.store.title} does not let the keys in",
            "see that the keys are right and may use the bucket, and that no policy of the "
            "organisation is missing",
        )
    action = permissions.action_of(failure.details["call"])
    return _as(
        failure,
        codes.STORE_KEYS_DENIED,
        f"{s3.store.title} does not let these keys {action} on {bucket}",
        "have a policy allow it to whom the keys are of, if they are the right ones: "
        f"{permissions.statement_for(action, bucket)}\n"
        "then run the same command again; where the organisation has policies for buckets, "
        "one must let them in, too",
    )


def _works(s3: S3, trial: Trial) -> bool:
    try:
        trial(s3)
    except CloudFailure:
        return False
    return True


def _as(failure: CloudFailure, code: errors.ErrorCode, message: str, fix: str) -> CloudFailure:
    return CloudFailure(
        code,
        message,
        failure.cause,
        failure.evidence,
        fix,
        api_code=failure.api_code,
        status=failure.status,
        denied=failure.denied,
    )
