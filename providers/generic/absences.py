"""Options of other platforms, and why they mean nothing on a cluster without a cloud."""

from __future__ import annotations

from anyscale_k8s_cli.absence import (
    NO_ENCRYPTION_KEY,
    NO_IDENTITY,
    NO_STORAGE_ACCOUNT,
    NOT_AWS,
    Absence,
    Absences,
)

ABSENCES: Absences = {
    "account": Absence("the cluster is of no cloud's account"),
    "credentials": Absence(
        "the store is entered with its own credentials",
        "variables of the store's SDK, --aws-profile or --google-key-file",
    ),
    "existing.storage_keys": Absence("keys are yours always, and none is made"),
    **NO_IDENTITY,
    **NOT_AWS,
    **NO_ENCRYPTION_KEY,
    **NO_STORAGE_ACCOUNT,
    "rules.storage_role": Absence("setup grants nothing in the store: its keys are yours"),
}
