"""The provider in front of a started Nebius stand-in and its object store, over their own wires."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.providers.nebius import NebiusProvider
from anyscale_k8s_cli.sandbox.mk8s import STORE, ProjectStore
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings, NebiusStandIn
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from tests import cloud_sides
from tests.issuer import Issuer

ENDPOINT, CA_PEM = "https://127.0.0.1:1", b"-----BEGIN CERTIFICATE-----"
_SAID = {"provider": "nebius", "name": "prod", "cluster": {"name": "demo"}}


@dataclass
class Cloud:
    """Nebius and the object store of its region."""

    nebius: NebiusStandIn
    store: ObjectStoreStandIn

    def snapshot(self) -> dict[str, Any]:
        return {**self.nebius.snapshot(), "objects": self.store.store.snapshot()}


World: TypeAlias = cloud_sides.World[Cloud, NebiusProvider]


@pytest.fixture
def settings() -> NebiusSettings:
    """The project of a test; a module or a test's parameters make another."""
    return NebiusSettings(operation_polls=0, refused_attempts=0)


@pytest.fixture
def start(
    signing_key: rsa.RSAPrivateKey, served: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[NebiusSettings], World]]:
    """Starts a project and points this process's environment at it."""
    started: list[Cloud] = []

    def begin(settings: NebiusSettings) -> World:
        wire, objects = Wire(), ProjectStore()
        nebius = NebiusStandIn(wire, objects, settings)
        objects.iam = nebius
        cloud = Cloud(nebius, ObjectStoreStandIn(wire, objects, STORE))
        served(nebius.start())
        served(cloud.store.start())
        started.append(cloud)
        for seed in settings.clusters:
            nebius.set_endpoint(seed.name, ENDPOINT, CA_PEM)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in nebius.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NEBIUS_STORAGE_ENDPOINT", cloud.store.url)
        issuer = Issuer("https://issuer.example", signing_key, "nobody")
        return cloud_sides.World(cloud, settings, wire, issuer, NebiusProvider, _SAID)

    yield begin
    for cloud in started:
        served(cloud.store.stop())
        served(cloud.nebius.stop())


@pytest.fixture
def world(start: Callable[[NebiusSettings], World], settings: NebiusSettings) -> World:
    return start(settings)
