"""The checks of the Nebius side, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import ANY_TIME, BEFORE, Check, Need, Severity, When
from anyscale_k8s_cli.resource import LOAD_BALANCED
from anyscale_k8s_cli.troubles import Cause

_CLOUD = frozenset({Need.CLOUD})
_IN_CLUSTER = frozenset({Need.CLOUD, Need.CLUSTER})

NEBIUS_GPU_DRIVERS = Check(
    "nebius-gpu-drivers",
    "All node groups with GPUs have Nebius' drivers",
    ANY_TIME,
    _IN_CLUSTER,
    Severity.WARNING,
)
NEBIUS_GPU_CLAIMS = Check(
    "nebius-gpu-claims",
    "GPUs are offered in the way that Anyscale asks for them",
    ANY_TIME,
    _IN_CLUSTER,
    Severity.WARNING,
)
NEBIUS_PERMISSIONS = Check(
    "nebius-permissions",
    "You may do at Nebius what setup does",
    frozenset({When.SETUP}),
    _CLOUD,
    error=errors.FORBIDDEN,
)
NEBIUS_BUCKET_QUOTA = Check(
    "nebius-bucket-quota",
    "The region has room for a bucket",
    frozenset({When.SETUP}),
    _CLOUD,
    error=errors.NO_ROOM,
    adds=frozenset({"nebius-bucket"}),
)
NEBIUS_ADDRESS_QUOTA = Check(
    "nebius-address-quota",
    "The region has room for a public address",
    BEFORE,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=LOAD_BALANCED,
    explains=Cause.QUOTA,
)

CHECKS = (
    NEBIUS_GPU_DRIVERS,
    NEBIUS_GPU_CLAIMS,
    NEBIUS_PERMISSIONS,
    NEBIUS_BUCKET_QUOTA,
    NEBIUS_ADDRESS_QUOTA,
)
