"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import CloudSide, Cluster, Identity, Made, PolicyDocument
from anyscale_k8s_cli.providers.gcs import bucket
from anyscale_k8s_cli.providers.gcs.bucket import AdoptedBucket, Bucket
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes, told, wanted
from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant
from anyscale_k8s_cli.providers.gcs.sdk.storage import Settings
from anyscale_k8s_cli.providers.gcs.wording import bucket_name
from anyscale_k8s_cli.providers.gke import labels, policies, tags
from anyscale_k8s_cli.providers.gke.bucket_access import AdoptedAccess, BucketAccess
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.identity import AdoptedAccount, OperatorAccount, default_id
from anyscale_k8s_cli.providers.gke.proof import Proof
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import CloudSpec


@dataclass(frozen=True)
class Names:
    """What setup will make: a bucket and an account's id, empty for what the user has already."""

    bucket: str
    account: str


def names(spec: CloudSpec, install: Install) -> Names:
    given, existing = spec.rules.names, spec.existing
    return Names(
        bucket="" if existing.bucket else given.get("bucket") or bucket.default_name(install),
        account="" if existing.identity else given.get("service-account") or default_id(install),
    )


def build(
    google: Google,
    spec: CloudSpec,
    cluster: Cluster,
    install: Install,
    console_origin: str,
    dropped_tags: Mapping[str, str],
) -> CloudSide:
    """What should be there. Nothing is asked of Google yet."""
    storage = _storage(google, spec, install, console_origin, dropped_tags)
    account = _account(google, spec, cluster, install)
    patience = spec.timeouts.identity
    access: Resource[Identity]
    if isinstance(storage, AdoptedBucket):
        access = AdoptedAccess(google, install, storage, account)
    else:
        access = BucketAccess(
            google, install, storage, account.output, patience, needs=(storage, account)
        )
    return CloudSide(
        resources=(storage, account, access),
        storage=storage,
        identity=access,
        service_account_annotations=lambda: {labels.SERVICE_ACCOUNT_ANNOTATION: access.output.helm},
        prove_identity=Proof(google, cluster, account.output, storage.name, patience),
    )


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    twin = policies.operator_member("<project>.svc.id.goog", install.namespace)
    return (
        Made(
            "Cloud Storage bucket",
            bucket.default_name(install),
            "the cluster's region",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
        ),
        Made(
            "service account",
            default_id(install),
            "project",
            (
                f"{policies.WORKLOAD_IDENTITY_USER} on it for {twin}",
                f"{policies.TOKEN_CREATOR} on it for itself",
            ),
            named="service-account",
            unless=("existing.identity",),
        ),
        Made(
            "roles in the bucket's policy",
            "of the service account",
            "the bucket",
            policies.BUCKET_ROLES,
            unless=("existing.bucket",),
        ),
    )


def grants(spec: CloudSpec, install: Install, bucket: str) -> Iterator[PolicyDocument]:
    """Who may act as the account, and what it may, before the project is known."""
    made = names(spec, install).account
    email = spec.existing.identity or f"{made}@<project>.iam.gserviceaccount.com"
    pool = "<project>.svc.id.goog"
    if not spec.existing.identity:
        held = policies.on_account(email, pool, install.namespace)
        yield policies.document(f"who may act as {email}", _bindings(held))
    if not spec.existing.bucket:
        held = policies.on_bucket(email)
        yield policies.document(f"roles on the bucket {bucket}", _bindings(held))


def _bindings(granted: Iterable[Grant]) -> list[dict[str, Any]]:
    return [{"role": item.role, "members": [item.member]} for item in granted]


def protection(spec: CloudSpec) -> dict[str, str]:
    wishes = BucketWishes({}, "", spec.rules.kms_key)
    return told(wanted(Settings(), wishes))


def _storage(
    google: Google,
    spec: CloudSpec,
    install: Install,
    console_origin: str,
    dropped_tags: Mapping[str, str],
) -> Bucket | AdoptedBucket:
    if given := spec.existing.bucket:
        return AdoptedBucket(google, install, bucket_name(given), console_origin)
    rules = spec.rules
    wishes = BucketWishes(
        tags.labels(install, rules.tags), console_origin, rules.kms_key, dropped_tags
    )
    name = names(spec, install).bucket
    return Bucket(google, install, name, wishes, location=install.region)


def _account(google: Google, spec: CloudSpec, cluster: Cluster, install: Install) -> Resource[str]:
    facts: GkeFacts = cluster.facts
    if given := spec.existing.identity:
        return AdoptedAccount(google, install, given, facts.workload_pool)
    made, patience = names(spec, install).account, spec.timeouts.identity
    return OperatorAccount(google, install, made, facts.workload_pool, patience)
