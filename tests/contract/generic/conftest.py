"""The provider of any cluster, with a store in front of a started stand-in, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from anyscale_k8s_cli.checks import Finding
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.generic import GenericProvider
from anyscale_k8s_cli.resource import NO_TAGS
from anyscale_k8s_cli.sandbox.azure.seed import TEAM_DATA as TEAM_ACCOUNT
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings, AzureStandIn
from anyscale_k8s_cli.sandbox.google.seed import OTHER_PROJECT_NUMBER, TEAM_DATA, BucketSeed
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings, GoogleStandIn
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.spec import CloudSpec
from tests import cloud_sides

S = TypeVar("S", bound=cloud_sides.StandIn)

CLUSTER_UID = "9d2f9c52-4b44-4b0c-9a53-51b0a9f1f0ab"
CLUSTER = Cluster(
    name="lab",
    id=CLUSTER_UID,
    account=CLUSTER_UID,
    region="onprem",
    version="1.33",
    access=ClusterAccess("https://127.0.0.1:1", "", None),
)
SAID = {
    "provider": "generic",
    "name": "prod",
    "region": "onprem",
    "cluster": {"context": "lab"},
}


@dataclass
class StoreWorld(cloud_sides.World[S, GenericProvider]):
    """The cluster is never asked: all of it is about the store."""

    def cloud_side(
        self, spec: CloudSpec | None = None, dropped_tags: Mapping[str, str] = NO_TAGS
    ) -> CloudSide:
        spec = spec or self.spec()
        self.provider.check_spec(spec)
        install = self.install(spec, CLUSTER)
        return self.provider.cloud_side(spec, CLUSTER, install, self.anyscale, dropped_tags)

    def check_all(self, spec: CloudSpec | None = None) -> dict[str, Finding]:
        self.cloud_side(spec)
        found = self.provider.checks(spec or self.spec(), CLUSTER)
        return {check.code: check.run() for check in found}


@pytest.fixture
def google(
    served: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., StoreWorld[GoogleStandIn]]]:
    """Starts a project, whose administrator's key is the one that is given."""
    started: list[GoogleStandIn] = []

    def begin(settings: GoogleSettings | None = None, **more: Any) -> StoreWorld[GoogleStandIn]:
        strangers = BucketSeed("somebody-elses", project_number=OTHER_PROJECT_NUMBER)
        settings = settings or GoogleSettings(clusters=(), buckets=(TEAM_DATA, strangers))
        wire = Wire()
        stand_in = GoogleStandIn(wire, settings, **more)
        served(stand_in.start())
        started.append(stand_in)
        for name, value in stand_in.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        said = {**SAID, "storage": {"kind": "gcs"}}
        issuer: Any = None  # nobody vouches for anybody here
        return StoreWorld(stand_in, settings, wire, issuer, GenericProvider, said)

    yield begin
    for stand_in in started:
        served(stand_in.stop())


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def azure(
    served: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., StoreWorld[AzureStandIn]]]:
    """Starts a subscription, whose administrator's secret is the one that is given."""
    started: list[AzureStandIn] = []
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.ca_pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def begin(
        *roles: str, settings: AzureSettings | None = None, **more: Any
    ) -> StoreWorld[AzureStandIn]:
        settings = settings or AzureSettings(clusters=(), accounts=(TEAM_ACCOUNT,))
        wire = Wire()
        stand_in = AzureStandIn(wire, authority, settings, **more)
        served(stand_in.start())
        started.append(stand_in)
        stand_in.set_admin_roles([{"role": role} for role in roles])
        for name, value in stand_in.environment().items():
            monkeypatch.setenv(name, value)
        where = f"{stand_in.world.blob_url}/{TEAM_ACCOUNT.name}"
        said = {**SAID, "storage": {"account": where}}
        issuer: Any = None  # nobody vouches for anybody here
        return StoreWorld(stand_in, settings, wire, issuer, GenericProvider, said)

    yield begin
    for stand_in in started:
        served(stand_in.stop())
