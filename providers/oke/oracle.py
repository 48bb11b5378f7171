"""One region of a tenancy as this provider uses it: all of its services behind one session."""

from __future__ import annotations

from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.providers.oke.sdk.clusters import Clusters
from anyscale_k8s_cli.providers.oke.sdk.identity import Identity
from anyscale_k8s_cli.providers.oke.sdk.network import Network
from anyscale_k8s_cli.providers.oke.sdk.session import Session
from anyscale_k8s_cli.providers.oke.sdk.storage import Buckets
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Addressing, Checksums

# How long a new key, and a new policy, can be unknown to the store.
KEY_SECONDS = 180.0


class Oracle:
    """Safe for threads. Raises `cloud-credentials-missing` when there is nobody to be."""

    def __init__(self, run: Run, session: Session, region: str) -> None:
        self.run = run
        self.session = session
        self.region = region
        self.clusters = Clusters(session, region)
        self.identity = Identity(session)
        self.buckets = Buckets(session, region)
        self.network = Network(session, region)

    @property
    def store(self) -> S3Store:
        """The object store by its S3 calls, which name buckets by path and have no CORS.

        https://docs.oracle.com/iaas/Content/Object/Tasks/s3compatibleapi_topic-Amazon_S3_Compatibility_API_Support.htm
        """
        return S3Store(
            "Oracle Object Storage",
            self.session.where.s3_endpoint(self.region, self.buckets.namespace),
            self.region,
            Addressing.PATH,
            Checksums.WHEN_REQUIRED,
            has_cors=False,
            key_seconds=KEY_SECONDS,
        )

    def s3(self, keys: S3Keys) -> S3:
        """The store, seen with some keys."""
        return S3(self.run, self.store, lambda: keys)
