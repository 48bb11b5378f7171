"""The provider in front of a started AWS stand-in, over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.providers.eks import EksProvider
from anyscale_k8s_cli.sandbox.aws.seed import (
    ADDONS,
    CPU_NODES,
    OTHER_ACCOUNT_ID,
    POD_IDENTITY_AGENT,
    TEAM_DATA,
    BucketSeed,
    EksClusterSeed,
)
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from tests import cloud_sides
from tests.issuer import Issuer

World: TypeAlias = cloud_sides.World[AwsStandIn, EksProvider]

# With one group of nodes, since every look at the cluster asks for each.
CLUSTER = EksClusterSeed(
    endpoint="https://127.0.0.1:1",
    ca_pem=b"-----BEGIN CERTIFICATE-----",
    node_groups=(CPU_NODES,),
)
WITH_AGENT = replace(CLUSTER, addons=(*ADDONS, POD_IDENTITY_AGENT))
# One session for all tests: it keeps the models of the services, which are slow to load.
_SDK = boto3.session.Session(region_name="us-west-2")
_SAID = {
    "provider": "eks",
    "name": "prod",
    "region": "us-west-2",
    "cluster": {"name": "demo"},
}


def client(service: str) -> Any:
    """The SDK's own client of whoever the environment names now."""
    return _SDK.client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def settings() -> AwsSettings:
    """The account of a test; a module or a test's parameters make another."""
    strangers = BucketSeed("somebody-elses", account_id=OTHER_ACCOUNT_ID)
    return AwsSettings(clusters=(CLUSTER,), buckets=(TEAM_DATA, strangers))


@pytest.fixture
def start(
    signing_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[AwsSettings], World]]:
    """Starts an account and points this process's environment at it."""
    started: list[AwsStandIn] = []

    def begin(settings: AwsSettings) -> World:
        issuer = Issuer(settings.clusters[0].issuer, signing_key, "sts.amazonaws.com")
        wire = Wire()
        stand_in = AwsStandIn(wire, settings, issuer_keys=issuer.keys)
        cloud_sides.loop().run_until_complete(stand_in.start())
        started.append(stand_in)
        for name, value in stand_in.environment().items():
            monkeypatch.setenv(name, value)
        return cloud_sides.World(stand_in, settings, wire, issuer, EksProvider, _SAID)

    yield begin
    for stand_in in started:
        cloud_sides.loop().run_until_complete(stand_in.stop())


@pytest.fixture
def world(start: Callable[[AwsSettings], World], settings: AwsSettings) -> World:
    return start(settings)
