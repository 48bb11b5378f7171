"""One project as this provider uses it: all of its services behind one session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property

from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import MARK_PREFIX
from anyscale_k8s_cli.providers.nebius.sdk.clusters import Clusters
from anyscale_k8s_cli.providers.nebius.sdk.iam import Iam, Owner
from anyscale_k8s_cli.providers.nebius.sdk.network import Network
from anyscale_k8s_cli.providers.nebius.sdk.quotas import Quotas
from anyscale_k8s_cli.providers.nebius.sdk.session import Session
from anyscale_k8s_cli.providers.nebius.sdk.storage import Storage
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Addressing, Checksums

# How long a new key, and what its account may do, can be unknown to the store.
KEY_SECONDS = 60.0
OWN_KEY_LIFETIME = timedelta(hours=1)


class Nebius:
    """Safe for threads. Raises `cloud-credentials-missing` when there is nobody to be."""

    def __init__(self, run: Run, project: str) -> None:
        self.run = run
        self.project = project
        self.session = Session(run, project)
        self.clusters = Clusters(self.session)
        self.iam = Iam(self.session)
        self.storage = Storage(self.session)
        self.network = Network(self.session)
        self.quotas = Quotas(self.session)

    @cached_property
    def region(self) -> str:
        """Where the project and everything in it is. Asked once; empty without a project."""
        return self.iam.project_region()

    def store(self, region: str) -> S3Store:
        """The object store of a region. The documentation names buckets by path.

        https://docs.nebius.com/object-storage/overview
        """
        return S3Store(
            "Nebius Object Storage",
            self.session.where.storage_endpoint(region),
            region,
            Addressing.PATH,
            Checksums.WHEN_REQUIRED,
            key_seconds=KEY_SECONDS,
        )

    def s3(self, region: str, keys: S3Keys) -> S3:
        """The store, seen with some keys."""
        return S3(self.run, self.store(region), lambda: keys)

    @contextmanager
    def own_keys(self) -> Iterator[S3Keys]:
        """Keys of our own for as long as something takes: S3 knows of no other credentials.

        They end by themselves if they cannot be revoked.
        """
        owner = Owner(self.session.own_id, self.session.is_person)
        name = f"{MARK_PREFIX}-{datetime.now(UTC):%y%m%d%H%M%S%f}"
        ends = datetime.now(UTC) + OWN_KEY_LIFETIME
        made = self.iam.create_key(owner, name, "for a moment", ends, {})
        try:
            yield S3Keys(made.access_key, made.secret)
        finally:
            self.iam.delete_key(made.id)
