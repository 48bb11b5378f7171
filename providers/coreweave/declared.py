"""CoreWeave's checks, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import ANY_TIME, Check, Need, When
from anyscale_k8s_cli.checks.declared import WITHOUT_STORAGE

_CLOUD = frozenset({Need.CLOUD})

COREWEAVE_POLICY_DENIES = Check(
    "coreweave-policy-denies",
    "No policy of the organisation keeps the operator out of its bucket",
    ANY_TIME,
    _CLOUD,
    breaks=WITHOUT_STORAGE | {"operator-storage"},
)

COREWEAVE_PERMISSIONS = Check(
    "coreweave-permissions",
    "You may do at CoreWeave what setup does",
    frozenset({When.SETUP}),
    _CLOUD,
    error=errors.FORBIDDEN,
)

CHECKS = (COREWEAVE_POLICY_DENIES, COREWEAVE_PERMISSIONS)
