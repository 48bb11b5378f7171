"""The checks of the Oracle side, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import ANY_TIME, BEFORE, Check, Need, Severity, When
from anyscale_k8s_cli.resource import LOAD_BALANCED
from anyscale_k8s_cli.troubles import Cause

_CLOUD = frozenset({Need.CLOUD})
_IN_CLUSTER = frozenset({Need.CLOUD, Need.CLUSTER})

OKE_GPU_ADDON = Check(
    "oke-gpu-addon",
    "Oracle's add-on offers the GPUs of node pools that have them",
    ANY_TIME,
    _IN_CLUSTER,
    Severity.WARNING,
)

OCI_PERMISSIONS = Check(
    "oci-permissions",
    "You may do in Oracle Cloud what setup does",
    frozenset({When.SETUP}),
    _CLOUD,
    Severity.WARNING,
)

OCI_LOAD_BALANCER_QUOTA = Check(
    "oci-load-balancer-quota",
    "The region has room for a network load balancer",
    BEFORE,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=LOAD_BALANCED,
    explains=Cause.QUOTA,
)

OKE_SUBNET_NAMED = Check(
    "oke-subnet-named",
    "The subnet that you named is the cluster's",
    BEFORE,
    _IN_CLUSTER,
    error=errors.ADOPTED_UNFIT,
    explains=Cause.SUBNETS,
)

CHECKS = (OKE_GPU_ADDON, OCI_PERMISSIONS, OCI_LOAD_BALANCER_QUOTA, OKE_SUBNET_NAMED)
