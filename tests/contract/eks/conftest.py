"""The provider in front of a started AWS stand-in, over HTTP, and the engine behind it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli import apply, plan
from anyscale_k8s_cli.events import Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import CloudSide, Cluster
from anyscale_k8s_cli.providers.eks import EksProvider
from anyscale_k8s_cli.resource import Observed, Resource, Rights
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.aws.seed import (
    OTHER_ACCOUNT_ID,
    TEAM_DATA,
    BucketSeed,
    EksClusterSeed,
)
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.wire import Call, FaultKind, FaultRule, Wire
from anyscale_k8s_cli.spec import CloudSpec

CONSOLE = "https://*.anyscale.com"
CLUSTER = EksClusterSeed(endpoint="https://127.0.0.1:1", ca_pem=b"-----BEGIN CERTIFICATE-----")
# One session for all tests: it keeps the models of the services, which are slow to load.
_SDK = boto3.session.Session(region_name="us-west-2")
UID = "7f1d1f0e-31f5-4c5c-9a55-0c6c86a1f1aa"


class Anyscale:
    """What providers may know of the control plane."""

    cors_origin = CONSOLE

    def azure_audience(self) -> str:
        raise AssertionError("nobody asks for this on AWS")


class Journal:
    """Remembers nothing and guards nothing: the ledger is tested elsewhere."""

    def guard(self) -> None: ...

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None: ...

    def removed(self, resource: Resource[Any]) -> None: ...


@dataclass
class Issuer:
    """Signs service-account tokens as the cluster does."""

    url: str
    key: rsa.RSAPrivateKey

    def keys(self, issuer: str) -> dict[str, Any] | None:
        if issuer != self.url:
            return None
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def token(self, audience: str, subject: str = "", lifetime: int = 3600) -> str:
        claims = {
            "iss": self.url,
            "sub": subject or "system:serviceaccount:anyscale-operator:anyscale-operator",
            "aud": [audience],
            "exp": datetime.now(UTC) + timedelta(seconds=lifetime),
        }
        return jwt.encode(claims, self.key, "RS256", headers={"kid": "one"})


def client(service: str) -> Any:
    """The SDK's own client of whoever the environment names now."""
    return _SDK.client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )


@dataclass
class World:
    """Everything a test wants."""

    stand_in: AwsStandIn
    issuer: Issuer
    cluster_seed: EksClusterSeed
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = Run(listeners=(self.events.append,))
        self.provider = EksProvider(self.run)

    @property
    def wire(self) -> Wire:
        return self.stand_in._wire

    def spec(self, **more: Any) -> CloudSpec:
        return CloudSpec.model_validate(
            {
                "provider": "eks",
                "name": "prod",
                "region": "us-west-2",
                "cluster": {"name": "demo"},
                **more,
            }
        )

    def install(self, spec: CloudSpec, cluster: Cluster, uid: str = UID) -> Install:
        return Install(
            provider="eks",
            account=cluster.account,
            region=cluster.region,
            cluster=cluster.id,
            namespace=spec.namespace,
            cloud=spec.name,
            cluster_uid=uid,
            name_prefix=spec.rules.name_prefix,
        )

    def cloud_side(self, spec: CloudSpec | None = None) -> CloudSide:
        spec = spec or self.spec()
        self.provider.check_spec(spec)
        cluster = self.provider.discover(spec)
        return self.provider.cloud_side(spec, cluster, self.install(spec, cluster), Anyscale())

    def plan(self, side: CloudSide) -> plan.Plan:
        return asyncio.run(plan.compute(side.resources, Rights(), self.run))

    def apply(self, side: CloudSide) -> apply.Applied:
        computed = self.plan(side)
        computed.raise_for_refusals()
        applied = asyncio.run(apply.forwards(computed, self.run, Journal()))
        if applied.error:
            raise applied.error
        return applied

    def setup(self, spec: CloudSpec | None = None) -> CloudSide:
        side = self.cloud_side(spec)
        self.apply(side)
        return side

    def changes(self, spec: CloudSpec | None = None) -> dict[str, str]:
        """What a plan wants of each kind of object."""
        planned = self.plan(self.cloud_side(spec))
        return {item.resource.kind: item.change.value for item in planned.changes}

    def reasons(self, spec: CloudSpec | None = None) -> dict[str, str]:
        planned = self.plan(self.cloud_side(spec))
        return {item.resource.kind: item.decision.reason for item in planned.changes}

    def snapshot(self) -> dict[str, Any]:
        return self.stand_in.snapshot()

    def calls(self, work: Callable[[], Any]) -> list[Call]:
        """The calls that AWS received while `work` ran."""
        before = len(self.wire.calls())
        work()
        return self.wire.calls()[before:]

    def fault(self, operation: str, kind: FaultKind = FaultKind.ERROR, **more: Any) -> None:
        self.wire.inject(FaultRule(kind, operation=operation, **more))


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


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
        seed = settings.clusters[0]
        issuer = Issuer(seed.issuer, signing_key)
        stand_in = AwsStandIn(Wire(), settings, issuer_keys=issuer.keys)
        asyncio.run(stand_in.start())
        started.append(stand_in)
        for name, value in stand_in.environment().items():
            monkeypatch.setenv(name, value)
        return World(stand_in, issuer, seed)

    yield begin
    for stand_in in started:
        asyncio.run(stand_in.stop())


@pytest.fixture
def world(start: Callable[[AwsSettings], World], settings: AwsSettings) -> World:
    return start(settings)
