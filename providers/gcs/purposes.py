"""What buckets of Google's are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "gcs-bucket",
        "gcp:bucket/<name>",
        "Cloud Storage bucket",
        "Logs, artifacts and the code of jobs are kept in it.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
)
