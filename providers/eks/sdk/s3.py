"""S3: buckets and their settings. Every call says whose bucket it expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.eks.sdk.session import Session
from anyscale_k8s_cli.providers.eks.sdk.tags import tag_list, tags_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Rule = dict[str, Any]

# A name that can be anybody's: S3 says 403 for a bucket of another account, and
# for one of ours that we may not list.
HIDDEN = frozenset({"403", "AccessDenied", "Forbidden"})
ABSENT = ("404", "NoSuchBucket")
OURS_ALREADY = "BucketAlreadyOwnedByYou"
TAKEN = "BucketAlreadyExists"
ABORTED = "OperationAborted"
_NO_CONSTRAINT = ("InvalidLocationConstraint",)


@dataclass(frozen=True)
class BucketState:
    """What a bucket is set to. Rules are as S3 words them."""

    region: str
    tags: Mapping[str, str]
    versioning: str
    lifecycle: tuple[Rule, ...]
    public_access_block: Mapping[str, bool]
    encryption: str
    kms_key: str
    bucket_key: bool
    ownership: str
    cors: tuple[Rule, ...]


class S3:
    """`account` is who must own every bucket that is touched."""

    def __init__(self, session: Session, account: str) -> None:
        self._session = session
        self._account = account

    @property
    def _client(self) -> S3Client:
        client: S3Client = self._session.client("s3")
        return client

    # -- existence -------------------------------------------------------------

    def region_of(self, bucket: str) -> str | None:
        """The bucket's region; None when there is no such bucket.

        Raises `CloudFailure` (`denied`) for a bucket of somebody else.
        """
        answer = self._session.find(
            "s3",
            lambda: self._client.head_bucket(Bucket=bucket, ExpectedBucketOwner=self._account),
            *ABSENT,
        )
        if answer is None:
            return None
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return str(headers.get("x-amz-bucket-region") or self._session.region)

    def create(self, bucket: str, region: str, tags: Mapping[str, str]) -> None:
        """Make the bucket, in one call with its tags where there are some."""
        configuration: Any = {"LocationConstraint": region}
        if tags:
            configuration["Tags"] = tag_list(tags)
        if not self._create(bucket, configuration):
            # The oldest region alone takes no constraint, not even its own name.
            del configuration["LocationConstraint"]
            self._create(bucket, configuration)

    def _create(self, bucket: str, configuration: Any) -> bool:
        wanted = {"CreateBucketConfiguration": configuration} if configuration else {}
        answer = self._session.find(
            "s3",
            lambda: self._client.create_bucket(Bucket=bucket, **wanted),
            *(_NO_CONSTRAINT if "LocationConstraint" in configuration else ()),
        )
        return answer is not None

    @property
    def tags_at_creation(self) -> bool:
        """Whether this SDK can send tags with CreateBucket (older ones cannot)."""
        shape: Any = self._client.meta.service_model.shape_for("CreateBucketConfiguration")
        return "Tags" in shape.members

    def delete(self, bucket: str) -> None:
        """Remove an empty bucket. Already gone is success."""
        self._session.find(
            "s3",
            lambda: self._client.delete_bucket(Bucket=bucket, ExpectedBucketOwner=self._account),
            *ABSENT,
        )

    def names(self) -> list[str]:
        """The buckets of the account, of all regions."""
        pages = self._client.get_paginator("list_buckets").paginate()
        return self._session.ask(
            "s3", lambda: [item["Name"] for page in pages for item in page.get("Buckets", [])]
        )

    # -- settings, read -----------------------------------------------------------

    def state(self, bucket: str, region: str) -> BucketState:
        """All settings, asked for side by side."""
        tags, versioning, lifecycle, block, encryption, ownership, cors = side_by_side(
            lambda: self.tags(bucket),
            lambda: self._versioning(bucket),
            lambda: self._lifecycle(bucket),
            lambda: self._public_access_block(bucket),
            lambda: self.encryption(bucket),
            lambda: self._ownership(bucket),
            lambda: self.cors(bucket),
        )
        algorithm, key, bucket_key = encryption
        return BucketState(
            region=region,
            tags=tags,
            versioning=versioning,
            lifecycle=tuple(lifecycle),
            public_access_block=block,
            encryption=algorithm,
            kms_key=key,
            bucket_key=bucket_key,
            ownership=ownership,
            cors=tuple(cors),
        )

    def tags(self, bucket: str) -> dict[str, str]:
        answer = self._session.find(
            "s3",
            lambda: self._client.get_bucket_tagging(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
            "NoSuchTagSet",
        )
        return {} if answer is None else tags_of(answer["TagSet"])

    def cors(self, bucket: str) -> list[Rule]:
        answer = self._session.find(
            "s3",
            lambda: self._client.get_bucket_cors(Bucket=bucket, ExpectedBucketOwner=self._account),
            "NoSuchCORSConfiguration",
        )
        return [] if answer is None else [dict(rule) for rule in answer["CORSRules"]]

    def has_policy(self, bucket: str) -> bool:
        answer = self._session.find(
            "s3",
            lambda: self._client.get_bucket_policy(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
            "NoSuchBucketPolicy",
        )
        return answer is not None

    def _versioning(self, bucket: str) -> str:
        answer = self._session.ask(
            "s3",
            lambda: self._client.get_bucket_versioning(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
        )
        return answer.get("Status", "Never enabled")

    def _lifecycle(self, bucket: str) -> list[Rule]:
        answer = self._session.find(
            "s3",
            lambda: self._client.get_bucket_lifecycle_configuration(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
            "NoSuchLifecycleConfiguration",
        )
        return [] if answer is None else [dict(rule) for rule in answer["Rules"]]

    def _public_access_block(self, bucket: str) -> dict[str, bool]:
        answer = self._session.find(
            "s3",
            lambda: self._client.get_public_access_block(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
            "NoSuchPublicAccessBlockConfiguration",
        )
        if answer is None:
            return {}
        return {key: bool(on) for key, on in answer["PublicAccessBlockConfiguration"].items()}

    def encryption(self, bucket: str) -> tuple[str, str, bool]:
        """The algorithm, the key of KMS (or empty), and whether the bucket has a key of its own."""
        answer = self._session.find(
            "s3",
            lambda: self._client.get_bucket_encryption(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
            "ServerSideEncryptionConfigurationNotFoundError",
        )
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
        if not rules:
            return "", "", False
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
        return (
            default.get("SSEAlgorithm", ""),
            default.get("KMSMasterKeyID", ""),
            bool(rules[0].get("BucketKeyEnabled")),
        )

    def _ownership(self, bucket: str) -> str:
        answer = self._session.find(
            "s3",
            lambda: self._client.get_bucket_ownership_controls(
                Bucket=bucket, ExpectedBucketOwner=self._account
            ),
            "OwnershipControlsNotFoundError",
        )
        rules = answer["OwnershipControls"]["Rules"] if answer else []
        return rules[0]["ObjectOwnership"] if rules else "not set"

    # -- settings, written ----------------------------------------------------------

    def put_tags(self, bucket: str, tags: Mapping[str, str]) -> None:
        """All tags of the bucket: what is not among them goes."""
        self._session.ask(
            "s3",
            lambda: self._client.put_bucket_tagging(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                Tagging={"TagSet": tag_list(tags)},
            ),
        )

    def enable_versioning(self, bucket: str) -> None:
        self._session.ask(
            "s3",
            lambda: self._client.put_bucket_versioning(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                VersioningConfiguration={"Status": "Enabled"},
            ),
        )

    def put_lifecycle(self, bucket: str, rules: Sequence[Rule]) -> None:
        configuration: Any = {"Rules": list(rules)}
        self._session.ask(
            "s3",
            lambda: self._client.put_bucket_lifecycle_configuration(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                LifecycleConfiguration=configuration,
            ),
        )

    def put_public_access_block(self, bucket: str, block: Mapping[str, bool]) -> None:
        configuration: Any = dict(block)
        self._session.ask(
            "s3",
            lambda: self._client.put_public_access_block(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                PublicAccessBlockConfiguration=configuration,
            ),
        )

    def put_encryption(self, bucket: str, kms_key: str | None) -> None:
        """By S3's own keys, or by a key of KMS."""
        rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        if kms_key:
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
            # One data key per bucket and while: without, KMS is asked for each object.
            rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
        self._session.ask(
            "s3",
            lambda: self._client.put_bucket_encryption(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                ServerSideEncryptionConfiguration={"Rules": [rule]},
            ),
        )

    def put_ownership(self, bucket: str, ownership: str) -> None:
        rule: Any = {"ObjectOwnership": ownership}
        self._session.ask(
            "s3",
            lambda: self._client.put_bucket_ownership_controls(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                OwnershipControls={"Rules": [rule]},
            ),
        )

    def put_cors(self, bucket: str, rules: Sequence[Rule]) -> None:
        configuration: Any = {"CORSRules": list(rules)}
        self._session.ask(
            "s3",
            lambda: self._client.put_bucket_cors(
                Bucket=bucket,
                ExpectedBucketOwner=self._account,
                CORSConfiguration=configuration,
            ),
        )
