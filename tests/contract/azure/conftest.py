"""A started Azure stand-in per test, and Azure's own SDKs for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobServiceClient
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.sandbox.azure.seed import (
    BARE,
    OTHER_SUBSCRIPTION_ID,
    SUBSCRIPTION_ID,
    TEAM_DATA,
    TENANT_ID,
    AksClusterSeed,
    StorageAccountSeed,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings, AzureStandIn
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from tests.issuer import Clock, Issuer

STRANGERS_ACCOUNT = StorageAccountSeed("somebodyelses", subscription_id=OTHER_SUBSCRIPTION_ID)
SUBJECT = "system:serviceaccount:anyscale-operator:anyscale-operator"
EXCHANGE = "api://AzureADTokenExchange"
SCOPE = f"/subscriptions/{SUBSCRIPTION_ID}"


@dataclass
class Azure:
    """The stand-in and everything a test wants of it. `credential` is the administrator's."""

    stand_in: AzureStandIn
    wire: Wire
    clock: Clock
    issuer: Issuer
    bundle: Path
    credential: Any = None
    _clients: dict[tuple[type, int], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # One for all: of its own each client would begin with a connection.
        self.transport = RequestsTransport(connection_verify=str(self.bundle))
        admin = self.stand_in.world.admin
        self.credential = self.secret(admin.app_id, admin.secret)

    @property
    def identity_options(self) -> dict[str, Any]:
        return {
            "authority": self.stand_in.world.login_url,
            "disable_instance_discovery": True,
            "transport": self.transport,
        }

    def secret(self, client_id: str, secret: str, tenant: str = TENANT_ID) -> Any:
        return ClientSecretCredential(tenant, client_id, secret, **self.identity_options)

    def federated(self, client_id: str, token: str) -> Any:
        """Whoever a cluster's token stands for."""
        return ClientAssertionCredential(
            TENANT_ID, client_id, lambda: token, **self.identity_options
        )

    def application(self, name: str, *roles: dict[str, Any]) -> Any:
        """The credential of another application."""
        principal = self.stand_in.world.add_application(name, roles)
        return self.secret(principal.app_id, principal.secret)

    def _client(self, kind: type, credential: Any) -> Any:
        credential = credential or self.credential
        key = (kind, id(credential))
        if key not in self._clients:
            self._clients[key] = kind(
                credential=credential,
                subscription_id=SUBSCRIPTION_ID,
                base_url=self.stand_in.url,
                transport=self.transport,
                retry_total=0,
            )
        return self._clients[key]

    def clusters(self, credential: Any = None) -> Any:
        return self._client(ContainerServiceClient, credential).managed_clusters

    def pools(self) -> Any:
        return self._client(ContainerServiceClient, None).agent_pools

    def identities(self, credential: Any = None) -> Any:
        return self._client(ManagedServiceIdentityClient, credential).user_assigned_identities

    def federated_credentials(self, credential: Any = None) -> Any:
        client = self._client(ManagedServiceIdentityClient, credential)
        return client.federated_identity_credentials

    def storage(self, credential: Any = None) -> Any:
        return self._client(StorageManagementClient, credential)

    def authorization(self, credential: Any = None) -> Any:
        return self._client(AuthorizationManagementClient, credential)

    def blobs(self, account: str, credential: Any = None) -> Any:
        return BlobServiceClient(
            f"{self.stand_in.world.blob_url}/{account}",
            credential=credential or self.credential,
            transport=self.transport,
            retry_total=0,
        )

    def token(self, scope: str = "https://management.azure.com/.default") -> str:
        return str(self.credential.get_token(scope).token)

    def raw(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Any:
        """A request that no SDK would make."""
        bearer = self.token() if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = f"{self.stand_in.url}{path}"
        return requests.request(
            method, url, headers=headers, verify=str(self.bundle), timeout=10, **more
        )

    # -- what many tests begin with ---------------------------------------------------

    def make_account(self, name: str = "anyscale1234", **properties: Any) -> Any:
        body = {
            "location": "eastus",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "properties": properties,
        }
        return self.storage().storage_accounts.begin_create("demo", name, body).result()

    def make_identity(self, name: str = "anyscale-prod") -> Any:
        return self.identities().create_or_update("demo", name, {"location": "eastus"})

    def trust(self, identity: Any, name: str = "cluster", **changed: Any) -> Any:
        properties = {
            "issuer": self.issuer.url,
            "subject": SUBJECT,
            "audiences": [EXCHANGE],
            **changed,
        }
        body = {"properties": properties}
        credentials = self.federated_credentials()
        return credentials.create_or_update("demo", identity.name, name, body)

    def role_id(self, name: str) -> str:
        (found,) = self.authorization().role_definitions.list(SCOPE, filter=f"roleName eq '{name}'")
        return str(found.id)

    def grant(self, scope: str, principal_id: str, role: str, name: str, **more: Any) -> Any:
        properties = {
            "roleDefinitionId": self.role_id(role),
            "principalId": principal_id,
            "principalType": "ServicePrincipal",
            **more,
        }
        return self.authorization().role_assignments.create(scope, name, {"properties": properties})


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def bundle(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("azure") / "ca.pem"
    path.write_bytes(authority.ca_pem)
    return path


@pytest.fixture
def settings() -> AzureSettings:
    """The world of a test; a test module overrides this fixture for another world."""
    return AzureSettings(
        clusters=(AksClusterSeed(), BARE),
        accounts=(TEAM_DATA, STRANGERS_ACCOUNT),
        replication_attempts=0,
        federation_attempts=0,
        propagation_attempts=0,
        poll_seconds=0.01,
    )


@pytest.fixture
def azure(
    settings: AzureSettings,
    signing_key: rsa.RSAPrivateKey,
    served: Any,
    authority: Authority,
    bundle: Path,
) -> Iterator[Azure]:
    clock, wire = Clock(), Wire()
    issuer = Issuer(settings.clusters[0].issuer, signing_key, EXCHANGE)
    settings = replace(settings, clock=clock.now, monotonic=clock.monotonic)
    stand_in = AzureStandIn(wire, authority, settings, issuer_keys=issuer.keys)
    served(stand_in.start())
    try:
        yield Azure(stand_in, wire, clock, issuer, bundle)
    finally:
        served(stand_in.stop())


@contextmanager
def _refused(code: str, match: str = "", status: int = 0) -> Iterator[None]:
    with pytest.raises(HttpResponseError) as caught:
        yield
    error = caught.value
    told = getattr(error, "error_code", None) or (error.error.code if error.error else None)
    assert told == code, (told, error.message)
    assert match in error.message
    assert status in (0, error.status_code)


@pytest.fixture
def refused() -> Any:
    """A context in which a call must be refused with a code and words."""
    return _refused
