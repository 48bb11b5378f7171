"""Any S3 store, with keys that a person has."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints, entered_with
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.credential_kinds import S3Keys, S3Role, kept
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import ControlPlaneFacts, Made
from anyscale_k8s_cli.providers.federation import aws
from anyscale_k8s_cli.providers.federation.identity import FederatedIdentity
from anyscale_k8s_cli.providers.federation.proof import SETTLED_WITHIN
from anyscale_k8s_cli.providers.generic import s3_wording as wording
from anyscale_k8s_cli.providers.generic.stores import StoreSide
from anyscale_k8s_cli.providers.generic.variables import STORE_VARIABLES
from anyscale_k8s_cli.providers.objectstore import checks
from anyscale_k8s_cli.providers.objectstore.bucket import (
    AdoptedBucket,
    Bucket,
    bucket_name,
    default_name,
)
from anyscale_k8s_cli.providers.objectstore.own_keys import own_keys
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.sdk.core import endpoint
from anyscale_k8s_cli.providers.objectstore.sdk.given import (
    AMAZONS,
    OWN,
    callers_keys,
    given_keys,
)
from anyscale_k8s_cli.providers.objectstore.stored import stored_settings
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, Scope, Settings, StorageSpec


class AnyS3Store:
    """Implements :class:`~anyscale_k8s_cli.providers.generic.stores.Store`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        if settings.get("credentials.aws_profile"):
            return {}
        if any(all(environment.get(name) for name in pair) for pair in (OWN, AMAZONS)):
            return {}
        return {
            OWN[0]: "Access key of the object store (nothing: as an earlier setup was given)",
            OWN[1]: "Its secret (not shown)",
        }

    def check_spec(self, spec: CloudSpec) -> None:
        wording.check(spec)

    def side(
        self,
        spec: CloudSpec,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str],
        issuer: Callable[[], Issuer],
    ) -> StoreSide:
        role = spec.existing.identity
        keys = own_keys(install, spec.credentials.aws_profile, lasting=not role)
        store = wording.store(spec.storage, role=role)
        s3 = S3(self._run, store, lambda: keys.output)
        adopted, origin = spec.existing.bucket, plane.cors_origin
        storage: Resource[Storage]
        if adopted:
            name = bucket_name(adopted)
            storage = AdoptedBucket(s3, install, name, origin=origin, needs=(keys,))
        else:
            name = spec.rules.names.get("bucket") or default_name(install)
            storage = Bucket(s3, install, name, origin=origin, needs=(keys,))
        cloud = entered_with(keys, storage)
        if role:
            audience = spec.existing.identity_audience or aws.default_audience(role)
            pods = FederatedIdentity(install, S3Role(role), f"role {role}")
            cloud = replace(
                cloud,
                resources=(*cloud.resources, pods),
                storage_keys=pods,
                token_audience=audience,
                prove_identity=aws.WebIdentityProof(
                    self._run,
                    store,
                    role,
                    name,
                    audience,
                    min(SETTLED_WITHIN, spec.timeouts.identity),
                ),
            )
        return StoreSide(cloud, checks.checks(s3, name, origin), _endpoints)

    def makes(self, install: Install) -> Made:
        return Made(
            "S3 bucket",
            default_name(install),
            "the object store",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
            store="s3",
        )

    def owned(
        self, scope: Scope, install: Install, secret: Mapping[str, Any] | None
    ) -> Sequence[Resource[Any]]:
        """By the store's settings and keys as they are said, else as the cluster has them."""
        storage, role = stored_settings(secret, install), kept(S3Role, secret, install)
        if scope.storage.endpoint or not storage.region:
            storage = _said_or_set(scope.storage)
        profile = scope.credentials.aws_profile
        keys = callers_keys(profile) if role else given_keys(profile)
        keys = keys or kept(S3Keys, secret, install)
        if keys is None or not (storage.endpoint or role):
            return ()
        store = wording.store(storage, role=role.arn if role else None)
        s3 = S3(self._run, store, lambda: keys)
        return (Bucket(s3, install, default_name(install)),)


def _endpoints(storage: Storage) -> WorkloadEndpoints:
    """Amazon's own: every other store is at the address that was given."""
    if storage.endpoint:
        return WorkloadEndpoints()
    return WorkloadEndpoints(endpoint("s3", storage.region), endpoint("sts", storage.region))


def _said_or_set(storage: StorageSpec) -> StorageSpec:
    """The store's settings of a search: what was not said, variables may tell."""
    found = {
        path.partition(".")[2]: value
        for path, names in STORE_VARIABLES.items()
        if (value := next((os.environ[name] for name in names if os.environ.get(name)), None))
    }
    said = storage.model_dump(exclude_none=True)
    return StorageSpec.model_validate({**found, **said})
