"""Why a platform does not know an option that others do, as data: told by refusals and pages.

Belongs here: the record, and reasons that several platforms have in common. Each
provider's are in the module `absences` of its package, which imports no SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Absence:
    """`reason` says why, as the rest of "not here, because …"; `instead` what there is for it."""

    reason: str
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; instead: {self.instead}" if self.instead else self.reason


Absences = Mapping[str, Absence]
"""By dotted path of the spec, or by the first part of it for all that are below."""


def absence_of(absences: Absences, path: str) -> Absence | None:
    """The reason for one field; None where none is told."""
    return absences.get(path) or absences.get(path.partition(".")[0])


def accounts(instead: str) -> Absence:
    return Absence("the platform calls its accounts otherwise", instead)


OWN_CREDENTIALS = Absence("credentials are found as the platform's own SDK finds them")
OWN_STORE = Absence(
    "buckets are in the platform's own store, and setup knows how that wants to be spoken to"
)
# Where a platform vouches for the operator.
NO_TOKEN: Absences = {
    "operator": Absence("the platform vouches for the operator, which needs no token")
}
NO_KEYS: Absences = {
    "existing.storage_keys": Absence("pods open the bucket by their identity, and no key is made")
}
ADMITTED: Absences = dict.fromkeys(
    ("existing.identity_provider", "existing.identity_audience"),
    Absence("the identity is of the cluster's own cloud, and setup knows what admits the cluster"),
)
OWN_ACCOUNT = (
    "a service account of your own for Ray's pods, by workloads.serviceAccount.name in --values"
)
# Where it vouches for nobody.
NO_IDENTITY: Absences = {
    "identity": Absence("the platform vouches for nobody: the operator signs in with a token"),
    "identity.workloads": Absence(
        "the operator's token is none of Ray's pods', and what opens the bucket is one for all",
        OWN_ACCOUNT,
    ),
    "existing.oidc_provider": Absence("setup makes no role that tokens of the cluster open"),
}
NOT_AWS: Absences = dict.fromkeys(
    ("rules.permissions_boundary", "rules.role_path"),
    Absence(
        "only AWS' IAM has roles with paths and boundaries",
        "an identity of yours, bounded "
        "as your company wants it, by --identity where the platform takes one",
    ),
)
NO_STORAGE_ROLE: Absences = {
    "rules.storage_role": Absence(
        "no role of the platform's is granted: what setup writes names the one bucket and what "
        "is done in it"
    )
}
NO_ENCRYPTION_KEY: Absences = {
    "rules.kms_key": Absence(
        "the store encrypts with keys of its own", "a bucket with your key, by --bucket"
    )
}
NO_STORAGE_ACCOUNT: Absences = dict.fromkeys(
    ("rules.azure_shared_key", "rules.kms_identity"),
    Absence("setup makes no storage account of Azure's here"),
)


def of_keyed_store(account: str) -> Absences:
    """Of a cloud that vouches for nobody, and whose store takes keys alone."""
    by_key = Absence("the store knows pods by a key alone, and by no token of the cluster's")
    return {
        "account": accounts(account),
        "credentials": OWN_CREDENTIALS,
        "existing.identity_provider": by_key,
        "existing.identity_audience": by_key,
        **NO_IDENTITY,
        **NOT_AWS,
        **NO_ENCRYPTION_KEY,
        **NO_STORAGE_ACCOUNT,
        **NO_STORAGE_ROLE,
        "storage": OWN_STORE,
    }
