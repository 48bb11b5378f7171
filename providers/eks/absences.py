"""Options of other platforms, and why they mean nothing on EKS."""

from __future__ import annotations

from anyscale_k8s_cli.absence import (
    ADMITTED,
    NO_KEYS,
    NO_STORAGE_ACCOUNT,
    NO_STORAGE_ROLE,
    NO_TOKEN,
    OWN_STORE,
    Absence,
    Absences,
    accounts,
)

ABSENCES: Absences = {
    "account": accounts("--account-id"),
    "credentials": Absence("credentials are found as the AWS SDK finds them", "--aws-profile"),
    **ADMITTED,
    **NO_KEYS,
    **NO_TOKEN,
    **NO_STORAGE_ACCOUNT,
    **NO_STORAGE_ROLE,
    "storage": OWN_STORE,
}
