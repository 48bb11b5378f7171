"""The provider in front of a started Oracle stand-in and its object store, over their own wires."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.providers.oke import OkeProvider
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.oci.standin import OciSettings, OciStandIn
from anyscale_k8s_cli.sandbox.oke import STORE, TenancyStore
from anyscale_k8s_cli.sandbox.wire import Wire
from tests import cloud_sides
from tests.issuer import Issuer

ENDPOINT, CA_PEM = "https://127.0.0.1:1", b"-----BEGIN CERTIFICATE-----"
_SAID = {"provider": "oke", "name": "prod", "cluster": {"name": "demo"}}


@dataclass
class Cloud:
    """Oracle Cloud and its object store."""

    oci: OciStandIn
    store: ObjectStoreStandIn

    def snapshot(self) -> dict[str, Any]:
        return {**self.oci.snapshot(), "objects": self.store.store.snapshot()["buckets"]}


World: TypeAlias = cloud_sides.World[Cloud, OkeProvider]


@pytest.fixture
def settings() -> OciSettings:
    """The tenancy of a test; a module or a test's parameters make another."""
    return OciSettings(refused_attempts=0)


@pytest.fixture
def start(
    signing_key: rsa.RSAPrivateKey, served: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[OciSettings], World]]:
    """Starts a tenancy and points this process's environment at it."""
    started: list[Cloud] = []

    def begin(settings: OciSettings) -> World:
        wire, objects = Wire(), TenancyStore()
        objects.oci = oci = OciStandIn(wire, objects, settings)
        cloud = Cloud(oci, ObjectStoreStandIn(wire, objects, STORE))
        served(oci.start())
        served(cloud.store.start())
        started.append(cloud)
        for seed in settings.clusters:
            oci.set_endpoint(seed.name, ENDPOINT, CA_PEM)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in oci.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OCI_S3_ENDPOINT", cloud.store.url)
        issuer = Issuer("https://issuer.example", signing_key, "nobody")
        return cloud_sides.World(cloud, settings, wire, issuer, OkeProvider, _SAID)

    yield begin
    for cloud in started:
        served(cloud.store.stop())
        served(cloud.oci.stop())


@pytest.fixture
def world(start: Callable[[OciSettings], World], settings: OciSettings) -> World:
    return start(settings)
