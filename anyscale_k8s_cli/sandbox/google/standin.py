"""The Google stand-in as the supervisor holds it: start, stop, and what a cluster asks of it."""

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

from aiohttp import web

from anyscale_k8s_cli.sandbox.google.accounts import ServiceAccounts
from anyscale_k8s_cli.sandbox.google.balancing import Balancing, Compute, GkeLoadBalancers
from anyscale_k8s_cli.sandbox.google.buckets import Buckets
from anyscale_k8s_cli.sandbox.google.clusters import Clusters
from anyscale_k8s_cli.sandbox.google.constraints import ConstraintSeed
from anyscale_k8s_cli.sandbox.google.container import Container
from anyscale_k8s_cli.sandbox.google.credentials import Credentials
from anyscale_k8s_cli.sandbox.google.front import Front
from anyscale_k8s_cli.sandbox.google.iam import Iam
from anyscale_k8s_cli.sandbox.google.oauth import OAuth
from anyscale_k8s_cli.sandbox.google.project import Project, account_caller
from anyscale_k8s_cli.sandbox.google.projects import ResourceManager, ServiceUsage
from anyscale_k8s_cli.sandbox.google.roles import OWNER, CustomRole
from anyscale_k8s_cli.sandbox.google.seed import (
    AUTOPILOT,
    ENABLED,
    HAND_MADE_ACCOUNT,
    PROJECT_ID,
    PROJECT_NUMBER,
    TEAM_DATA,
    ZONAL,
    AccountSeed,
    BucketSeed,
    GkeClusterSeed,
    node_account,
)
from anyscale_k8s_cli.sandbox.google.seeding import seed_accounts, seed_bucket
from anyscale_k8s_cli.sandbox.google.snapshot import snapshot
from anyscale_k8s_cli.sandbox.google.storage import Storage
from anyscale_k8s_cli.sandbox.google.sts import IssuerKeys, Sts
from anyscale_k8s_cli.sandbox.google.tokens import (
    CLOUD_PLATFORM,
    EMAIL_SCOPE,
    AccessTokens,
    SigningKey,
)
from anyscale_k8s_cli.sandbox.wire import Wire

_HOST = "127.0.0.1"
_SHUTDOWN = 0.2
_ADMIN_ROLE = f"projects/{PROJECT_ID}/roles/sandboxAdmin"
_NODE_ROLE = "roles/container.defaultNodeServiceAccount"
# By the services' names in the settings of Google's own command line, which also says
# what belongs to an address: https://cloud.google.com/sdk/gcloud/reference/topic/configurations
_OVERRIDES = {
    "cloudresourcemanager": "/",
    "compute": "/compute/v1/",
    "container": "/",
    "iam": "/",
    "iamcredentials": "/",
    "serviceusage": "/",
    "storage": "/storage/v1/",
    "sts": "/",
}


def _no_keys(_issuer: str) -> Mapping[str, Any] | None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class GoogleSettings:
    """How the world behaves, where it could behave otherwise.

    `refused_attempts`: how often a new account is unknown to each use, and a new
    binding overlooked. `removal_seconds`: how long a deleted load balancer can still be
    seen. `admin_permissions`: all that the administrator may do, instead of an owner's.
    """

    project_id: str = PROJECT_ID
    project_number: str = PROJECT_NUMBER
    clusters: Sequence[GkeClusterSeed] = (GkeClusterSeed(), ZONAL, AUTOPILOT)
    buckets: Sequence[BucketSeed] = (TEAM_DATA,)
    accounts: Sequence[AccountSeed] = (AccountSeed(HAND_MADE_ACCOUNT, "Reads team data"),)
    enabled: Sequence[str] = ENABLED
    kms_keys: Sequence[str] = ()
    own_roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    constraints: Sequence[ConstraintSeed] = ()
    admin_permissions: Sequence[str] | None = None
    refused_attempts: int = 1
    most_accounts: int = 100
    removal_seconds: float = 0.3
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic


