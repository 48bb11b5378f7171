"""Who may do what in the buckets, and what a request may make conditional."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.google.api import Call
from anyscale_k8s_cli.sandbox.google.buckets import Bucket, Buckets
from anyscale_k8s_cli.sandbox.google.errors import GoogleError
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.tokens import CLOUD_PLATFORM, Caller

_SCOPE = "https://www.googleapis.com/auth/devstorage"
FULL = frozenset({CLOUD_PLATFORM, f"{_SCOPE}.full_control"})
WRITE = FULL | {f"{_SCOPE}.read_write"}
READ = WRITE | {f"{_SCOPE}.read_only"}


@dataclass(frozen=True)
class StorageAccess:
    """Buckets of other projects are closed to everybody here."""

    project: Project
    buckets: Buckets

    def permits(self, caller: Caller, permission: str, bucket: Bucket) -> bool:
        own = bucket.project_number == self.project.number
        return own and self.project.permits(caller, permission, bucket.policy)

    def check(self, caller: Caller, permission: str, bucket: Bucket) -> None:
        if not self.permits(caller, permission, bucket):
            what = "object" if permission.startswith("storage.objects.") else "bucket"
            raise self.denial(caller, permission, f"Cloud Storage {what}")

    def denial(self, caller: Caller, permission: str, what: str) -> GoogleError:
        who = caller.email or "Anonymous caller"
        return GoogleError(
            "PERMISSION_DENIED" if caller.member else "UNAUTHENTICATED",
            f"{who} does not have {permission} access to the Google {what}. Permission "
            f"'{permission}' denied on resource (or it may not exist).",
            reason="forbidden" if caller.member else "required",
        )


def check_precondition(call: Call, what: str, present: int) -> None:
    """`ifGenerationMatch` and the like; 0 stands for an object that is not there. Raises 412."""
    wanted, unwanted = call.query.get(f"if{what}Match"), call.query.get(f"if{what}NotMatch")
    if (wanted is not None and int(wanted) != present) or (
        unwanted is not None and int(unwanted) == present
    ):
        raise GoogleError(
            "CONDITION_NOT_MET", "At least one of the pre-conditions you specified did not hold."
        )
