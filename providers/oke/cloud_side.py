"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from collections.abc import Mapping

from anyscale_k8s_cli.cloud_side import CloudSide, entered_with
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Made, PolicyDocument
from anyscale_k8s_cli.providers.objectstore.own_keys import own_keys
from anyscale_k8s_cli.providers.oke import bucket, bucket_access, keys, named, tags, wording
from anyscale_k8s_cli.providers.oke.bucket import AdoptedBucket, Bucket
from anyscale_k8s_cli.providers.oke.bucket_access import BucketPolicy, rights
from anyscale_k8s_cli.providers.oke.identity import AdoptedUser, Group, User
from anyscale_k8s_cli.providers.oke.keys import SecretKeys
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.resource import NO_TAGS, Resource
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.storage_keys import IssuedKeys

_OWN_KEYS = ("existing.storage_keys",)


def build(
    oracle: Oracle, spec: CloudSpec, install: Install, dropped_tags: Mapping[str, str] = NO_TAGS
) -> CloudSide:
    """What should be there. Nothing is asked of Oracle yet."""
    given, existing = spec.rules.names, spec.existing
    wanted, usual = tags.tags(install, spec.rules.tags, dropped_tags), named.default_name(install)
    storage: Bucket | AdoptedBucket
    if existing.bucket:
        storage = AdoptedBucket(oracle, install, wording.bucket_name(existing.bucket))
    else:
        name = given.get("bucket") or bucket.default_name(install)
        storage = Bucket(oracle, install, name, wanted)
    if existing.storage_keys == "use":
        return entered_with(own_keys(install), storage)
    user: Resource[str]
    if existing.identity:
        user = AdoptedUser(oracle, install, existing.identity)
    else:
        user = User(oracle, install, given.get("user") or usual, wanted)
    group = Group(oracle, install, given.get("group") or usual, wanted, user)
    policy = BucketPolicy(
        oracle, install, given.get("policy") or usual, wanted, group, storage, storage
    )
    issued = IssuedKeys(
        install,
        SecretKeys(oracle, install, user, storage.name),
        key=keys.key(install),
        title="customer secret key of the object store",
        needs=(user, policy, storage),
    )
    return CloudSide(
        resources=(storage, user, group, policy, issued),
        storage=storage,
        identity=None,
        service_account_annotations=dict,
        storage_keys=issued,
    )


def makes(install: Install) -> list[Made]:
    usual = named.default_name(install)
    return [
        Made(
            "Object Storage bucket",
            bucket.default_name(install),
            "compartment",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
        ),
        Made(
            "user",
            usual,
            "tenancy",
            named="user",
            unless=("existing.identity", "existing.storage_keys"),
        ),
        Made("group, with the user in it", usual, "tenancy", named="group", unless=_OWN_KEYS),
        Made("policy", usual, "compartment", tuple(rights()), named="policy", unless=_OWN_KEYS),
        Made(
            "customer secret key",
            "of the user",
            "tenancy",
            ("lasts until it is revoked",),
            unless=_OWN_KEYS,
        ),
    ]


def grants(spec: CloudSpec, install: Install, bucket_name: str) -> tuple[PolicyDocument, ...]:
    """The policy, before anything has an id."""
    if spec.existing.storage_keys == "use":
        return ()
    name = spec.rules.names.get("policy") or named.default_name(install)
    found = bucket_access.statements("<group>", "<compartment>", bucket_name)
    return (bucket_access.document(name, found),)


def protection() -> dict[str, str]:
    return bucket.protection_of_ours()
