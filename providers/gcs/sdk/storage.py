"""Cloud Storage: buckets, their settings and policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.api_core.iam import Policy as SdkPolicy
from google.cloud.storage import Client
from google.oauth2.credentials import Credentials

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.gcs.sdk import failures
from anyscale_k8s_cli.providers.gcs.sdk.policy import Policy
from anyscale_k8s_cli.providers.gcs.sdk.session import TIMEOUT, Session

ENFORCED = "enforced"


@dataclass(frozen=True)
class Settings:
    """What a bucket is set to, as the API writes it."""

    labels: Mapping[str, str] = field(default_factory=dict)
    versioning: bool = False
    uniform_access: bool = False
    public_access_prevention: str = ""
    cors: Sequence[Mapping[str, Any]] = ()
    lifecycle: Sequence[Mapping[str, Any]] = ()
    kms_key: str = ""


@dataclass(frozen=True)
class BucketState:
    """A bucket that is there. `location` is a region in capitals."""

    project_number: str
    location: str
    metageneration: int
    settings: Settings


class Storage:
    """Buckets of the session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> Any:
        return client(self._session)

    def state(self, name: str) -> BucketState | None:
        """None when there is no such bucket anywhere. Names are global: look at the project."""
        found = self._session.find(
            "storage.buckets.get",
            lambda: self._client.get_bucket(name, timeout=TIMEOUT, retry=None),
        )
        return _state(found) if found is not None else None

    def labels(self, prefix: str | None = None) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The name and the labels of each bucket of the project, or of those named so."""
        listed = self._session.ask(
            "storage.buckets.list",
            lambda: list(self._client.list_buckets(prefix=prefix, timeout=TIMEOUT, retry=None)),
        )
        for bucket in listed:
            yield bucket.name, dict(bucket.labels)

    def create(self, name: str, region: str, wanted: Settings) -> None:
        """In one call, with all of its settings: so no half-made bucket is ever there."""
        bucket = self._client.bucket(name)
        _apply(bucket, wanted)
        self._session.ask(
            "storage.buckets.create",
            lambda: self._client.create_bucket(
                bucket, location=region, timeout=TIMEOUT, retry=None
            ),
        )

    def update(self, name: str, wanted: Settings, found: BucketState) -> None:
        """Refused (a `STALE` code) when the bucket changed since it was read."""
        bucket = self._client.bucket(name)
        # A label that is no longer wanted goes only if the SDK knows that it is there.
        bucket.labels = dict(found.settings.labels)
        _apply(bucket, wanted)
        self._session.ask(
            "storage.buckets.update",
            lambda: bucket.patch(
                if_metageneration_match=found.metageneration, timeout=TIMEOUT, retry=None
            ),
        )

    def drop_label(self, name: str, key: str) -> None:
        """Refused (a `STALE` code) when the bucket changed since it was read."""

        def look() -> Any:
            return self._client.get_bucket(name, timeout=TIMEOUT, retry=None)

        bucket = self._session.find("storage.buckets.get", look)
        if bucket is None or key not in bucket.labels:
            return
        bucket.labels = {other: value for other, value in bucket.labels.items() if other != key}
        self._session.ask(
            "storage.buckets.update",
            lambda: bucket.patch(
                if_metageneration_match=bucket.metageneration, timeout=TIMEOUT, retry=None
            ),
        )

    def delete(self, name: str) -> None:
        """An empty bucket; already gone is success."""
        self._session.find(
            "storage.buckets.delete",
            lambda: self._client.bucket(name).delete(timeout=TIMEOUT, retry=None),
        )

    def policy(self, name: str) -> Policy | None:
        found = self._session.find(
            "storage.buckets.getIamPolicy",
            lambda: self._client.bucket(name).get_iam_policy(
                requested_policy_version=3, timeout=TIMEOUT, retry=None
            ),
        )
        return Policy.of(found.to_api_repr()) if found is not None else None

    def set_policy(self, name: str, policy: Policy) -> None:
        """Refused (a `STALE` code) when the policy changed since it was read."""
        wanted = SdkPolicy.from_api_repr(policy.as_json())  # type: ignore[no-untyped-call]
        self._session.ask(
            "storage.buckets.setIamPolicy",
            lambda: self._client.bucket(name).set_iam_policy(wanted, timeout=TIMEOUT, retry=None),
        )

    def held(self, name: str, permissions: Sequence[str]) -> set[str] | None:
        """Those of the permissions that the caller has on a bucket; None when it is not there."""
        found = self._session.find(
            "storage.buckets.testIamPermissions",
            lambda: self._client.bucket(name).test_iam_permissions(
                list(permissions), timeout=TIMEOUT, retry=None
            ),
        )
        return set(found) if found is not None else None


def client(session: Session, token: str | None = None) -> Any:
    """The SDK's client, as the session's user or with somebody else's token."""

    def made(credentials: Any) -> Any:
        return Client(  # type: ignore[no-untyped-call]
            session.project,
            credentials=credentials,
            client_options=session.options("storage"),
        )

    if token is not None:
        return made(Credentials(token))  # type: ignore[no-untyped-call]
    return session.client("storage", lambda: made(session.credentials))


def _state(bucket: Any) -> BucketState:
    access = bucket.iam_configuration
    return BucketState(
        project_number=str(bucket.project_number),
        location=str(bucket.location),
        metageneration=int(bucket.metageneration),
        settings=Settings(
            labels=dict(bucket.labels),
            versioning=bool(bucket.versioning_enabled),
            uniform_access=bool(access.uniform_bucket_level_access_enabled),
            public_access_prevention=str(access.public_access_prevention or ""),
            cors=[dict(rule) for rule in bucket.cors],
            lifecycle=[dict(rule) for rule in bucket.lifecycle_rules],
            kms_key=str(bucket.default_kms_key_name or ""),
        ),
    )


def _apply(bucket: Any, wanted: Settings) -> None:
    bucket.labels = dict(wanted.labels)
    bucket.versioning_enabled = wanted.versioning
    bucket.iam_configuration.uniform_bucket_level_access_enabled = wanted.uniform_access
    bucket.iam_configuration.public_access_prevention = wanted.public_access_prevention
    bucket.cors = [dict(rule) for rule in wanted.cors]
    bucket.lifecycle_rules = [dict(rule) for rule in wanted.lifecycle]
    if wanted.kms_key:
        bucket.default_kms_key_name = wanted.kms_key


def hidden(failure: CloudFailure) -> bool:
    """Whether an answer means that a bucket is there and closed to us."""
    return failure.api_code == failures.DENIED
