"""The provider in front of a started Azure stand-in, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.providers.aks import AksProvider
from anyscale_k8s_cli.sandbox.azure.directory import ANYSCALE_AUDIENCE, EXCHANGE_AUDIENCE
from anyscale_k8s_cli.sandbox.azure.seed import (
    BARE,
    SUBSCRIPTION_ID,
    TEAM_DATA,
    TEAM_IDENTITY,
    AksClusterSeed,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings, AzureStandIn
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from tests import cloud_sides
from tests.issuer import Issuer

World: TypeAlias = cloud_sides.World[AzureStandIn, AksProvider]

CLUSTER = AksClusterSeed(endpoint="https://127.0.0.1:1", ca_pem=b"-----BEGIN CERTIFICATE-----")
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/demo"
ACCOUNTS = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/"
IDENTITIES = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
_SAID = {
    "provider": "aks",
    "name": "prod",
    "cluster": {"name": "demo"},
    "account": {"subscription_id": SUBSCRIPTION_ID, "resource_group": "demo"},
}


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
    """The subscription of a test; a module or a test's parameters make another."""
    bare = replace(BARE, endpoint=CLUSTER.endpoint, ca_pem=CLUSTER.ca_pem)
    return AzureSettings(
        clusters=(CLUSTER, bare),
        accounts=(TEAM_DATA,),
        identities=(TEAM_IDENTITY,),
        poll_seconds=0.01,
    )


@pytest.fixture
def start(
    signing_key: rsa.RSAPrivateKey,
    served: Any,
    authority: Authority,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[AzureSettings], World]]:
    """Starts a subscription and points this process's environment at it."""
    started: list[AzureStandIn] = []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def begin(settings: AzureSettings) -> World:
        issuer = Issuer(settings.clusters[0].issuer, signing_key, EXCHANGE_AUDIENCE)
        wire = Wire()
        stand_in = AzureStandIn(wire, authority, settings, issuer_keys=issuer.keys)
        served(stand_in.start())
        started.append(stand_in)
        for name, value in stand_in.environment().items():
            monkeypatch.setenv(name, value)
        anyscale = cloud_sides.Anyscale(audience=f"{ANYSCALE_AUDIENCE}/.default")
        return cloud_sides.World(stand_in, settings, wire, issuer, AksProvider, _SAID, anyscale)

    yield begin
    for stand_in in started:
        served(stand_in.stop())


@pytest.fixture
def world(start: Callable[[AzureSettings], World], settings: AzureSettings) -> World:
    return start(settings)
