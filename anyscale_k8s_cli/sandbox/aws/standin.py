"""The AWS stand-in as the supervisor holds it: start, stop, and what a cluster asks of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.aws.seed import (
    ACCOUNT_ID,
    ADMIN_POLICY,
    DATA_KEY,
    STRANGERS_DATA,
    TEAM_DATA,
    BucketSeed,
    EksClusterSeed,
    KmsKeySeed,
)
from anyscale_k8s_cli.sandbox.wire import Wire

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.aws.load_balancers import AwsLoadBalancers
    from anyscale_k8s_cli.sandbox.aws.server import Server
    from anyscale_k8s_cli.sandbox.aws.trust import IssuerKeys
    from anyscale_k8s_cli.sandbox.aws.world import World

# How soon the server notices that it is to stop, in seconds.
_POLL = 0.05


def _no_keys(_issuer: str) -> Mapping[str, Any] | None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class AwsSettings:
    """How the world behaves, where it could behave otherwise.

    `refused_attempts`: how many uses of what is new or changed in IAM do not meet it yet.
    `organisation_policies` are the service control policies of an account in an organisation.
    `limits` are quotas that are not as AWS begins with them, by code.
    `removal_seconds`: how long a deleted load balancer can still be seen.
    """

    account_id: str = ACCOUNT_ID
    clusters: Sequence[EksClusterSeed] = (EksClusterSeed(),)
    buckets: Sequence[BucketSeed] = (TEAM_DATA, STRANGERS_DATA)
    kms_keys: Sequence[KmsKeySeed] = (DATA_KEY,)
    admin_policies: Sequence[Mapping[str, Any]] = (ADMIN_POLICY,)
    organisation_policies: Sequence[Mapping[str, Any]] | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    refused_attempts: int = 1
    removal_seconds: float = 0.3
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic


class AwsStandIn:
    """Serves AWS's APIs on loopback until stopped.

    `issuer_keys` gives the key set of a token issuer, or None if it is not
    known; it is called from the server's threads and must not wait for the
    event loop. All methods may be called from any thread once it is started.
    """

    def __init__(
        self,
        wire: Wire,
        settings: AwsSettings | None = None,
        *,
        issuer_keys: IssuerKeys = _no_keys,
    ) -> None:
        self._wire = wire
        self._settings = settings or AwsSettings()
        self._issuer_keys = issuer_keys
        self._world: World | None = None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Import moto, seed the account and listen on a free port.

        Raises RuntimeError if this process already serves the account.
        """
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        from anyscale_k8s_cli.sandbox.aws.server import Server
        from anyscale_k8s_cli.sandbox.aws.world import World

        self._world = World(self._settings, self._issuer_keys)
        self._server = Server(self._world.application(self._wire))
        self._world.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="aws-stand-in", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Stop listening and forget the account. Repeated calls do nothing."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None
        if self._world is not None:
            self._world.close()
            self._world = None

    @property
    def world(self) -> World:
        if self._world is None:
            raise RuntimeError("the AWS stand-in is not started")
        return self._world

    @property
    def url(self) -> str:
        return f"http://{self.world.host}"

    def environment(self) -> dict[str, str]:
        """The variables by which the AWS SDKs find the stand-in, as its administrator."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.world.admin.access_key,
            "AWS_SECRET_ACCESS_KEY": self.world.admin.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # -- for the Kubernetes stand-in ------------------------------------------------

    def set_endpoint(self, cluster: str, endpoint: str, ca_pem: bytes) -> None:
        """Tell where the cluster's API server listens; DescribeCluster says so from then on."""
        self.world.set_endpoint(cluster, endpoint, ca_pem)

    def verify_eks_token(self, token: str, cluster_name: str) -> str | None:
        """The ARN of the caller whose `k8s-aws-v1.` token this is; None for a bad token."""
        return self.world.verify_eks_token(token, cluster_name)

    def kubernetes_user(self, arn: str, cluster: str) -> tuple[str, tuple[str, ...]] | None:
        """The user name and groups of a caller in the cluster; None if it has no access."""
        return self.world.kubernetes_user(arn, cluster)

    def inject_irsa(
        self, pod: dict[str, Any], service_account: Mapping[str, Any] | None, *, cluster: str
    ) -> None:
        """Change a new pod as EKS's webhook does, for IRSA and for Pod Identity.

        Besides, containers get AWS_ENDPOINT_URL: in life a name server tells where AWS is.
        """
        self.world.admit_pod(pod, service_account, cluster)

    def load_balancers(self, cluster: str) -> AwsLoadBalancers:
        """What serves the cluster's Services of type LoadBalancer."""
        return self.world.load_balancers(cluster)

    # -- for tests and faults --------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything in the account that matters, as plain data."""
        return self.world.snapshot()

    def set_admin_policies(self, policies: Sequence[Mapping[str, Any]]) -> None:
        """From now on the administrator may do only this."""
        self.world.set_admin_policies(policies)

    def expire_sessions(self) -> None:
        """End every session that STS has given out."""
        self.world.expire_sessions()

    def name_being_deleted(self, bucket: str, attempts: int) -> None:
        """Let the next attempts to create the bucket fail: its deletion is not over."""
        self.world.name_being_deleted(bucket, attempts)

    def delete_cluster(self, cluster: str) -> None:
        """Remove the cluster as its owner would; what it left in the account stays."""
        self.world.delete_cluster(cluster)
