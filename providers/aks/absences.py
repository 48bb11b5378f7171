"""Options of other platforms, and why they mean nothing on AKS."""

from __future__ import annotations

from anyscale_k8s_cli.absence import (
    ADMITTED,
    NO_KEYS,
    NO_TOKEN,
    OWN_CREDENTIALS,
    OWN_STORE,
    Absence,
    Absences,
    accounts,
)

ABSENCES: Absences = {
    "account": accounts("--subscription-id and --resource-group"),
    "credentials": OWN_CREDENTIALS,
    "identity.kind": Absence("AKS has one way only, Microsoft Entra Workload ID"),
    "existing.oidc_provider": Absence(
        "a federated credential of the identity admits the cluster's issuer, and no provider is "
        "made for it"
    ),
    **ADMITTED,
    **NO_KEYS,
    **NO_TOKEN,
    "rules.permissions_boundary": Absence(
        "Azure has no boundaries of what an identity may",
        "a role of your own by --storage-role, or an identity of yours by --identity",
    ),
    "rules.role_path": Absence("identities have no paths", "--name-prefix, or rules.names"),
    "storage": OWN_STORE,
}
