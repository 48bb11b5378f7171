"""One account inside moto: the only module that knows moto's objects.

moto keeps the state of all accounts of a process in module-level dictionaries;
a stand-in uses an account of its own and removes it when it ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from anyscale_k8s_cli.sandbox.aws.policy import Document

_ENCRYPTION = {
    "Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
}
_OWNERSHIP = "BucketOwnerEnforced"
_PUBLIC_ACCESS = (
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
)


@dataclass(frozen=True, slots=True)
class BucketState:
    """What settings of a bucket mean for other requests."""

    arn: str
    refuses_acls: bool
    blocks_public_policies: bool


class Account:
    """IAM and S3 of one account, as moto holds them."""

    def __init__(self, account_id: str, region: str) -> None:
        self.id = account_id
        self.partition = get_partition(region)

    @property
    def iam(self) -> Any:
        return iam_backends[self.id][self.partition]

    @property
    def s3(self) -> Any:
        return s3_backends[self.id][self.partition]

    @staticmethod
    def in_use(account_id: str) -> bool:
        """Whether this process already holds a world for the account."""
        return account_id in set(iam_backends) | set(s3_backends)

    def remove(self) -> None:
        """Forget everything in the account."""
        for bucket in self.s3.buckets.values():
            for _, versions in bucket.keys.lists():
                for version in versions:
                    if hasattr(version, "dispose"):
                        version.dispose()
            for upload in bucket.multiparts.values():
                upload.dispose()
            s3_backends.bucket_accounts.pop(bucket.name, None)
        for backends in (s3_backends, iam_backends):
            if self.id in set(backends):
                del backends[self.id]

    def arn(self, service: str, resource: str, region: str = "") -> str:
        account = "" if service == "s3" else self.id
        return f"arn:{self.partition}:{service}:{region}:{account}:{resource}"

    # -- IAM ---------------------------------------------------------------

    def user_of_key(self, access_key: str) -> tuple[Any, Any] | None:
        """The user and the active key with this id."""
        for user in self.iam.users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key and key.status == "Active":
                    return user, key
        return None

    def role(self, name: str) -> Any | None:
        return next((role for role in self.iam.roles.values() if role.name == name), None)

    def role_by_id(self, role_id: str) -> Any | None:
        return self.iam.roles.get(role_id)

    def roles(self) -> list[Any]:
        return list(self.iam.roles.values())

    def entity(self, arn: str) -> Any | None:
        """The user or role with this ARN; an assumed role's ARN means its role."""
        session = f"arn:{self.partition}:sts::{self.id}:assumed-role/"
        if arn.startswith(session):
            return self.role(arn.removeprefix(session).split("/")[0])
        entities = [*self.iam.users.values(), *self.iam.roles.values()]
        return next((entity for entity in entities if entity.arn == arn), None)

    def policies(self, entity: Any) -> list[Document]:
        """The inline and attached policies of a user or role, a user's groups included."""
        holders = [entity]
        if hasattr(entity, "access_keys"):
            holders += self.iam.get_groups_for_user(entity.name)
        return [
            document
            for holder in holders
            for document in (
                *(_parsed(text) for text in holder.policies.values()),
                *(self.managed_document(policy) for policy in holder.managed_policies.values()),
            )
        ]

    def boundary(self, entity: Any) -> list[Document] | None:
        """The permissions boundary; one that no longer exists allows nothing."""
        arn = getattr(entity, "permissions_boundary_arn", None)
        if not arn:
            return None
        policy = self.iam.managed_policies.get(arn)
        return [self.managed_document(policy)] if policy else []

    def trust(self, role: Any) -> Document:
        return _parsed(role.assume_role_policy_document)

    def managed_policy(self, arn: str) -> Any | None:
        return self.iam.managed_policies.get(arn)

    @staticmethod
    def managed_document(policy: Any) -> Document:
        """The version of a managed policy that counts."""
        version = policy.default_version_id
        return next(_parsed(v.document) for v in policy.versions if v.version_id == version)

    def oidc_provider(self, issuer: str) -> Any | None:
        """The provider registered for an issuer's URL."""
        wanted = issuer.removeprefix("https://").rstrip("/")
        for provider in self.iam.open_id_providers.values():
            if provider.url.rstrip("/") == wanted:
                return provider
        return None

    def oidc_providers(self) -> list[Any]:
        return list(self.iam.open_id_providers.values())

    def replace_user_policies(self, user_name: str, documents: Sequence[Document]) -> None:
        user = self.iam.get_user(user_name)
        user.policies.clear()
        for number, document in enumerate(documents):
            user.put_policy(f"policy-{number}", json.dumps(document))

    # -- S3 ----------------------------------------------------------------

    @staticmethod
    def bucket_owner(name: str) -> str | None:
        """The account that has the bucket of this name; names are global."""
        owner = s3_backends.bucket_accounts.get(name)
        return owner[1] if owner else None

    def bucket(self, name: str) -> Any | None:
        """The bucket of this name, whoever owns it."""
        owner = s3_backends.bucket_accounts.get(name)
        return s3_backends[owner[1]][owner[0]].buckets.get(name) if owner else None

    def buckets(self) -> list[Any]:
        return list(self.s3.buckets.values())

    @staticmethod
    def bucket_state(bucket: Any) -> BucketState:
        block = bucket.public_access_block
        return BucketState(
            arn=bucket.arn,
            refuses_acls=bucket.ownership_rule == _OWNERSHIP,
            blocks_public_policies=block is not None and block.block_public_policy,
        )

    def bucket_policy(self, bucket: Any) -> Document | None:
        return _parsed(bucket.policy.decode()) if bucket.policy else None

    @staticmethod
    def bucket_key(bucket: Any) -> str | None:
        """The KMS key that encrypts the bucket by default, as it was named."""
        rule = (bucket.encryption or {}).get("Rule") or {}
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        key: str | None = default.get("KMSMasterKeyID")
        return key

    def bucket_tags(self, bucket: Any) -> dict[str, str]:
        tags: dict[str, str] = self.s3.tagger.get_tag_dict_for_resource(bucket.arn)
        return tags

    def complete_bucket(self, name: str, tags: Mapping[str, str]) -> None:
        """Give a new bucket what S3 gives every new bucket, and the tags of its creation.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html
        """
        self.s3.put_bucket_encryption(name, _ENCRYPTION)
        self.s3.put_public_access_block(name, dict.fromkeys(_PUBLIC_ACCESS, True))
        if self.s3.get_bucket_ownership_controls(name) is None:
            self.s3.put_bucket_ownership_controls(name, _OWNERSHIP)
        if tags:
            self.s3.put_bucket_tagging(name, dict(tags))

    @staticmethod
    def object_versions(bucket: Any) -> Iterator[Any]:
        """All versions and delete markers of all keys, oldest first within a key."""
        for _, versions in bucket.keys.lists():
            # moto fails half-way when an object with a delete marker is deleted while
            # versioning is suspended: what it has thrown away by then it lists for ever.
            yield from (item for item in versions if not getattr(item, "disposed", False))


def _parsed(text: str) -> Document:
    # moto stores what the client sent, and some clients send it quoted for URLs.
    document: Document = json.loads(text if text.lstrip().startswith("{") else unquote(text))
    return document
