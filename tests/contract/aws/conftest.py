"""A started AWS stand-in per test, and real boto3 clients for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.sandbox.aws.seed import OTHER_ACCOUNT_ID, TEAM_DATA, BucketSeed
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from tests.issuer import Clock, Issuer

STRANGERS_BUCKET = BucketSeed("somebody-elses", account_id=OTHER_ACCOUNT_ID)

# One session for all tests: it keeps the models of the services, which are slow to load.
_SDK = boto3.session.Session()


@dataclass
class Aws:
    """The stand-in and everything a test wants of it."""

    stand_in: AwsStandIn
    wire: Wire
    clock: Clock
    issuer: Issuer

    def client(
        self,
        service: str,
        region: str = "us-west-2",
        *,
        keys: dict[str, Any] | None = None,
        **config: Any,
    ) -> Any:
        """A client of the administrator, or of whoever has `keys` (as STS answers them)."""
        environment = self.stand_in.environment()
        return _SDK.client(
            service,
            region_name=region,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=keys["AccessKeyId"] if keys else environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["SecretAccessKey"]
            if keys
            else environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=keys["SessionToken"] if keys else None,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )


@pytest.fixture
def settings() -> AwsSettings:
    """The world of a test; a test module overrides this fixture for another world.

    Here IAM is known everywhere at once: `test_propagation` is about how it is in life.
    """
    return AwsSettings(buckets=(TEAM_DATA, STRANGERS_BUCKET), refused_attempts=0)


@pytest.fixture
async def aws(settings: AwsSettings, signing_key: rsa.RSAPrivateKey) -> AsyncIterator[Aws]:
    clock, wire = Clock(), Wire()
    issuer = Issuer(settings.clusters[0].issuer, signing_key, "sts.amazonaws.com")
    settings = AwsSettings(**{**vars(settings), "clock": clock.now, "monotonic": clock.monotonic})
    stand_in = AwsStandIn(wire, settings, issuer_keys=issuer.keys)
    await stand_in.start()
    try:
        yield Aws(stand_in, wire, clock, issuer)
    finally:
        await stand_in.stop()


@contextmanager
def _refused(code: str, match: str = "") -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert match in error["Message"]


@pytest.fixture
def refused() -> Any:
    """A context in which a call must be refused with a code and words."""
    return _refused
