"""The checks of the Oracle side, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.checks import ANY_TIME, Check, Need, Severity, When

_CLOUD = frozenset({Need.CLOUD})

OKE_GPU_ADDON = Check(
    "oke-gpu-addon",
    "Oracle's add-on offers the GPUs of node pools that have them",
    ANY_TIME,
    _CLOUD,
    Severity.WARNING,
)

OCI_PERMISSIONS = Check(
    "oci-permissions",
    "You may do in Oracle Cloud what setup does",
    frozenset({When.SETUP}),
    _CLOUD,
    Severity.WARNING,
)

CHECKS = (OKE_GPU_ADDON, OCI_PERMISSIONS)
