"""What is in a bucket: how much, and how all of it is removed."""

from __future__ import annotations

from itertools import chain

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.object_storage import Tally
from anyscale_k8s_cli.providers.objectstore import codes
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.run import current_step


def count(s3: S3, bucket: str) -> Tally:
    """Versions of objects, and their bytes."""
    tally = Tally()
    for version in chain.from_iterable(s3.versions(bucket)):
        tally.add(version.key, version.size)
    return tally


def remove_all(s3: S3, bucket: str) -> None:
    """Every version, marker and unfinished upload. Goes on where an earlier run ended."""
    removed = 0
    for page in s3.versions(bucket):
        s3.run.check()
        if not page:
            continue
        refused = s3.delete_versions(bucket, page)
        if refused:
            raise errors.CliError(
                codes.STORE_NOT_EMPTIED,
                f"The bucket {bucket} could not be emptied",
                cause=f"{s3.store.title} refused to delete {len(refused)} of {len(page)} versions",
                evidence=tuple(refused[:5]),
                fix="see what holds them, then run the same command again to go on",
            )
        removed += len(page)
        detail = f"{removed} versions removed"
        what = f"the bucket {bucket} to be empty"
        s3.run.emit(StepWaiting(key=current_step.get(), what=what, detail=detail))
    for key, upload in s3.uploads(bucket):
        s3.run.check()
        s3.abort(bucket, key, upload)
