"""The checks of the Google side, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import ANY_TIME, BEFORE, Check, Need, Severity, When
from anyscale_k8s_cli.checks.declared import WITHOUT_IDENTITY, WITHOUT_STORAGE
from anyscale_k8s_cli.providers.gcs import codes as gcs_codes
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.resource import LOAD_BALANCED
from anyscale_k8s_cli.troubles import Cause

_SETUP = frozenset({When.SETUP})
# What pods stand on: it can be switched off at any time.
_OF_CLUSTER = ANY_TIME | {When.STATUS}
_CLOUD = frozenset({Need.CLOUD})
_IN_CLUSTER = frozenset({Need.CLOUD, Need.CLUSTER})

GKE_WORKLOAD_IDENTITY = Check(
    "gke-workload-identity",
    "Pods can have an identity of Google's",
    _OF_CLUSTER,
    _IN_CLUSTER,
    error=codes.WORKLOAD_IDENTITY_OFF,
    breaks=WITHOUT_IDENTITY | {"gke-pool-metadata"},
)
GKE_POOL_METADATA = Check(
    "gke-pool-metadata",
    "All node pools give pods their identity",
    _OF_CLUSTER,
    _IN_CLUSTER,
    Severity.WARNING,
)
GCP_APIS = Check(
    "gcp-apis",
    "The APIs that are needed are enabled",
    ANY_TIME,
    _CLOUD,
    error=gcs_codes.API_DISABLED,
    breaks=WITHOUT_IDENTITY,
)
GCP_PERMISSIONS = Check(
    "gcp-permissions",
    "You may do in Google Cloud what setup does",
    _SETUP,
    _CLOUD,
    error=errors.FORBIDDEN,
)
GCP_READ_PERMISSIONS = Check(
    "gcp-read-permissions",
    "You may look at all in Google Cloud that is to be looked at",
    frozenset({When.REGISTER, When.VERIFY}),
    _CLOUD,
    Severity.WARNING,
)
GCP_LOAD_BALANCER_QUOTA = Check(
    "gcp-load-balancer-quota",
    "The region has room for a load balancer and its address",
    BEFORE,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=LOAD_BALANCED,
    explains=Cause.QUOTA,
)
GKE_SUBNET_NAMED = Check(
    "gke-subnet-named",
    "The subnet that you named is the cluster's",
    BEFORE,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
    explains=Cause.SUBNETS,
)
GCP_KMS_KEY = Check(
    "gcp-kms-key", "The key is where the bucket is", ANY_TIME, _CLOUD, error=errors.ADOPTED_UNFIT
)
GCP_STORAGE_ROLE = Check(
    "gcp-storage-role",
    "Your role allows what the bucket is for",
    ANY_TIME,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
    breaks=WITHOUT_STORAGE,
)

CHECKS = (
    GKE_WORKLOAD_IDENTITY,
    GKE_POOL_METADATA,
    GCP_APIS,
    GCP_PERMISSIONS,
    GCP_READ_PERMISSIONS,
    GCP_LOAD_BALANCER_QUOTA,
    GKE_SUBNET_NAMED,
    GCP_KMS_KEY,
    GCP_STORAGE_ROLE,
)
