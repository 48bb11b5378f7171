"""Options of other platforms, and why they mean nothing on CoreWeave."""

from __future__ import annotations

from anyscale_k8s_cli.absence import (
    NO_ENCRYPTION_KEY,
    NO_IDENTITY,
    NO_STORAGE_ACCOUNT,
    NO_STORAGE_ROLE,
    NOT_AWS,
    OWN_STORE,
    Absence,
    Absences,
)

ABSENCES: Absences = {
    "account": Absence("the API token is of one organisation, which is the account"),
    "credentials": Absence("CoreWeave's API knows a token alone", "COREWEAVE_API_TOKEN"),
    "existing.identity_provider": Absence("the access policy names the cluster's issuer itself"),
    **NO_IDENTITY,
    **NOT_AWS,
    **NO_ENCRYPTION_KEY,
    **NO_STORAGE_ACCOUNT,
    **NO_STORAGE_ROLE,
    "storage": OWN_STORE,
}
