"""One organisation as this provider uses it: its API behind one session, and its store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import MARK_PREFIX
from anyscale_k8s_cli.providers.coreweave import permissions, tags, wording
from anyscale_k8s_cli.providers.coreweave.sdk import whereabouts
from anyscale_k8s_cli.providers.coreweave.sdk.clusters import Caller, Clusters
from anyscale_k8s_cli.providers.coreweave.sdk.failures import ABSENT
from anyscale_k8s_cli.providers.coreweave.sdk.session import Session
from anyscale_k8s_cli.providers.coreweave.sdk.storage import REVOKE_KEY, ObjectStorage, SessionKey
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Addressing, Checksums

# How long a new key, and what a policy allows, can be unknown to the store.
KEY_SECONDS = 60.0
OWN_KEY_LIFETIME = timedelta(minutes=15)
# A key that ends sooner than this is not begun with.
_LEFT = timedelta(minutes=2)


class CoreWeave:
    """Safe for threads. Raises `cloud-credentials-missing` when there is no token."""

    def __init__(self, run: Run) -> None:
        self.run = run
        session = Session(run)
        self.clusters = Clusters(session)
        self.storage = ObjectStorage(session)
        self._lock = threading.Lock()
        self._session_key: SessionKey | None = None

    @cached_property
    def caller(self) -> Caller:
        """Asked once."""
        return self.clusters.caller()

    @property
    def principal(self) -> str:
        """The caller as policies of the organisation name it; keys that it makes are of it.

        https://docs.coreweave.com/products/storage/object-storage/auth-access/organization-policies
        """
        return f"coreweave/{self.caller.user}"

    @staticmethod
    def store(zone: str) -> S3Store:
        """The object store, as a zone's buckets want it: named by hosts alone."""
        return S3Store(
            "CoreWeave AI Object Storage",
            whereabouts.store(),
            zone.upper(),
            Addressing.VIRTUAL,
            Checksums.WHEN_REQUIRED,
            location=zone.upper(),
            key_seconds=KEY_SECONDS,
            names=wording.BUCKET,
        )

    def s3(self, zone: str, keys: Callable[[], S3Keys]) -> S3:
        """The store, seen with some keys."""
        return S3(self.run, self.store(zone), keys)

    @staticmethod
    def wait_taken(s3: S3, bucket: str) -> None:
        """Return once the store lets a new key ask for a bucket, which need not be there."""
        s3.run.retry(
            lambda: s3.exists(bucket),
            retriable=lambda problem: isinstance(problem, CloudFailure) and problem.denied,
            what=f"{s3.store.title} to take a new key",
            timeout=KEY_SECONDS,
        )

    def session_keys(self) -> S3Keys:
        """The caller's own, for a quarter of an hour or so: nothing is made, and nothing left."""
        with self._lock:
            held = self._session_key
            now = datetime.now(UTC)
            if held is None or (held.ends is not None and held.ends - now < _LEFT):
                held = self._session_key = self.storage.session_key()
            return S3Keys(held.id, held.secret, held.session)

    @cached_property
    def _may_revoke(self) -> bool:
        """Asked once; taken for granted where the API does not know the question."""
        try:
            return self.storage.may(REVOKE_KEY)
        except CloudFailure as failure:
            if failure.api_code != ABSENT:
                raise
            return True

    @contextmanager
    def own_keys(self) -> Iterator[S3Keys]:
        """Keys of our own for as long as something takes: S3 knows of no other credentials.

        They end by themselves if they cannot be revoked; who may not revoke makes none.
        """
        if not self._may_revoke:
            raise errors.CliError(
                errors.FORBIDDEN,
                f"Your CoreWeave account may not {REVOKE_KEY}",
                cause="a bucket is looked into with a key that is revoked at once",
                fix=permissions.grant(self.principal, (REVOKE_KEY,)),
            )
        made = self.storage.create_key(OWN_KEY_LIFETIME, {tags.NAME: f"{MARK_PREFIX}-for-a-moment"})
        try:
            yield S3Keys(made.id, made.secret)
        finally:
            self.storage.revoke_key(made.id)
