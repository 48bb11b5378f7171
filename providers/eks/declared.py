"""The checks of the AWS side, by name; `checks.py` has what they do. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import ANY_TIME, BEFORE, Check, Need, Severity, When
from anyscale_k8s_cli.checks.declared import WITHOUT_IDENTITY, WITHOUT_STORAGE
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.resource import LOAD_BALANCED
from anyscale_k8s_cli.troubles import Cause

_SETUP = frozenset({When.SETUP})
_CLOUD = frozenset({Need.CLOUD})
_NETWORK = frozenset({Need.CLOUD, Need.CLUSTER})

AWS_PERMISSIONS = Check(
    "aws-permissions", "You may do in AWS what setup does", _SETUP, _CLOUD, error=errors.FORBIDDEN
)
AWS_READ_PERMISSIONS = Check(
    "aws-read-permissions",
    "You may look at all in AWS that is to be looked at",
    frozenset({When.REGISTER, When.VERIFY}),
    _CLOUD,
    Severity.WARNING,
)
AWS_LOAD_BALANCER_QUOTA = Check(
    "aws-load-balancer-quota",
    "The region has room for a Network Load Balancer",
    BEFORE,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=LOAD_BALANCED,
    explains=Cause.QUOTA,
)
AWS_KMS_KEY = Check(
    "aws-kms-key",
    "The key can encrypt the bucket",
    ANY_TIME,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
    breaks=WITHOUT_STORAGE,
)
AWS_PERMISSIONS_BOUNDARY = Check(
    "aws-permissions-boundary",
    "The permissions boundary is there and allows what the roles need",
    ANY_TIME,
    _CLOUD,
    error=errors.ADOPTED_UNFIT,
)
EKS_POD_IDENTITY_AGENT = Check(
    "eks-pod-identity-agent",
    "The agent of EKS Pod Identity runs",
    ANY_TIME,
    _CLOUD,
    error=codes.POD_IDENTITY_AGENT_MISSING,
    breaks=WITHOUT_IDENTITY,
)
AWS_ROLE_QUOTA = Check(
    "aws-role-quota",
    "The account has room for a role",
    _SETUP,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=frozenset({"iam-role"}),
)
AWS_BUCKET_QUOTA = Check(
    "aws-bucket-quota",
    "The account has room for a bucket",
    _SETUP,
    _CLOUD,
    error=errors.NO_ROOM,
    adds=frozenset({"s3-bucket"}),
)
EKS_SUBNETS_NAMED = Check(
    "eks-subnets-named",
    "The subnets that you named are the cluster's",
    BEFORE,
    _NETWORK,
    error=errors.ADOPTED_UNFIT,
    explains=Cause.SUBNETS,
)
EKS_SUBNET_TAGS = Check(
    "eks-subnet-tags",
    "Subnets for the load balancer can be found",
    BEFORE,
    _NETWORK,
    Severity.WARNING,
    explains=Cause.SUBNETS,
)

CHECKS = (
    AWS_PERMISSIONS,
    AWS_READ_PERMISSIONS,
    AWS_LOAD_BALANCER_QUOTA,
    AWS_KMS_KEY,
    AWS_PERMISSIONS_BOUNDARY,
    EKS_POD_IDENTITY_AGENT,
    AWS_ROLE_QUOTA,
    AWS_BUCKET_QUOTA,
    EKS_SUBNETS_NAMED,
    EKS_SUBNET_TAGS,
)
