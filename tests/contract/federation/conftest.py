"""A cluster's issuer, published by https, and whoever reads it from here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.issuers import PublishedIssuer, published_keys
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from tests.issuer import Issuer


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def run(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Of a machine that believes the authority."""
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.ca_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return Run()


@pytest.fixture
def issuer(authority: Authority, signing_key: rsa.RSAPrivateKey) -> Iterator[Issuer]:
    """What signs the tokens of a cluster; anybody can read it."""
    published = PublishedIssuer(authority)
    signs = Issuer(published.url, signing_key, "sts.amazonaws.com")
    published.start(signs.keys(published.url) or {})
    yield signs
    published.stop()


@pytest.fixture
def aws(served: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStandIn]:
    """An account that is not the cluster's, and reads issuers as AWS does."""
    trusted = authority.client_context()
    stand_in = AwsStandIn(
        Wire(),
        AwsSettings(clusters=(), refused_attempts=0),
        issuer_keys=lambda url: published_keys(url, trusted),
    )
    served(stand_in.start())
    for name, value in stand_in.environment().items():
        monkeypatch.setenv(name, value)
    yield stand_in
    served(stand_in.stop())
