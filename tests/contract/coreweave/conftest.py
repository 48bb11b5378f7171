"""The provider in front of a started CoreWeave stand-in and its object store, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.providers.coreweave import CoreWeaveProvider
from anyscale_k8s_cli.sandbox.cks import HOST, STORE, OrganisationStore
from anyscale_k8s_cli.sandbox.coreweave.federation import AUDIENCE
from anyscale_k8s_cli.sandbox.coreweave.organisation import Organisation
from anyscale_k8s_cli.sandbox.coreweave.seed import ClusterSeed
from anyscale_k8s_cli.sandbox.coreweave.standin import CoreWeaveStandIn
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from tests import cloud_sides
from tests.issuer import Issuer

ENDPOINT = "127.0.0.1:1"
_SAID = {
    "provider": "coreweave",
    "name": "prod",
    "region": "us-east-04a",
    "cluster": {"name": "demo"},
}


@dataclass(frozen=True)
class Settings:
    clusters: tuple[ClusterSeed, ...] = (ClusterSeed(),)
    refused_attempts: int = 0
    cors: bool = True
    federated: bool = True


@dataclass
class Cloud:
    """CoreWeave and its object store."""

    coreweave: CoreWeaveStandIn
    store: ObjectStoreStandIn

    @property
    def organisation(self) -> Organisation:
        return self.coreweave.organisation

    def snapshot(self) -> dict[str, Any]:
        return {**self.organisation.snapshot(), "objects": self.store.store.snapshot()}


World: TypeAlias = cloud_sides.World[Cloud, CoreWeaveProvider]
Start: TypeAlias = Callable[[Settings], World]


@pytest.fixture
def settings() -> Settings:
    """The organisation of a test; a module or a test's parameters make another."""
    return Settings()


@pytest.fixture
def start(
    signing_key: rsa.RSAPrivateKey, served: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Start]:
    """Starts an organisation and points this process's environment at it."""
    started: list[Cloud] = []

    def begin(settings: Settings) -> World:
        wire, organisation = Wire(), Organisation(settings.refused_attempts)
        issuer = Issuer(ClusterSeed().issuer, signing_key, AUDIENCE)
        if settings.federated:
            organisation.federate(issuer.url)
        cloud = Cloud(
            CoreWeaveStandIn(wire, organisation, settings.clusters, issuer.keys),
            ObjectStoreStandIn(wire, OrganisationStore(organisation, cors=settings.cors), STORE),
        )
        served(cloud.coreweave.start())
        served(cloud.store.start())
        started.append(cloud)
        for seed in settings.clusters:
            cloud.coreweave.set_endpoint(seed.name, ENDPOINT)
        variables = {
            "HOME": str(tmp_path),
            "COREWEAVE_API_ENDPOINT": cloud.coreweave.url,
            "COREWEAVE_API_TOKEN": organisation.token,
            "COREWEAVE_S3_ENDPOINT": f"http://{HOST}",
            "HTTP_PROXY": cloud.store.url,
            "http_proxy": cloud.store.url,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return cloud_sides.World(cloud, settings, wire, issuer, CoreWeaveProvider, _SAID)

    yield begin
    for cloud in started:
        served(cloud.store.stop())
        served(cloud.coreweave.stop())


@pytest.fixture
def world(start: Start, settings: Settings) -> World:
    return start(settings)
