"""Options of other platforms, and why they mean nothing on GKE."""

from __future__ import annotations

from anyscale_k8s_cli.absence import (
    ADMITTED,
    NO_KEYS,
    NO_STORAGE_ACCOUNT,
    NO_TOKEN,
    OWN_STORE,
    Absence,
    Absences,
    accounts,
)

ABSENCES: Absences = {
    "account": accounts("--project-id"),
    "credentials": Absence(
        "credentials are found as Google's SDK finds them", "--impersonate-service-account"
    ),
    "identity.kind": Absence("GKE has one way only, Workload Identity Federation"),
    "existing.oidc_provider": Absence("the project's workload identity pool is Google's own"),
    **ADMITTED,
    **NO_KEYS,
    **NO_TOKEN,
    "rules.permissions_boundary": Absence(
        "Google's IAM has no boundaries of what an account may",
        "a role of your own by --storage-role, or an identity of yours by --identity",
    ),
    "rules.role_path": Absence("service accounts have no paths", "--name-prefix, or rules.names"),
    **NO_STORAGE_ACCOUNT,
    "storage": OWN_STORE,
}