class GoogleStandIn:
    """Serves Google's APIs on loopback until stopped.

    `issuer_keys` gives the key set of a cluster's token issuer, or None if it is not
    known. Methods may be called from any thread once it is started, `start` and
    `stop` from the loop that serves.
    """

    def __init__(
        self,
        wire: Wire,
        settings: GoogleSettings | None = None,
        *,
        issuer_keys: IssuerKeys = _no_keys,
    ) -> None:
        self._wire = wire
        self._settings = settings = settings or GoogleSettings()
        self._runner: web.AppRunner | None = None
        self.project = _project(settings)
        self.clusters = Clusters(settings.clusters)
        self.buckets = Buckets(
            settings.clock, settings.project_id, settings.kms_keys, settings.constraints
        )
        self.balancing = Balancing(
            settings.project_id, settings.monotonic, settings.removal_seconds
        )
        self._oauth = OAuth(self.project)
        self._front = Front(
            self.project,
            (
                *self._oauth.services(),
                Sts(self.project, self.clusters, issuer_keys).service(),
                Credentials(self.project).service(),
                Iam(self.project).service(),
                ResourceManager(self.project).service(),
                ServiceUsage(self.project).service(),
                Container(self.project, self.clusters).service(),
                Compute(self.project, self.balancing).service(),
                Storage.service(self.project, self.buckets),
            ),
        )
        self.admin = seed_accounts(self.project, settings.accounts)
        self._admin_key = SigningKey()
        self.project.keys.append((self.admin.unique_id, self._admin_key))
        for bucket in settings.buckets:
            seed_bucket(self.buckets, bucket)

    async def start(self) -> None:
        """Listen on a free port; returns once it answers."""
        # Making a key takes a moment, during which others get ready.
        self._runner = web.AppRunner(
            self._front.application(self._wire), access_log=None, shutdown_timeout=_SHUTDOWN
        )
        await asyncio.gather(asyncio.to_thread(lambda: self._admin_key.pem), self._runner.setup())
        await web.TCPSite(self._runner, _HOST, 0).start()
        self._front.url = f"http://{_HOST}:{self._runner.addresses[0][1]}"
        if self._settings.admin_permissions is not None:
            self.set_admin_permissions(self._settings.admin_permissions)

    async def stop(self) -> None:
        """Stop listening. Repeated calls do nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        return self._front.url

    def endpoint(self, service: str) -> str:
        """Where a service answers, by its name in its host: `container`, `storage`…"""
        return self._front.base(service)

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables by which Google's SDKs and our provider find the stand-in.

        The administrator's key is written to `folder`, for its user alone.
        """
        path = folder / "google-credentials.json"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(self.key_file(), out)
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(path),
            "GOOGLE_CLOUD_PROJECT": self.project.id,
            "NO_GCE_CHECK": "true",
            **self.endpoints(),
        }

    def endpoints(self) -> dict[str, str]:
        """The addresses alone, as variables."""
        return {
            f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}": self.endpoint(service) + path
            for service, path in _OVERRIDES.items()
        }

    def key_file(self) -> dict[str, str]:
        """The administrator's key, as the console hands it out."""
        return {
            "type": "service_account",
            "project_id": self.project.id,
            "private_key_id": self._admin_key.id,
            "private_key": self._admin_key.pem,
            "client_email": self.admin.email,
            "client_id": self.admin.unique_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"{self.endpoint('oauth2')}/token",
            "universe_domain": "googleapis.com",
        }

    # -- for clusters and the control plane ----------------------------------------------

    def set_endpoint(
        self, cluster: str, endpoint: str, ca_pem: bytes, dns_endpoint: str = ""
    ) -> None:
        """Tell where the cluster's API server listens (`host:port`)."""
        with self._front.lock:
            found = self.clusters.named(cluster)
            found.endpoint, found.ca_pem, found.dns_endpoint = endpoint, ca_pem, dns_endpoint

    def load_balancers(self, cluster: str) -> GkeLoadBalancers:
        """What serves the cluster's Services of type LoadBalancer."""
        return GkeLoadBalancers(self.balancing, self.clusters.named(cluster))

    def kubernetes_user(self, token: str) -> tuple[str, bool] | None:
        """A caller's name in clusters, and whether its roles make it an administrator there.

        A token without the e-mail's scope only tells a number. Tokens that callers sign
        themselves are none for a cluster.
        """
        with self._front.lock:
            caller = self.project.caller(token)
            if caller is None or not caller.member:
                return None
            named = {EMAIL_SCOPE, "email"} & caller.scopes
            name = caller.email if named or not caller.uid else caller.uid
            whole = CLOUD_PLATFORM in caller.scopes
            admin = whole and self.project.permits(caller, "container.clusterRoles.bind")
            return name, admin

    def node_token(self) -> tuple[str, str]:
        """The e-mail and an access token of the nodes' account, as a machine is given it."""
        with self._front.lock:
            account = self.project.accounts.get(node_account(self.project.number))
            caller = account_caller(account, frozenset({CLOUD_PLATFORM, EMAIL_SCOPE}))
            return account.email, self.project.tokens.issue(caller).value

    def verify_id_token(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of an ID token that Google signed. Raises :class:`tokens.BadToken`."""
        with self._front.lock:
            return self._oauth.id_token_claims(token, audience)

    # -- for tests and faults ---------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything in the project that matters, as plain data."""
        with self._front.lock:
            return snapshot(self.project, self.buckets, self.balancing)

    def set_admin_permissions(self, permissions: Sequence[str] | None) -> None:
        """From now on the administrator may do only this (patterns); None: what an owner may."""
        with self._front.lock:
            self.project.roles.custom[_ADMIN_ROLE] = CustomRole(tuple(permissions or ()))
            role = OWNER if permissions is None else _ADMIN_ROLE
            for grant in self.project.policy.grants:
                if grant.uid == self.admin.unique_id:
                    grant.role = role

    def set_metadata_mode(self, cluster: str, mode: str) -> None:
        """Switch all pools of a cluster to a metadata mode."""
        with self._front.lock:
            modes = self.clusters.named(cluster).metadata_modes
            modes.update(dict.fromkeys(modes, mode))

    def expire_tokens(self) -> None:
        """End every access token that was given out."""
        with self._front.lock:
            self.project.tokens.expire_all()

    def delete_cluster(self, cluster: str) -> None:
        """Remove the cluster as its owner would; what it left in the project stays."""
        with self._front.lock:
            self.clusters.remove(cluster)


def _project(settings: GoogleSettings) -> Project:
    accounts = ServiceAccounts(
        settings.project_id, settings.clock, settings.refused_attempts, settings.most_accounts
    )
    project = Project(
        settings.project_id,
        settings.project_number,
        settings.clock,
        accounts,
        AccessTokens(settings.clock),
        settings.refused_attempts,
        set(settings.enabled),
    )
    project.roles.custom.update(
        {name: CustomRole(tuple(held)) for name, held in settings.own_roles.items()}
    )
    project.pools.update(seed.workload_pool for seed in settings.clusters if seed.workload_pool)
    return project
