"""The provider in front of a started Google stand-in, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import google.auth
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.transport.requests import AuthorizedSession

from anyscale_k8s_cli.providers.gke import GkeProvider
from anyscale_k8s_cli.sandbox.google.seed import (
    AUTOPILOT,
    OTHER_PROJECT_NUMBER,
    TEAM_DATA,
    ZONAL,
    BucketSeed,
    GkeClusterSeed,
)
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings, GoogleStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from tests import cloud_sides
from tests.issuer import Issuer

World: TypeAlias = cloud_sides.World[GoogleStandIn, GkeProvider]

CLUSTER = GkeClusterSeed()
STRANGERS = BucketSeed("somebody-elses", project_number=OTHER_PROJECT_NUMBER)
ENDPOINT, CA_PEM = "127.0.0.1:1", b"-----BEGIN CERTIFICATE-----"
_SAID = {
    "provider": "gke",
    "name": "prod",
    "account": {"project_id": "demo"},
    "cluster": {"name": "demo"},
}


def by_hand(world: World, service: str, method: str, path: str, **body: Any) -> Any:
    """One call of the administrator's that must succeed, as with curl; returns the answer."""
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    with AuthorizedSession(credentials) as session:
        answer = session.request(method, world.stand_in.endpoint(service) + path, json=body or None)
    assert answer.ok, answer.text
    return answer.json()


def patch_bucket(world: World, name: str, changes: dict[str, Any]) -> None:
    by_hand(world, "storage", "PATCH", f"/storage/v1/b/{name}", **changes)


@pytest.fixture
def settings() -> GoogleSettings:
    """The project of a test; a module or a test's parameters make another."""
    return GoogleSettings(clusters=(CLUSTER, ZONAL, AUTOPILOT), buckets=(TEAM_DATA, STRANGERS))


@pytest.fixture
def start(
    signing_key: rsa.RSAPrivateKey, served: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[GoogleSettings], World]]:
    """Starts a project and points this process's environment at it."""
    started: list[GoogleStandIn] = []

    def begin(settings: GoogleSettings) -> World:
        seed, wire = settings.clusters[0], Wire()
        issuer = Issuer(seed.issuer, signing_key, seed.workload_pool)
        stand_in = GoogleStandIn(wire, settings, issuer_keys=issuer.keys)
        served(stand_in.start())
        started.append(stand_in)
        for cluster in stand_in.clusters.all():
            cluster.endpoint, cluster.ca_pem = ENDPOINT, CA_PEM
        for name, value in stand_in.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        said = {**_SAID, "account": {"project_id": settings.project_id}}
        return cloud_sides.World(stand_in, settings, wire, issuer, GkeProvider, said)

    yield begin
    for stand_in in started:
        served(stand_in.stop())


@pytest.fixture
def world(start: Callable[[GoogleSettings], World], settings: GoogleSettings) -> World:
    return start(settings)
