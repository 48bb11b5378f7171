"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import CloudSide, Made, Storage, entered_with
from anyscale_k8s_cli.providers.coreweave import keys, policy, tags, wording
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.keys import CoreWeaveKeys
from anyscale_k8s_cli.providers.coreweave.policy import BucketPolicy
from anyscale_k8s_cli.providers.objectstore.bucket import AdoptedBucket, Bucket, default_name
from anyscale_k8s_cli.providers.objectstore.own_keys import own_keys
from anyscale_k8s_cli.resource import NotYetKnown, Resource
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.storage_keys import IssuedKeys


@dataclass(frozen=True)
class Built:
    """The objects, and the name of the bucket among them."""

    side: CloudSide
    bucket: str


def build(coreweave: CoreWeave, spec: CloudSpec, install: Install, origin: str) -> Built:
    """What should be there. Nothing is asked of CoreWeave yet."""
    names, given = spec.rules.names, spec.existing.bucket
    usual = names.get("bucket") or default_name(install)
    name = wording.bucket_name(given) if given else usual
    if spec.existing.storage_keys == "use":
        return _with_own_keys(coreweave, spec, install, name, origin)
    access = BucketPolicy(
        coreweave, install, names.get("policy") or policy.default_name(install), name
    )
    issuer = CoreWeaveKeys(coreweave, install, name, spec.rules.tags)
    issued = IssuedKeys(install, issuer, key=keys.key(install), needs=(access,))

    def let_in() -> S3Keys:
        # Without the policy no key opens anything, and says no more than that.
        if access.observed is None or access.diff(access.observed):
            raise NotYetKnown(access)
        return issued.output

    s3 = coreweave.s3(install.region, let_in)
    storage: Resource[Storage]
    if given:
        storage = AdoptedBucket(s3, install, name, origin=origin, needs=(issued,))
    else:
        storage = Bucket(s3, install, name, origin=origin, needs=(issued,))
    side = CloudSide(
        resources=(access, issued, storage),
        storage=storage,
        identity=None,
        service_account_annotations=dict,
        storage_keys=issued,
    )
    return Built(side, name)


def _with_own_keys(
    coreweave: CoreWeave, spec: CloudSpec, install: Install, name: str, origin: str
) -> Built:
    """Nothing of the organisation's is made: no policy and no key."""
    own = own_keys(install)
    s3 = coreweave.s3(install.region, lambda: own.output)
    storage: Resource[Storage]
    if spec.existing.bucket:
        storage = AdoptedBucket(s3, install, name, origin=origin, needs=(own,))
    else:
        storage = Bucket(s3, install, name, origin=origin, needs=(own,))
    return Built(entered_with(own, storage), name)


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    return (
        Made("AI Object Storage bucket", default_name(install), "the cluster's zone"),
        Made(
            "organisation access policy",
            policy.default_name(install),
            "organisation",
            ("s3:* on the bucket, for whoever sets up",),
        ),
        Made(
            "access key",
            tags.key_name(install),
            "organisation",
            (f"ends after {keys.LIFETIME.days} days; setup replaces it before",),
        ),
    )
