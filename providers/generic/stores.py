"""The kinds of object store that a cluster without a cloud may have beside it.

How it is laid out, for whoever adds to it:

- `Kind` names the kinds, `kind_of` tells which one is meant, `store_of` gives what handles
  it. A kind's module (`s3.py`, `google.py`, `azure.py`) is imported when it is chosen
  and not before, and with it the SDK: a cluster with an S3 store imports no other SDK.
- Each module has one class that satisfies `Store`. All that differs between kinds is in
  there; `provider.py` knows the cluster and nothing of stores.
- `Store.side` gives a whole `CloudSide`, so a kind decides for itself how pods get in: by
  credentials (`storage_keys`, a kind of `credential_kinds.py` with its mount in
  `addons/credential_mounts.py`), or with a token of their own (`token_audience`,
  `prove_identity`), of which that kind says what is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from anyscale_k8s_cli.checks import BoundCheck
from anyscale_k8s_cli.cloud_side import CloudSide, Storage, WorkloadEndpoints
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.credential_kinds import AzureSecret, Credentials, GoogleKey, S3Keys
from anyscale_k8s_cli.imports import needing
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import ControlPlaneFacts, Made
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, Scope, Settings


class Kind(StrEnum):
    """In the words of `--storage-kind`."""

    S3 = "s3"
    GCS = "gcs"
    AZURE = "azure"

    @property
    def secret(self) -> str:
        """The name of the Secret that its credentials are in."""
        return _CREDENTIALS[self].SECRET


_CREDENTIALS: Mapping[Kind, type[Credentials]] = {
    Kind.S3: S3Keys,
    Kind.GCS: GoogleKey,
    Kind.AZURE: AzureSecret,
}
_SCHEMES: Mapping[str, Kind] = {"gs": Kind.GCS, "abfss": Kind.AZURE}


@dataclass(frozen=True)
class StoreSide:
    """What a store brings to the cloud side, and its checks.

    `endpoints` are those that its SDK knows by itself (`provider.NamesEndpoints`).
    """

    cloud: CloudSide
    checks: Sequence[BoundCheck]
    endpoints: Callable[[Storage], WorkloadEndpoints]


class Store(Protocol):
    """One kind of store, for one command."""

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        """As `provider.AsksForSecrets`."""
        ...

    def check_spec(self, spec: CloudSpec) -> None:
        """Offline: refuse what cannot be (`invalid-spec`, `missing-input`)."""
        ...

    def side(
        self,
        spec: CloudSpec,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str],
        issuer: Callable[[], Issuer],
    ) -> StoreSide:
        """The objects that should be. Nothing is asked of the store yet, nor of the cluster,
        whose issuer `issuer` tells."""
        ...

    def makes(self, install: Install) -> Made:
        """What setup makes in it."""
        ...

    def owned(
        self, scope: Scope, install: Install, secret: Mapping[str, Any] | None
    ) -> Sequence[Resource[Any]]:
        """What may be ours in it, for a teardown: by what is said, else by our `secret`."""
        ...


def kind_of(settings: Settings) -> Kind:
    """Which kind is meant by values of the spec, by dotted path."""
    scheme = str(settings.get("existing.bucket") or "").partition("://")[0]
    of_account = Kind.AZURE if settings.get("storage.account") else None
    meant = settings.get("storage.kind") or _SCHEMES.get(scheme) or of_account
    if not meant and "/workloadIdentityPools/" in str(settings.get("existing.identity_provider")):
        meant = Kind.GCS
    # What is no kind is refused elsewhere.
    return Kind(meant) if meant in set(Kind) else Kind.S3


def store_of(kind: Kind, run: Run) -> Store:
    match kind:
        case Kind.S3:
            from anyscale_k8s_cli.providers.generic.s3 import AnyS3Store

            return AnyS3Store(run)
        case Kind.GCS:
            with needing("A bucket of Google's", "gcp"):
                from anyscale_k8s_cli.providers.generic.google import GoogleStore

            return GoogleStore(run)
        case Kind.AZURE:
            with needing("A container of Azure's", "azure"):
                from anyscale_k8s_cli.providers.generic.azure import AzureStore

            return AzureStore(run)
