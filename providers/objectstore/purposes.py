"""What buckets of S3 stores are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "s3-bucket",
        "s3-bucket/<name>",
        "bucket in the object store",
        "Logs, artifacts and the code of jobs are kept in it.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
)
