"""The Azure stand-in as the supervisor holds it: start, stop, and what a cluster asks of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.azure.arm import METADATA
from anyscale_k8s_cli.sandbox.azure.listener import Listener
from anyscale_k8s_cli.sandbox.azure.seed import (
    ADMIN_ROLES,
    SUBSCRIPTION_ID,
    TEAM_DATA,
    TEAM_IDENTITY,
    TENANT_ID,
    AksClusterSeed,
    IdentitySeed,
    LockSeed,
    PolicySeed,
    StorageAccountSeed,
    VaultSeed,
)
from anyscale_k8s_cli.sandbox.azure.world import World
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.azure.directory import IssuerKeys
    from anyscale_k8s_cli.sandbox.azure.load_balancers import AksLoadBalancers

# What Azure's own tools read the endpoints of a cloud from that is not the public one.
METADATA_VARIABLE = "ARM_CLOUD_METADATA_URL"
_METADATA_VERSION = "2022-09-01"


def _no_keys(_issuer: str) -> Mapping[str, Any] | None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class AzureSettings:
    """How the world behaves, where it could behave otherwise.

    Attempts are how often something new is not there yet: `replication_attempts` a new
    principal for role assignments, `federation_attempts` a new federated credential
    for Entra, `propagation_attempts` a new role for a data plane,
    `container_removal_attempts` the name of a deleted container. Operations are still
    running at the first `operation_polls` polls. `removal_seconds` is how long a
    deleted load balancer can still be seen.
    """

    tenant_id: str = TENANT_ID
    subscription_id: str = SUBSCRIPTION_ID
    clusters: Sequence[AksClusterSeed] = (AksClusterSeed(),)
    accounts: Sequence[StorageAccountSeed] = (TEAM_DATA,)
    identities: Sequence[IdentitySeed] = (TEAM_IDENTITY,)
    vaults: Sequence[VaultSeed] = ()
    own_roles: Sequence[Mapping[str, Any]] = ()
    policies: Sequence[PolicySeed] = ()
    locks: Sequence[LockSeed] = ()
    unregistered: Sequence[str] = ()
    # Quotas that are not as Azure begins with them, by name.
    limits: Mapping[str, int] = field(default_factory=dict)
    admin_roles: Sequence[Mapping[str, Any]] = ADMIN_ROLES
    admin_groups: tuple[str, ...] = ()
    anyscale_known: bool = True
    replication_attempts: int = 1
    federation_attempts: int = 1
    propagation_attempts: int = 1
    container_removal_attempts: int = 1
    operation_polls: int = 1
    poll_seconds: float = 0.1
    removal_seconds: float = 0.3
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic


class AzureStandIn:
    """Serves Azure's APIs on loopback, from a thread of its own, until stopped.

    `issuer_keys` gives the key set of a token issuer, or None if it is not
    known; it is called from the server's thread and must not wait for another.
    All methods may be called from any thread once it is started.
    """

    def __init__(
        self,
        wire: Wire,
        authority: Authority,
        settings: AzureSettings | None = None,
        *,
        issuer_keys: IssuerKeys = _no_keys,
    ) -> None:
        self.wire = wire
        self.settings = settings or AzureSettings()
        self._authority = authority
        self._issuer_keys = issuer_keys
        self._world: World | None = None
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Seed the subscription and listen on free ports."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        world = self._world = World(self.settings, self._issuer_keys)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="azure-stand-in", daemon=True
        )
        self._thread.start()
        # Made here and not at the first token, which somebody waits for.
        world.directory.tokens.keys()
        asyncio.run_coroutine_threadsafe(self._listen(world), self._loop).result()

    async def _listen(self, world: World) -> None:
        login, management, blob = self._listeners = [Listener(self._authority) for _ in range(3)]
        await login.start(world.entra().application(self.wire))
        world.login_url = login.url
        await management.start(world.arm().application(self.wire))
        world.management_url = management.url
        await blob.start(world.blob().application(self.wire))
        world.blob_url = blob.url

    async def stop(self) -> None:
        """Stop listening and forget the subscription. Repeated calls do nothing."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = self._world = None

    async def _close(self) -> None:
        for listener in self._listeners:
            await listener.stop()
        self._listeners = []

    @property
    def world(self) -> World:
        if self._world is None:
            raise RuntimeError("the Azure stand-in is not started")
        return self._world

    @property
    def url(self) -> str:
        """Where Azure Resource Manager answers."""
        return self.world.management_url

    def environment(self) -> dict[str, str]:
        """The variables by which clients find the stand-in, as its administrator."""
        return {
            "AZURE_TENANT_ID": self.settings.tenant_id,
            "AZURE_SUBSCRIPTION_ID": self.settings.subscription_id,
            "AZURE_CLIENT_ID": self.world.admin.app_id,
            "AZURE_CLIENT_SECRET": self.world.admin.secret,
            "AZURE_AUTHORITY_HOST": self.world.login_url,
            # No other source of credentials is asked, the metadata service least of all.
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
            METADATA_VARIABLE: f"{self.url}{METADATA}?api-version={_METADATA_VERSION}",
        }

    # -- for the Kubernetes stand-in ------------------------------------------------------

    def set_endpoint(
        self, cluster: str, endpoint: str, ca_pem: bytes, local: tuple[bytes, bytes]
    ) -> None:
        """Tell where the cluster's API server listens; its kubeconfigs say so from then on.

        `local` is the certificate of the cluster's own account, and its key.
        """
        self.world.set_endpoint(cluster, endpoint, ca_pem, local)

    def aks_user(self, token: str, cluster: str) -> tuple[str, tuple[str, ...]] | None:
        """The user name and groups of an Entra token's bearer in the cluster.

        None for a token that is no good there, or if the cluster knows no Entra.
        """
        return self.world.aks_user(token, cluster)

    def inject(
        self, pod: dict[str, Any], service_account: Mapping[str, Any] | None, *, cluster: str
    ) -> None:
        """Change a new pod as the webhook of workload identity does, if the cluster has it."""
        self.world.admit_pod(pod, service_account, cluster)

    def load_balancers(self, cluster: str) -> AksLoadBalancers:
        """What serves the cluster's Services of type LoadBalancer."""
        return self.world.load_balancers[cluster]

    # -- for tests and faults ----------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything in the subscription that matters, as plain data."""
        return self.world.snapshot()

    def set_admin_roles(self, roles: Sequence[Mapping[str, Any]]) -> None:
        """From now on the administrator holds only these roles (see `Rights.replace`)."""
        self.world.set_admin_roles(roles)

    def expire_sessions(self) -> None:
        """End every token that Entra has given out."""
        with self.world.lock:
            self.world.directory.tokens.revoke()

    def delete_cluster(self, cluster: str) -> None:
        """Remove the cluster as its owner would."""
        self.world.delete_cluster(cluster)
