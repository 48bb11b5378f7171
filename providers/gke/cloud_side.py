"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import CloudSide, Cluster, Identity, Storage
from anyscale_k8s_cli.providers.gke import bucket, bucket_access, identity, labels, tags
from anyscale_k8s_cli.providers.gke.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.proof import Proof
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import CloudSpec

# https://cloud.google.com/storage/docs/buckets#naming
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_EMAIL = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9.-]+")


def build(
    google: Google, spec: CloudSpec, cluster: Cluster, install: Install, console_origin: str
) -> CloudSide:
    """What should be there. Nothing is asked of Google yet."""
    builder = _Builder(google, spec, cluster, install, console_origin)
    return CloudSide(
        resources=(builder.storage, builder.account, builder.access),
        storage=builder.storage,
        identity=builder.access,
        service_account_annotations=lambda: {
            labels.SERVICE_ACCOUNT_ANNOTATION: builder.access.output.helm
        },
        prove_identity=Proof(
            google, builder.facts, builder.email, builder.bucket_name, spec.timeouts.identity
        ),
    )


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name or `gs://name`; empty if in none."""
    name = given.removeprefix("gs://").rstrip("/")
    return name if _BUCKET_NAME.fullmatch(name) else ""


def is_email(given: str) -> bool:
    """Whether it can be the e-mail of a service account."""
    return bool(_EMAIL.fullmatch(given))


def own_bucket(spec: CloudSpec, install: Install) -> str:
    """The name of the bucket that setup makes; empty with one of the user's."""
    if spec.existing.bucket:
        return ""
    return spec.rules.names.get("bucket") or bucket.default_name(install)


def own_account(spec: CloudSpec, install: Install) -> str:
    """The id of the service account that setup makes; empty with one of the user's."""
    if spec.existing.identity:
        return ""
    return spec.rules.names.get("service-account") or identity.default_id(install)


class _Builder:
    """Makes each object once; they know each other by their names."""

    def __init__(
        self,
        google: Google,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        console_origin: str,
    ) -> None:
        self._google = google
        self._spec = spec
        self._install = install
        self._origin = console_origin
        self.facts: GkeFacts = cluster.facts

    @property
    def bucket_name(self) -> str:
        given = self._spec.existing.bucket
        return bucket_name(given) if given else own_bucket(self._spec, self._install)

    @property
    def email(self) -> str:
        given = self._spec.existing.identity
        return given or self._google.email(own_account(self._spec, self._install))

    @cached_property
    def storage(self) -> Resource[Storage]:
        if self._spec.existing.bucket:
            return bucket.AdoptedBucket(self._google, self._install, self.bucket_name, self._origin)
        rules = self._spec.rules
        wishes = BucketWishes(tags.labels(self._install, rules.tags), self._origin, rules.kms_key)
        return bucket.Bucket(self._google, self._install, self.bucket_name, wishes)

    @cached_property
    def account(self) -> Resource[str]:
        pool = self.facts.workload_pool
        if self._spec.existing.identity:
            return identity.AdoptedAccount(self._google, self._install, self.email, pool)
        return identity.OperatorAccount(
            self._google,
            self._install,
            own_account(self._spec, self._install),
            pool,
            self._spec.timeouts.identity,
        )

    @cached_property
    def access(self) -> Resource[Identity]:
        needs: tuple[Resource[Any], ...] = (self.storage, self.account)
        place = (self._google, self._install, self.bucket_name, self.email)
        if self._spec.existing.bucket:
            return bucket_access.AdoptedAccess(*place, needs=needs)
        return bucket_access.BucketAccess(
            *place, patience=self._spec.timeouts.identity, needs=needs
        )
