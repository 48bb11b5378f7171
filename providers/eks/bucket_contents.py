"""What is in a bucket: how much, and how all of it is removed."""

from __future__ import annotations

from itertools import chain

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.object_storage import Tally
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.providers.eks.sdk.objects import Objects
from anyscale_k8s_cli.run import Run, current_step


def count(objects: Objects) -> Tally:
    """Versions of objects, and their bytes; markers of deletions are neither."""
    tally = Tally()
    for version in chain.from_iterable(objects.versions()):
        if not version.marker:
            tally.add(version.key, version.size)
    return tally


def remove_all(objects: Objects, run: Run, name: str) -> None:
    """Every version, marker and unfinished upload. Goes on where an earlier run ended."""
    removed = 0
    for page in objects.versions():
        run.check()
        if not page:
            continue
        refused = objects.delete_versions(page)
        if refused:
            raise errors.CliError(
                codes.BUCKET_NOT_EMPTIED,
                f"The bucket {name} could not be emptied",
                cause=f"S3 refused to delete {len(refused)} of {len(page)} versions",
                evidence=tuple(refused[:5]),
                fix="see whether object lock or a bucket policy holds them, "
                "then run the same command again to go on",
            )
        removed += len(page)
        _tell(run, name, f"{removed} versions removed")
    uploads = objects.uploads()
    for upload in uploads:
        run.check()
        objects.abort_upload(upload)
    if uploads:
        _tell(run, name, f"{removed} versions removed, {len(uploads)} uploads aborted")


def _tell(run: Run, name: str, detail: str) -> None:
    run.emit(
        StepWaiting(key=current_step.get(), what=f"the bucket {name} to be empty", detail=detail)
    )
