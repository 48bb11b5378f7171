"""The Nebius stand-in as the supervisor holds it: start, stop, and what a cluster asks of it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from anyscale_k8s_cli.sandbox.nebius.addresses import Addresses, NebiusLoadBalancers
from anyscale_k8s_cli.sandbox.nebius.api import Method
from anyscale_k8s_cli.sandbox.nebius.front import Front
from anyscale_k8s_cli.sandbox.nebius.iam import Iam
from anyscale_k8s_cli.sandbox.nebius.mk8s import Clusters, Mk8s
from anyscale_k8s_cli.sandbox.nebius.quotas import Quotas
from anyscale_k8s_cli.sandbox.nebius.refusals import Refused
from anyscale_k8s_cli.sandbox.nebius.seed import (
    ADMIN,
    OUTSIDER,
    PROJECT_ID,
    ClusterSeed,
    id_of,
)
from anyscale_k8s_cli.sandbox.nebius.snapshot import snapshot
from anyscale_k8s_cli.sandbox.nebius.storage import ObjectStore, Storage
from anyscale_k8s_cli.sandbox.nebius.tenant import Tenant
from anyscale_k8s_cli.sandbox.nebius.tokens import AuthorizedKey
from anyscale_k8s_cli.sandbox.wire import Wire

_HOST = "127.0.0.1"
_GRACE = 0.2


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class NebiusSettings:
    """How the world behaves, where it could behave otherwise.

    `operation_polls`: how often an operation is still running when it is asked about.
    `refused_attempts`: how often the object store does not know a new key or permit yet.
    `admin_role`: what the administrator holds on the project. `most`: quotas by kind.
    """

    clusters: Sequence[ClusterSeed] = (ClusterSeed(),)
    admin_role: str = "admin"
    operation_polls: int = 1
    refused_attempts: int = 1
    most: Mapping[str, int] = field(default_factory=dict)
    removal_seconds: float = 0.3
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic


class NebiusStandIn:
    """Serves Nebius' APIs on loopback until stopped.

    Methods may be called from any thread once it is started, `start` and `stop` from the
    loop that serves.
    """

    def __init__(
        self, wire: Wire, store: ObjectStore, settings: NebiusSettings | None = None
    ) -> None:
        self._settings = settings = settings or NebiusSettings()
        self._server: Any = None
        self.url = ""
        self.tenant = Tenant(
            settings.clock, settings.operation_polls, settings.refused_attempts, settings.most
        )
        self.clusters = Clusters(settings.clusters)
        self.addresses = Addresses(settings.monotonic, settings.removal_seconds)
        self._front = Front(
            self.tenant,
            wire,
            {
                **Iam(self.tenant).methods(),
                **Mk8s(self.tenant, self.clusters).methods(),
                **Storage(self.tenant, store).methods(),
                **self.addresses.methods(),
                **Quotas(self.tenant.region, self._quotas).methods(),
                "nebius.common.v1.OperationService/Get": Method(
                    lambda call: self.tenant.operations.get(call.request.id)
                ),
            },
        )
        self.admin_id = self._seed_account(ADMIN, settings.admin_role)
        self.outsider_id = self._seed_account(OUTSIDER, "")
        self._admin_key = AuthorizedKey()
        self.tenant.tokens.add_key(self.admin_id, self._admin_key)

    def _quotas(self) -> dict[str, tuple[int, int]]:
        public = sum(not item.internal for item in self.addresses.live())
        buckets = self.tenant.buckets
        return {
            "storage.bucket.count": (len(buckets.items), buckets.most),
            "vpc.ipv4-address.public.count": (public, self.addresses.most_public),
        }

    def _seed_account(self, name: str, role: str) -> str:
        from nebius.api.nebius.common.v1 import ResourceMetadata
        from nebius.api.nebius.iam.v1 import (
            AccessPermitSpec,
            GroupMembershipSpec,
            GroupSpec,
            ServiceAccountSpec,
            ServiceAccountStatus,
        )

        tenant, nameless = self.tenant, ResourceMetadata()
        account = tenant.accounts.create(
            ResourceMetadata(name=name),
            ServiceAccountSpec(),
            PROJECT_ID,
            id_of("serviceaccount", name),
        )
        account.status = ServiceAccountStatus(active=True)
        if role:
            group = tenant.groups.create(
                ResourceMetadata(name=f"{name}s"), GroupSpec(), PROJECT_ID
            ).metadata.id
            member = GroupMembershipSpec(member_id=account.metadata.id)
            tenant.memberships.create(nameless, member, group)
            permit = AccessPermitSpec(resource_id=PROJECT_ID, role=role)
            tenant.permits.create(nameless, permit, group)
        return str(account.metadata.id)

    async def start(self) -> None:
        """Listen on a free port; returns once it answers."""
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((self._front,))
        port = server.add_insecure_port(f"{_HOST}:0")
        # Making a key takes a moment, during which others get ready.
        await asyncio.gather(asyncio.to_thread(lambda: self._admin_key.pem), server.start())
        self._server = server
        self.url = f"http://{_HOST}:{port}"

    async def stop(self) -> None:
        """Stop listening. Repeated calls do nothing."""
        if self._server is not None:
            await self._server.stop(_GRACE)
            self._server = None

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables by which our provider finds the stand-in.

        The administrator's key is written to `folder`, for its user alone.
        """
        path = folder / "nebius-credentials.json"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(self.key_file(), out)
        return {
            "NEBIUS_CREDENTIALS_FILE": str(path),
            "NEBIUS_PROJECT_ID": PROJECT_ID,
            "NEBIUS_ENDPOINT": self.url,
        }

    def key_file(self) -> dict[str, Any]:
        """The administrator's key, as Nebius' command line writes it."""
        return {
            "subject-credentials": {
                "type": "JWT",
                "alg": "RS256",
                "private-key": self._admin_key.pem,
                "kid": self._admin_key.id,
                "iss": self.admin_id,
                "sub": self.admin_id,
            }
        }

    # -- for clusters and the object store ------------------------------------------------

    def set_endpoint(self, cluster: str, endpoint: str, ca_pem: bytes) -> None:
        """Tell where the cluster's API server listens."""
        with self._front.lock:
            found = self.clusters.named(cluster)
            found.endpoint, found.ca_pem = endpoint, ca_pem.decode()

    def load_balancers(self, cluster: str) -> NebiusLoadBalancers:
        """What serves the cluster's Services of type LoadBalancer."""
        return NebiusLoadBalancers(self.addresses, cluster)

    def kubernetes_user(self, token: str, cluster: str) -> tuple[str, bool] | None:
        """A caller's name in a cluster, and whether its roles make it an administrator there."""
        with self._front.lock:
            try:
                subject = self.tenant.tokens.subject(token)
                place = self.clusters.named(cluster).seed.id
            except (Refused, LookupError):
                return None
            return subject, self.tenant.may(subject, "mk8s.cluster.update", place)

    def key_secret(self, access_key: str) -> str | None:
        """The secret of an access key that is good now."""
        with self._front.lock:
            return self.tenant.key_secret(access_key)

    def buckets_of(self, access_key: str) -> frozenset[str] | None:
        """The names of the buckets that whoever has the key may use; None is all."""
        with self._front.lock:
            return self.tenant.buckets_of(access_key)

    # -- for tests and faults -----------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything in the project that matters, as plain data."""
        with self._front.lock:
            return snapshot(self.tenant, self.addresses)

    def token(self, subject: str) -> str:
        """An IAM token, as the command line prints it."""
        with self._front.lock:
            return self.tenant.tokens.issue(subject).value

    def set_admin_role(self, role: str) -> None:
        """From now on the administrator holds only this role on the project."""
        with self._front.lock:
            for permit in self.tenant.permits.items.values():
                if permit.spec.resource_id == PROJECT_ID:
                    permit.spec.role = role

    def expire_tokens(self) -> None:
        """End every token that was given out."""
        with self._front.lock:
            self.tenant.tokens.expire_all()

    def revoke_keys(self) -> list[str]:
        """Somebody deletes every access key; returns their public halves."""
        with self._front.lock:
            found = [item.status for item in self.tenant.keys.items.values()]
            self.tenant.keys.items.clear()
            return [str(status.aws_access_key_id) for status in found if status]

    def withdraw_permits(self) -> list[str]:
        """Somebody takes every role on a bucket away; returns the roles."""
        with self._front.lock:
            permits = self.tenant.permits.items
            found = [
                item
                for item in permits.values()
                if item.spec.resource_id in self.tenant.buckets.items
            ]
            for item in found:
                del permits[item.metadata.id]
            return [str(item.spec.role) for item in found]

    def expire_keys(self) -> list[str]:
        """End every access key, as if its time had come; returns their public halves."""
        with self._front.lock:
            found = list(self.tenant.keys.items.values())
            for key in found:
                key.spec.expires_at = self._settings.clock()
            return [str(key.status.aws_access_key_id) for key in found if key.status]

    def delete_cluster(self, cluster: str) -> None:
        """Remove the cluster as its owner would; what it left in the project stays."""
        with self._front.lock:
            self.clusters.remove(cluster)
