"""What containers that are entered with credentials are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "azure-container",
        "azure:container/<account>/<name>",
        "container in your storage account",
        "Logs, artifacts and the code of jobs are kept in it.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
)
