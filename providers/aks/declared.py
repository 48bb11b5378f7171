"""The checks of the Azure side, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import ANY_TIME, BEFORE, Check, Need, Severity, When
from anyscale_k8s_cli.checks.declared import WITHOUT_IDENTITY, WITHOUT_STORAGE
from anyscale_k8s_cli.providers.aks import codes
from anyscale_k8s_cli.providers.azureblob import codes as azure_codes
from anyscale_k8s_cli.resource import LOAD_BALANCED
from anyscale_k8s_cli.troubles import Cause

_SETUP = frozenset({When.SETUP})
# What pods stand on: it can be switched off at any time.
_OF_CLUSTER = ANY_TIME | {When.STATUS}
_CLOUD = frozenset({Need.CLOUD})
_IN_CLUSTER = frozenset({Need.CLOUD, Need.CLUSTER})

AKS_WORKLOAD_IDENTITY = Check(
    "aks-workload-identity",
    "Pods can have an identity of Azure's",
    _OF_CLUSTER,
    _IN_CLUSTER,
    error=codes.AKS_IDENTITY_OFF,
    breaks=WITHOUT_IDENTITY,
)
AZURE_ANYSCALE_IN_TENANT = Check(
    "azure-anyscale-in-tenant",
    "Your directory knows Anyscale's application",
    _OF_CLUSTER,
    frozenset({Need.CLOUD, Need.CONTROL_PLANE}),
    error=codes.ANYSCALE_NOT_IN_TENANT,
    breaks=WITHOUT_IDENTITY,
)
AKS_GPU_LABELS = Check(
    "aks-gpu-labels", "Pools with GPUs say which", ANY_TIME, _IN_CLUSTER, Severity.WARNING
)
AZURE_PROVIDERS = Check(
    "azure-providers",
    "The subscription may use the services that are needed",
    _SETUP,
    _CLOUD,
    error=azure_codes.NOT_REGISTERED,
)
AZURE_POLICIES = Check(
    "azure-policies",
    "No policy forbids what setup makes in Azure",
    _SETUP,
    _CLOUD,
    error=azure_codes.POLICY_DENIES,
)
AZURE_PERMISSIONS = Check(
    "azure-permissions",
    "You may do in Azure what setup does",
    _SETUP,
    _CLOUD,
    error=errors.FORBIDDEN,
)
AZURE_READ_PERMISSIONS = Check(
    "azure-read-permissions",
    "You may look at all in Azure that is to be looked at",
    frozenset({When.REGISTER, When.VERIFY}),
    _CLOUD,
    Severity.WARNING,
)
AZURE_ADDRESS_QUOTA = Check(
    "azure-address-quota",
    "The region has room for a public address",
    BEFORE,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=LOAD_BALANCED,
    explains=Cause.QUOTA,
)
AKS_SUBNET_NAMED = Check(
    "aks-subnet-named",
    "The subnet that you named is the cluster's, which may join it",
    BEFORE,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
    explains=Cause.SUBNETS,
)
AZURE_STORAGE_QUOTA = Check(
    "azure-storage-quota",
    "The region has room for a storage account",
    _SETUP,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=frozenset({"storage-account"}),
)
AZURE_STORAGE_ROLE = Check(
    "azure-storage-role",
    "Your role allows what the storage account is for",
    ANY_TIME,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
    breaks=WITHOUT_STORAGE,
)
AZURE_KMS_KEY = Check(
    "azure-kms-key",
    "The key can encrypt the storage account",
    ANY_TIME,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
    breaks=WITHOUT_STORAGE,
)

CHECKS = (
    AKS_WORKLOAD_IDENTITY,
    AZURE_ANYSCALE_IN_TENANT,
    AKS_GPU_LABELS,
    AZURE_PROVIDERS,
    AZURE_POLICIES,
    AZURE_PERMISSIONS,
    AZURE_READ_PERMISSIONS,
    AZURE_ADDRESS_QUOTA,
    AKS_SUBNET_NAMED,
    AZURE_STORAGE_QUOTA,
    AZURE_STORAGE_ROLE,
    AZURE_KMS_KEY,
)
