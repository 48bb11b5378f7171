"""Options of other platforms, and why they mean nothing on OKE."""

from __future__ import annotations

from anyscale_k8s_cli.absence import (
    NO_ENCRYPTION_KEY,
    NO_IDENTITY,
    NO_STORAGE_ACCOUNT,
    NOT_AWS,
    OWN_CREDENTIALS,
    OWN_STORE,
    Absence,
    Absences,
    accounts,
)

_BY_KEY = Absence("the store knows pods by a key alone, and by no token of the cluster's")

ABSENCES: Absences = {
    "account": accounts("--compartment-id"),
    "credentials": OWN_CREDENTIALS,
    "existing.identity_provider": _BY_KEY,
    "existing.identity_audience": _BY_KEY,
    **NO_IDENTITY,
    **NOT_AWS,
    **NO_ENCRYPTION_KEY,
    **NO_STORAGE_ACCOUNT,
    "storage": OWN_STORE,
}
