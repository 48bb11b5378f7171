"""What the objects at Nebius are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "nebius-bucket",
        "nebius:bucket/<name>",
        "Object Storage bucket",
        "Logs, artifacts and the code of jobs are kept in it.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
    Purpose(
        "nebius-service-account",
        "nebius:service-account/<name>",
        "service account of the bucket's users",
        "The access key that pods use is its, and so no person's.",
        "Its key ends with it: nothing gets into the bucket.",
    ),
    Purpose(
        "nebius-group",
        "nebius:group/<name>",
        "group with access to the bucket",
        "Its permits let its one member, the service account, use this one bucket.",
        "The key is still known and opens nothing.",
    ),
    Purpose(
        "storage-access-key",
        "nebius:access-key/<name>",
        "access key of the object store",
        "The operator and Ray's pods get into the bucket with it.",
        "Nothing gets into the bucket until a setup has another one issued.",
    ),
)
