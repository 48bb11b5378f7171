"""The checks that hold on every platform. A provider declares its own likewise."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import AFTER, ANY_TIME, BEFORE, Check, Need, Severity, When

_CLUSTER = frozenset({Need.CLUSTER})
_INSTALLED = frozenset({Need.CLUSTER, Need.OPERATOR})

CLUSTER_REACHABLE = Check(
    "cluster-reachable",
    "The cluster answers and knows who is asking",
    ANY_TIME | {When.DOCTOR},
    _CLUSTER,
    error=errors.CLUSTER_UNREACHABLE,
)
CLUSTER_VERSION = Check(
    "cluster-version",
    "The Kubernetes version is one that was tested",
    ANY_TIME,
    _CLUSTER,
    Severity.WARNING,
)
CLUSTER_RIGHTS = Check(
    "cluster-rights",
    "Everything that setup writes may be written",
    BEFORE,
    _CLUSTER,
    error=errors.CLUSTER_FORBIDDEN,
)
NAMESPACE_POD_SECURITY = Check(
    "namespace-pod-security",
    "Privileged pods may run in the operator's namespace",
    ANY_TIME,
    _CLUSTER,
    error=errors.ADOPTED_UNFIT,
)
OPERATOR_CAPACITY = Check(
    "operator-capacity",
    "A node has room for the operator",
    BEFORE,
    _CLUSTER,
    Severity.WARNING,
)
INSTANCE_TYPES_FIT = Check(
    "instance-types-fit",
    "Some node can satisfy each instance type",
    ANY_TIME,
    _CLUSTER,
    Severity.WARNING,
)
OPERATOR_TOKEN = Check(
    "operator-token",
    "The operator's token is valid",
    BEFORE | AFTER,
    frozenset({Need.CLUSTER, Need.CONTROL_PLANE}),
    error=errors.TOKEN_LIFETIME,
)
OPERATOR_REGISTRATION = Check(
    "operator-registration",
    "The operator is bound to the registration",
    AFTER,
    _INSTALLED | {Need.CLOUD, Need.CONTROL_PLANE},
)
OPERATOR_IDENTITY = Check(
    "operator-identity",
    "The operator's identity admits it",
    AFTER,
    frozenset({Need.CLOUD}),
)
OPERATOR_STORAGE = Check(
    "operator-storage",
    "The bucket is there and fits",
    AFTER,
    frozenset({Need.CLOUD, Need.CONTROL_PLANE}),
)
OPERATOR_GATEWAY = Check(
    "operator-gateway",
    "Users reach the gateway where it is told",
    AFTER,
    _INSTALLED,
)
OPERATOR_WORKLOAD = Check("operator-workload", "The operator runs", AFTER, _INSTALLED)

CHECKS = (
    CLUSTER_REACHABLE,
    CLUSTER_VERSION,
    CLUSTER_RIGHTS,
    NAMESPACE_POD_SECURITY,
    OPERATOR_CAPACITY,
    INSTANCE_TYPES_FIT,
    OPERATOR_REGISTRATION,
    OPERATOR_IDENTITY,
    OPERATOR_TOKEN,
    OPERATOR_STORAGE,
    OPERATOR_GATEWAY,
    OPERATOR_WORKLOAD,
)
