"""The subscription and everything that gives it behaviour, put together."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.azure import seeding, webhook
from anyscale_k8s_cli.sandbox.azure.arm import Arm
from anyscale_k8s_cli.sandbox.azure.arm_routes import Routes
from anyscale_k8s_cli.sandbox.azure.authorization import Authorization
from anyscale_k8s_cli.sandbox.azure.blob import BlobEndpoint
from anyscale_k8s_cli.sandbox.azure.blob_auth import Admission
from anyscale_k8s_cli.sandbox.azure.blob_service import BlobServices
from anyscale_k8s_cli.sandbox.azure.clusters import Clusters
from anyscale_k8s_cli.sandbox.azure.directory import Directory, IssuerKeys, Principal, for_aks
from anyscale_k8s_cli.sandbox.azure.entra import Entra
from anyscale_k8s_cli.sandbox.azure.identities import Identities
from anyscale_k8s_cli.sandbox.azure.key_vaults import KeyVaults
from anyscale_k8s_cli.sandbox.azure.lag import Lag
from anyscale_k8s_cli.sandbox.azure.load_balancers import AksLoadBalancers
from anyscale_k8s_cli.sandbox.azure.locks import Locks
from anyscale_k8s_cli.sandbox.azure.network import Network
from anyscale_k8s_cli.sandbox.azure.operations import Operations
from anyscale_k8s_cli.sandbox.azure.policies import Policies
from anyscale_k8s_cli.sandbox.azure.resources import Resource, Resources
from anyscale_k8s_cli.sandbox.azure.rights import Rights
from anyscale_k8s_cli.sandbox.azure.roles import custom_role
from anyscale_k8s_cli.sandbox.azure.seed import ADMIN, guid
from anyscale_k8s_cli.sandbox.azure.snapshot import snapshot
from anyscale_k8s_cli.sandbox.azure.storage import StorageAccounts
from anyscale_k8s_cli.sandbox.azure.subscriptions import NAMESPACES, Subscriptions
from anyscale_k8s_cli.sandbox.azure.tokens import BadToken
from anyscale_k8s_cli.sandbox.azure.usages import Usages

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings

# https://learn.microsoft.com/azure/azure-resource-manager/management/endpoint-metadata
_STORAGE_SUFFIX = "core.windows.net"


class World:
    """A subscription. The addresses are where its servers listen, known once they do.

    Whatever touches it holds `lock`: the servers' threads and whoever asks from outside.
    """

    def __init__(self, settings: AzureSettings, issuer_keys: IssuerKeys) -> None:
        self.lock = threading.RLock()
        self.login_url = self.management_url = self.blob_url = ""
        self.settings = settings
        self.resources = Resources(settings.subscription_id, settings.monotonic)
        self.directory = Directory(
            settings.tenant_id,
            settings.clock,
            issuer_keys,
            replication=Lag(settings.replication_attempts),
            federation=Lag(settings.federation_attempts),
            anyscale_known=settings.anyscale_known,
        )
        self.rights = Rights(
            self.directory, self.resources.scope, Lag(settings.propagation_attempts)
        )
        self.locks = Locks(list(settings.locks))
        self.policies = Policies(self.resources.scope, settings.policies)
        self.usages = Usages(self.resources, settings.limits)
        self.operations = Operations(settings.operation_polls, settings.poll_seconds)
        self._assemble()
        self.resources.on_removal.append(self._forget_grants)
        self.admin = self.directory.add_application(ADMIN, settings.admin_groups)
        self.rights.replace(self.admin, settings.admin_roles)
        self._seed()
        self.load_balancers = {
            seed.name: AksLoadBalancers(
                self.resources,
                self.policies,
                self.usages,
                seed,
                self.lock,
                settings.removal_seconds,
            )
            for seed in settings.clusters
        }

    def _assemble(self) -> None:
        registered = {name: name not in self.settings.unregistered for name in NAMESPACES}
        self.subscriptions = Subscriptions(
            self.settings.tenant_id,
            self.resources,
            self.rights,
            self.locks,
            self.policies,
            self.operations,
            registered,
        )
        self.vaults = KeyVaults(self.resources, self.rights, self.directory)
        self.accounts = StorageAccounts(
            self.resources,
            self.subscriptions,
            self.operations,
            self.locks,
            self.policies,
            self.settings.clock,
            lambda: self.blob_url,
            self.vaults,
            self.settings.container_removal_attempts,
        )
        self.identities = Identities(
            self.resources, self.directory, self.subscriptions, self.locks, self.policies
        )
        self.clusters = Clusters(self.resources, self.directory, self.rights)

    def _seed(self) -> None:
        for cluster in self.settings.clusters:
            seeding.seed_cluster_groups(self.resources, cluster)
            seeding.seed_network(self.resources, cluster)
            self.clusters.add(cluster)
        for account in self.settings.accounts:
            seeding.seed_account(self.accounts, account)
        for identity in self.settings.identities:
            seeding.seed_identity(self.identities, self.rights, identity)
        for document in self.settings.own_roles:
            self.rights.define(custom_role(guid("own role", str(document.get("Name"))), document))
        for vault in self.settings.vaults:
            seeding.seed_vault(self.vaults, vault)

    def _forget_grants(self, resource: Resource) -> None:
        self.rights.forget_scope(resource.id)

    # -- its servers ----------------------------------------------------------------------

    def entra(self) -> Entra:
        return Entra(self.directory, self.lock)

    def arm(self) -> Arm:
        services = (
            self.subscriptions,
            Authorization(self.rights, self.directory, self.locks),
            self.identities,
            self.accounts,
            BlobServices(self.accounts, self.locks),
            self.clusters,
            self.vaults,
            Network(self.resources),
            self.usages,
            self.operations,
        )
        routes = Routes([route for service in services for route in service.routes()])
        return Arm(self.directory, self.resources, self.rights, routes, self._metadata, self.lock)

    def blob(self) -> BlobEndpoint:
        admission = Admission(self.directory, self.rights, self.login_url)
        return BlobEndpoint(self.accounts, admission, self.settings.clock, self.lock)

    def _metadata(self) -> list[Mapping[str, Any]]:
        return [
            {
                "name": "AzureCloud",
                "portal": "https://portal.azure.com",
                "authentication": {
                    "loginEndpoint": f"{self.login_url}/",
                    "audiences": [
                        "https://management.core.windows.net/",
                        "https://management.azure.com/",
                    ],
                    "tenant": "common",
                    "identityProvider": "AAD",
                },
                "graphAudience": "https://graph.windows.net/",
                "microsoftGraphResourceId": "https://graph.microsoft.com/",
                "resourceManager": f"{self.management_url}/",
                "suffixes": {"storage": _STORAGE_SUFFIX, "acrLoginServer": "azurecr.io"},
            }
        ]

    # -- for clusters, tests and switches ---------------------------------------------------

    def set_endpoint(
        self, cluster: str, endpoint: str, ca_pem: bytes, local: tuple[bytes, bytes]
    ) -> None:
        with self.lock:
            found = self.clusters.named(cluster)
            found.endpoint, found.ca_pem, found.client_certificate = endpoint, ca_pem, local

    def aks_user(self, token: str, cluster: str) -> tuple[str, tuple[str, ...]] | None:
        with self.lock:
            try:
                bearer = self.directory.tokens.verify(token, for_aks)
            except BadToken:
                return None
            principal = self.directory.find(bearer.object_id)
            if principal is None:
                return None
            return self.clusters.user(self.clusters.named(cluster), principal)

    def admit_pod(
        self, pod: dict[str, Any], service_account: Mapping[str, Any] | None, cluster: str
    ) -> None:
        with self.lock:
            seed = self.clusters.named(cluster).seed
        if seed.workload_identity:
            host = f"{self.login_url}/"
            webhook.admit(
                pod, service_account, tenant_id=self.settings.tenant_id, authority_host=host
            )

    def add_application(self, name: str, roles: Sequence[Mapping[str, Any]]) -> Principal:
        with self.lock:
            principal = self.directory.add_application(name)
            self.rights.replace(principal, roles)
            return principal

    def set_admin_roles(self, roles: Sequence[Mapping[str, Any]]) -> None:
        with self.lock:
            self.rights.replace(self.admin, roles)

    def delete_cluster(self, cluster: str) -> None:
        """Its node resource group goes with it, and what is in there."""
        with self.lock:
            found = self.clusters.named(cluster)
            group = self.resources.group(found.seed.node_resource_group)
            below = self.resources.under(group.id) if group is not None else []
            for gone in [*below, group, self.resources.find(found.id)]:
                if gone is not None:
                    self.resources.remove(gone)

    def snapshot(self) -> dict[str, Any]:
        with self.lock:
            return snapshot(self.accounts, self.identities, self.rights)
