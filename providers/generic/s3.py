"""Any S3 store, with keys that a person has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys, kept
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import CloudSide, ControlPlaneFacts, Made, Storage
from anyscale_k8s_cli.providers.generic import wording
from anyscale_k8s_cli.providers.generic.stores import StoreSide
from anyscale_k8s_cli.providers.generic.variables import STORE_VARIABLES
from anyscale_k8s_cli.providers.objectstore import checks
from anyscale_k8s_cli.providers.objectstore.bucket import (
    AdoptedBucket,
    Bucket,
    bucket_name,
    default_name,
)
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.sdk.given import AMAZONS, OWN, given_keys
from anyscale_k8s_cli.providers.objectstore.stored import stored_settings
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, CredentialsSpec, Scope, Settings, StorageSpec
from anyscale_k8s_cli.storage_keys import GivenKeys

_MISSING_KEYS = errors.CliError(
    errors.CLOUD_CREDENTIALS_MISSING,
    "There are no keys for the object store",
    cause=f"neither {OWN[0]} and {OWN[1]} nor {AMAZONS[0]} and {AMAZONS[1]} are set, and no "
    "profile was named",
    fix="set them, or name a profile with --aws-profile",
)


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
        wording.check_s3(spec)

    def side(
        self,
        spec: CloudSpec,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str],
    ) -> StoreSide:
        keys = _keys(install, spec.credentials)
        s3 = S3(self._run, wording.store(spec.storage), lambda: keys.output)
        adopted, origin = spec.existing.bucket, plane.cors_origin
        storage: Resource[Storage]
        if adopted:
            name = bucket_name(adopted)
            storage = AdoptedBucket(s3, install, name, origin=origin, needs=(keys,))
        else:
            name = spec.rules.names.get("bucket") or default_name(install)
            storage = Bucket(s3, install, name, origin=origin, needs=(keys,))
        cloud = CloudSide(
            resources=(keys, storage),
            storage=storage,
            identity=None,
            service_account_annotations=dict,
            storage_keys=keys,
        )
        return StoreSide(cloud, checks.checks(s3, name, origin))

    def makes(self, install: Install) -> Made:
        return Made("S3 bucket", default_name(install), "the object store")

    def owned(
        self, scope: Scope, install: Install, secret: Mapping[str, Any] | None
    ) -> Sequence[Resource[Any]]:
        """By the store's settings and keys as they are said, else as the cluster has them."""
        storage = stored_settings(secret, install)
        if scope.storage.endpoint or not storage.endpoint:
            storage = _said_or_set(scope.storage)
        keys = given_keys(scope.credentials.aws_profile) or kept(S3Keys, secret, install)
        if keys is None or not storage.endpoint:
            return ()
        s3 = S3(self._run, wording.store(storage), lambda: keys)
        return (Bucket(s3, install, default_name(install)),)


def _keys(install: Install, credentials: CredentialsSpec) -> GivenKeys[S3Keys]:
    def given() -> S3Keys | None:
        return given_keys(credentials.aws_profile)

    return GivenKeys(S3Keys, install, given, _MISSING_KEYS)


def _said_or_set(storage: StorageSpec) -> StorageSpec:
    """The store's settings of a search: what was not said, variables may tell."""
    found = {
        path.partition(".")[2]: value
        for path, names in STORE_VARIABLES.items()
        if (value := next((os.environ[name] for name in names if os.environ.get(name)), None))
    }
    said = storage.model_dump(exclude_none=True)
    return StorageSpec.model_validate({**found, **said})
