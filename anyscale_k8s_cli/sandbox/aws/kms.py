"""KMS: the customer's keys exist, can be described and disabled; nothing is encrypted with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.seed import KmsKeySeed
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation


@dataclass(frozen=True)
class Kms:
    account: Account
    seeds: tuple[KmsKeySeed, ...]
    disabled: set[str] = field(default_factory=set)

    def operations(self) -> Mapping[str, Operation]:
        return {"DescribeKey": self.describe}

    def describe(self, inquiry: Inquiry) -> Answer:
        arn = self.arn(inquiry["KeyId"], inquiry.region)
        if arn is None:
            what = inquiry["KeyId"]
            message = f"Key '{what}' does not exist"
            raise AwsError(400, "NotFoundException", message)
        return {
            "KeyMetadata": {
                "AWSAccountId": self.account.id,
                "KeyId": arn.rpartition("/")[2],
                "Arn": arn,
                "Enabled": arn not in self.disabled,
                "KeyUsage": "ENCRYPT_DECRYPT",
                "KeyState": "Disabled" if arn in self.disabled else "Enabled",
                "Origin": "AWS_KMS",
                "KeyManager": "CUSTOMER",
                "KeySpec": "SYMMETRIC_DEFAULT",
                "MultiRegion": False,
            }
        }

    def arn(self, key: str, region: str) -> str | None:
        """The ARN of a key given by id, ARN or alias; None if there is none in the region."""
        for seed in self.seeds:
            arn = self.account.arn("kms", f"key/{seed.id}", seed.region)
            alias = f"alias/{seed.alias}"
            names = {seed.id, arn, alias, self.account.arn("kms", alias, seed.region)}
            if key in names and seed.region == region:
                return arn
        return None
