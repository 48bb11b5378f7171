"""KMS: the customer's keys are made, listed, described and disabled; nothing is encrypted with
them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.seed import KmsKeySeed
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation


@dataclass(frozen=True)
class Kms:
    account: Account
    seeds: list[KmsKeySeed]
    disabled: set[str] = field(default_factory=set)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateAlias": self.create_alias,
            "CreateKey": self.create,
            "DescribeKey": self.describe,
            "ListAliases": self.list_aliases,
            "ListKeys": self.list_keys,
        }

    def create(self, inquiry: Inquiry) -> Answer:
        seed = KmsKeySeed(str(uuid.uuid4()), inquiry.region)
        self.seeds.append(seed)
        return self._told(self._own_arn(seed))

    def create_alias(self, inquiry: Inquiry) -> Answer:
        name, arn = inquiry["AliasName"], self._found(inquiry["TargetKeyId"], inquiry.region)
        if self.arn(name, inquiry.region) is not None:
            message = (
                f"An alias with the name {self._alias_arn(name, inquiry.region)} already exists"
            )
            raise AwsError(400, "AlreadyExistsException", message)
        alias = name.removeprefix("alias/")
        self.seeds.append(KmsKeySeed(arn.rpartition("/")[2], inquiry.region, alias))
        return {}

    def list_keys(self, inquiry: Inquiry) -> Answer:
        arns = dict.fromkeys(map(self._own_arn, self._of(inquiry.region)))
        keys = [{"KeyId": arn.rpartition("/")[2], "KeyArn": arn} for arn in arns]
        return {"Keys": keys, "Truncated": False}

    def list_aliases(self, inquiry: Inquiry) -> Answer:
        wanted = inquiry.get("KeyId")
        of = self._found(wanted, inquiry.region) if wanted else None
        aliases = [
            {
                "AliasName": f"alias/{seed.alias}",
                "AliasArn": self._alias_arn(f"alias/{seed.alias}", seed.region),
                "TargetKeyId": seed.id,
            }
            for seed in self._of(inquiry.region)
            if seed.alias and of in (None, self._own_arn(seed))
        ]
        return {"Aliases": aliases, "Truncated": False}

    def describe(self, inquiry: Inquiry) -> Answer:
        return self._told(self._found(inquiry["KeyId"], inquiry.region))

    def _found(self, key: str, region: str) -> str:
        arn = self.arn(key, region)
        if arn is None:
            raise AwsError(400, "NotFoundException", f"Key '{key}' does not exist")
        return arn

    def _of(self, region: str) -> list[KmsKeySeed]:
        return [seed for seed in self.seeds if seed.region == region]

    def _own_arn(self, seed: KmsKeySeed) -> str:
        return self.account.arn("kms", f"key/{seed.id}", seed.region)

    def _alias_arn(self, name: str, region: str) -> str:
        return self.account.arn("kms", name, region)

    def _told(self, arn: str) -> Answer:
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
        for seed in self._of(region):
            arn, alias = self._own_arn(seed), f"alias/{seed.alias}"
            if key in {seed.id, arn, alias, self._alias_arn(alias, region)}:
                return arn
        return None
