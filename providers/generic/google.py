"""A bucket of Google's, with the key file of a service account that a person has, or without."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints, entered_with
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.credential_kinds import GoogleKey, GooglePool, kept
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import ControlPlaneFacts, Made
from anyscale_k8s_cli.providers.federation.identity import FederatedIdentity
from anyscale_k8s_cli.providers.gcs import checks, wording
from anyscale_k8s_cli.providers.gcs.bucket import (
    AdoptedBucket,
    Bucket,
    default_name,
    of_install,
)
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.gcs.keyed import KeyedProject
from anyscale_k8s_cli.providers.generic import pools
from anyscale_k8s_cli.providers.generic.stores import StoreSide
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, CredentialsSpec, Scope, Settings
from anyscale_k8s_cli.spec_loading import refuse, without_path
from anyscale_k8s_cli.storage_keys import GivenKeys, KeysResource

KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
# Where Google itself makes buckets that nobody says a place for.
USUAL_LOCATION = "us"
_MISSING = errors.CliError(
    errors.CLOUD_CREDENTIALS_MISSING,
    "There is no key for the bucket of Google's",
    cause=f"no --google-key-file was given, and {KEY_FILE} is not set",
    fix="name the key file of a service account with --google-key-file",
)


class GoogleStore:
    """Implements :class:`~anyscale_k8s_cli.providers.generic.stores.Store`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        said = ("credentials.google_key_file", "existing.identity_provider")
        if any(settings.get(name) for name in said) or environment.get(KEY_FILE):
            return {}
        return {
            KEY_FILE: "Path of a Google key file (nothing: as an earlier setup was given; "
            "not shown)"
        }

    def check_spec(self, spec: CloudSpec) -> None:
        given, named = spec.existing.bucket, spec.rules.names.get("bucket")
        wrong = list(wording.wrong_tags(spec.rules.tags)) if not given else []
        if given and not wording.bucket_name(given):
            wrong.append(f"--bucket: {given!r} is no bucket's name of Google's, nor gs://<name>")
        if named and not wording.BUCKET_NAME.fullmatch(named):
            wrong.append(f"rules.names.bucket: {named!r} is no name that Google takes for a bucket")
        wrong += pools.wrong_words(spec.existing)
        refuse(wrong, "docs/providers/generic.md")

    def side(
        self,
        spec: CloudSpec,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str],
        issuer: Callable[[], Issuer],
    ) -> StoreSide:
        access = pools.access_of(spec.existing)
        keys: KeysResource[Any]
        if access:
            keys = FederatedIdentity(install, access, f"{access.email} at Google")
            project = KeyedProject(self._run, lambda: callers_key(spec.credentials, access))
        else:
            given = GivenKeys(GoogleKey, install, lambda: given_key(spec.credentials), _MISSING)
            keys, project = given, KeyedProject(self._run, lambda: given.output)
        storage = self._bucket(project, spec, install, plane.cors_origin, dropped_tags, keys)
        cloud = entered_with(keys, storage)
        if access:
            cloud = replace(
                cloud,
                token_audience=pools.audience_of(spec.existing, access),
                prove_identity=pools.proof(project, spec, access, storage.name),
            )
        adopted = isinstance(storage, AdoptedBucket)
        return StoreSide(
            cloud,
            checks.checks(project, storage.name, adopted=adopted),
            lambda _: WorkloadEndpoints(project.endpoint),
        )

    def _bucket(
        self,
        project: KeyedProject,
        spec: CloudSpec,
        install: Install,
        origin: str,
        dropped_tags: Mapping[str, str],
        keys: Resource[Any],
    ) -> Bucket | AdoptedBucket:
        if given := spec.existing.bucket:
            name = wording.bucket_name(given)
            return AdoptedBucket(project, install, name, origin, needs=(keys,))
        return Bucket(
            project,
            install,
            spec.rules.names.get("bucket") or default_name(install),
            BucketWishes(project.labels(install, spec.rules.tags), origin, None, dropped_tags),
            location=spec.storage.location,
            elsewhere=USUAL_LOCATION,
            needs=(keys,),
        )

    def makes(self, install: Install) -> Made:
        return Made(
            "Cloud Storage bucket",
            default_name(install),
            "the key's project",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
            store="gcs",
        )

    def owned(
        self, scope: Scope, install: Install, secret: Mapping[str, Any] | None
    ) -> Sequence[Resource[Storage]]:
        """By the key that is said, else by that which the cluster has."""
        access = kept(GooglePool, secret, install)
        key = (
            callers_key(scope.credentials, access)
            if access
            else given_key(scope.credentials) or kept(GoogleKey, secret, install)
        )
        if key is None:
            return ()
        project = KeyedProject(self._run, lambda: key)
        name = of_install(project, install, None)
        if not name:
            return ()
        return (Bucket(project, install, name, BucketWishes({}, "", None), location=None),)


def given_key(credentials: CredentialsSpec) -> GoogleKey | None:
    """The key in the file that was named, else in the one of Google's own variable.

    Raises `cloud-credentials-missing` for a file that holds none.
    """
    named = credentials.google_key_file or os.environ.get(KEY_FILE)
    if not named:
        return None
    try:
        text = Path(named).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise _no_key(named, without_path(problem)) from problem
    key = GoogleKey.of(text)
    if key is None:
        raise _no_key(named, "it is not the key file of a service account")
    return key


def callers_key(credentials: CredentialsSpec, access: GooglePool) -> GoogleKey:
    """Of whoever sets up, which goes to no pod: the key file that was named, else whoever is
    signed in on this machine (application default credentials)."""
    if credentials.google_key_file and (key := given_key(credentials)):
        return key
    return GoogleKey("", "", "", access.project)


def _no_key(path: str | Path, cause: str) -> errors.CliError:
    return errors.CliError(
        errors.CLOUD_CREDENTIALS_MISSING,
        f"{path} holds no key for the bucket of Google's",
        cause=cause,
        fix="name the key file of a service account, as Google's console hands it out or "
        "`gcloud iam service-accounts keys create` makes it, with --google-key-file",
    )
