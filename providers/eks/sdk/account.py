"""What is asked about the account as a whole: objects by tag, quotas, keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.providers.eks.sdk.session import Session
from anyscale_k8s_cli.providers.eks.sdk.tags import tags_of

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_resourcegroupstaggingapi.client import ResourceGroupsTaggingAPIClient
    from mypy_boto3_service_quotas.client import ServiceQuotasClient


@dataclass(frozen=True)
class Tagged:
    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class KmsKey:
    arn: str
    state: str
    symmetric: bool


KEY_ABSENT = "NotFoundException"


class AccountWide:
    def __init__(self, session: Session) -> None:
        self._session = session

    def tagged(self, tags: Mapping[str, str], types: Sequence[str]) -> list[Tagged]:
        """The region's objects of these types that carry all the tags. IAM is not among them."""
        client: ResourceGroupsTaggingAPIClient = self._session.client("resourcegroupstaggingapi")
        filters: Any = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        kinds: Any = list(types)
        pages = client.get_paginator("get_resources").paginate(
            TagFilters=filters, ResourceTypeFilters=kinds
        )
        return self._session.ask(
            "resourcegroupstaggingapi",
            lambda: [
                Tagged(item.get("ResourceARN", ""), tags_of(item.get("Tags", [])))
                for page in pages
                for item in page["ResourceTagMappingList"]
            ],
        )

    def quota(self, service: str, code: str) -> float:
        """A limit of the account in this region."""
        client: ServiceQuotasClient = self._session.client("service-quotas")
        answer = self._session.ask(
            "service-quotas",
            lambda: client.get_service_quota(ServiceCode=service, QuotaCode=code),
        )
        return answer["Quota"]["Value"]

    def kms_key_arn(self, key: str) -> str:
        """The ARN of a key given by id, alias or ARN."""
        return self.kms_key(key).arn

    def kms_key(self, key: str) -> KmsKey:
        """A key given by id, alias or ARN. Raises `AwsFailure` with KEY_ABSENT for none."""
        client: KMSClient = self._session.client("kms")
        answer = self._session.ask("kms", lambda: client.describe_key(KeyId=key))
        about = answer["KeyMetadata"]
        symmetric = about.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
        return KmsKey(about["Arn"], about.get("KeyState", "Enabled"), symmetric)
