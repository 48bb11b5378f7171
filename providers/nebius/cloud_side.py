"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.cloud_side import CloudSide, entered_with
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Made, PolicyDocument
from anyscale_k8s_cli.providers.nebius import bucket, bucket_access, identity, keys, tags, wording
from anyscale_k8s_cli.providers.nebius.bucket import AdoptedBucket, Bucket
from anyscale_k8s_cli.providers.nebius.bucket_access import BUCKET_ROLES, BucketAccess
from anyscale_k8s_cli.providers.nebius.bucket_settings import BucketWishes, told, wanted
from anyscale_k8s_cli.providers.nebius.identity import AdoptedAccount, OperatorAccount
from anyscale_k8s_cli.providers.nebius.keys import NebiusKeys
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.iam import Grant
from anyscale_k8s_cli.providers.nebius.sdk.storage import Settings
from anyscale_k8s_cli.providers.objectstore.own_keys import own_keys
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.storage_keys import IssuedKeys


@dataclass(frozen=True)
class Names:
    """What setup will make, empty for what the user has already."""

    bucket: str
    account: str
    group: str


def names(spec: CloudSpec, install: Install) -> Names:
    given, existing = spec.rules.names, spec.existing
    usual_account = given.get("service-account") or identity.default_name(install)
    return Names(
        bucket="" if existing.bucket else given.get("bucket") or bucket.default_name(install),
        account="" if existing.identity else usual_account,
        group=given.get("group") or bucket_access.default_name(install),
    )


def build(
    nebius: Nebius,
    spec: CloudSpec,
    install: Install,
    console_origin: str,
    dropped_tags: Mapping[str, str] = NO_TAGS,
) -> CloudSide:
    """What should be there. Nothing is asked of Nebius yet."""
    made, labels = names(spec, install), tags.labels(install, spec.rules.tags, dropped_tags)
    storage: Bucket | AdoptedBucket
    if given := spec.existing.bucket:
        storage = AdoptedBucket(nebius, install, wording.bucket_name(given), console_origin)
    else:
        storage = Bucket(nebius, install, made.bucket, BucketWishes(labels, console_origin))
    if spec.existing.storage_keys == "use":
        return entered_with(own_keys(install), storage)
    account: Resource[str]
    if spec.existing.identity:
        account = AdoptedAccount(nebius, install, spec.existing.identity)
    else:
        account = OperatorAccount(nebius, install, made.account, labels)
    access = BucketAccess(nebius, install, made.group, labels, storage, account)
    issued = IssuedKeys(
        install,
        NebiusKeys(nebius, install, account, storage.name, labels.wanted),
        key=keys.key(install),
        needs=(account, access),
    )
    return CloudSide(
        resources=(storage, account, access, issued),
        storage=storage,
        identity=None,
        service_account_annotations=dict,
        storage_keys=issued,
    )


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    account = identity.default_name(install)
    return (
        Made(
            "Object Storage bucket",
            bucket.default_name(install),
            "project",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
        ),
        Made(
            "service account",
            account,
            "project",
            named="service-account",
            unless=("existing.identity", "existing.storage_keys"),
        ),
        Made(
            "group, with the service account in it",
            bucket_access.default_name(install),
            "project",
            tuple(f"{role} on the bucket" for role in BUCKET_ROLES),
            named="group",
            unless=("existing.storage_keys",),
        ),
        Made(
            "access key",
            "of the service account",
            "project",
            (f"ends after {keys.LIFETIME.days} days; setup replaces it before",),
            unless=("existing.storage_keys",),
        ),
    )


def grants(spec: CloudSpec, install: Install, bucket: str) -> tuple[PolicyDocument, ...]:
    """The group's, before anything has an id."""
    if spec.existing.storage_keys == "use":
        return ()
    permits = [Grant("", f"bucket {bucket}", role) for role in BUCKET_ROLES]
    member = spec.existing.identity or "<the service account>"
    return (bucket_access.document(names(spec, install).group, [member], permits),)


def protection() -> dict[str, str]:
    return told(wanted(Settings(), BucketWishes(tags.NO_LABELS, "")))
