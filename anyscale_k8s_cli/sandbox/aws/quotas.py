"""Service quotas: the few that an installation may run into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation


@dataclass(frozen=True, slots=True)
class Quota:
    service: str
    code: str
    name: str
    value: float
    adjustable: bool = True


# Defaults as AWS publishes them; the vCPU quotas as an account in use has them.
QUOTAS = (
    Quota(
        "ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 640
    ),
    Quota("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 64),
    Quota("ec2", "L-417A185B", "Running On-Demand P instances", 0),
    Quota("ec2", "L-3819A6DF", "All G and VT Spot Instance Requests", 64),
    Quota("ec2", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 0),
    Quota(
        "ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 640
    ),
    Quota("elasticloadbalancing", "L-69A177A2", "Network Load Balancers per Region", 50),
    Quota("elasticloadbalancing", "L-E9E9831D", "Classic Load Balancers per Region", 20),
    Quota("eks", "L-1194D53C", "Clusters", 100),
    Quota("iam", "L-FE177D64", "Roles per account", 1000),
    Quota("iam", "L-858F3967", "OpenId connect providers per account", 100),
    Quota("s3", "L-DC2B2D3D", "General purpose buckets", 10000),
    Quota("vpc", "L-E79EC296", "VPC security groups per Region", 2500),
)


@dataclass(frozen=True)
class Quotas:
    """`limits` has those that are not as AWS begins with them, by code."""

    account: Account
    limits: Mapping[str, float]

    def operations(self) -> Mapping[str, Operation]:
        return {
            "GetServiceQuota": self.get,
            "GetAWSDefaultServiceQuota": self.get,
            "ListServiceQuotas": self.list,
            "ListAWSDefaultServiceQuotas": self.list,
        }

    def get(self, inquiry: Inquiry) -> Answer:
        for quota in self._of(inquiry["ServiceCode"]):
            if quota.code == inquiry["QuotaCode"]:
                return {"Quota": self._described(quota, inquiry.region)}
        raise _missing()

    def list(self, inquiry: Inquiry) -> Answer:
        quotas = self._of(inquiry["ServiceCode"])
        if not quotas:
            raise _missing()
        return {"Quotas": [self._described(quota, inquiry.region) for quota in quotas]}

    def _of(self, service: str) -> tuple[Quota, ...]:
        return tuple(quota for quota in QUOTAS if quota.service == service)

    def _described(self, quota: Quota, region: str) -> dict[str, Any]:
        path = f"{quota.service}/{quota.code}"
        return {
            "ServiceCode": quota.service,
            "ServiceName": quota.service,
            "QuotaArn": self.account.arn("servicequotas", path, region),
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": self.limits.get(quota.code, quota.value),
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": quota.service == "iam",
        }


def _missing() -> AwsError:
    return AwsError(
        400,
        "NoSuchResourceException",
        "The request failed because the specified service does not exist.",
    )
