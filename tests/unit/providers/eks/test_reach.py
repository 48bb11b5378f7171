"""A private endpoint is told as such, and an open one is left to whoever uses it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.eks.reach import check_reachable
from anyscale_k8s_cli.providers.eks.sdk.eks import ClusterDescription


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"https://127.0.0.1:{port}"


@pytest.fixture
def opened() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


def described(endpoint: str, *cidrs: str) -> ClusterDescription:
    return ClusterDescription(
        name="demo",
        arn="arn:x:eks:r:1:cluster/demo",
        status="ACTIVE",
        version="1.33",
        endpoint=endpoint,
        ca_pem="",
        issuer="",
        vpc_id="",
        subnet_ids=(),
        public_endpoint=bool(cidrs),
        private_endpoint=True,
        public_cidrs=cidrs,
        auto_mode=False,
        authentication_mode="API",
        created_at=None,
    )


def test_a_private_endpoint_out_of_reach(closed: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        check_reachable(described(closed), "r")
    assert caught.value.code is errors.CLUSTER_UNREACHABLE
    assert "private" in caught.value.cause
    assert "endpointPublicAccess=true" in caught.value.fix


def test_an_endpoint_for_other_addresses(closed: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        check_reachable(described(closed, "203.0.113.0/24"), "r")
    assert "203.0.113.0/24 alone" in caught.value.cause
    assert "publicAccessCidrs=203.0.113.0/24,<your address>/32" in caught.value.fix


def test_a_private_endpoint_within_reach(opened: str) -> None:
    check_reachable(described(opened), "r")


def test_an_open_endpoint_is_not_tried(closed: str) -> None:
    check_reachable(described(closed, "0.0.0.0/0"), "r")


def test_behind_a_proxy_nothing_is_tried(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    check_reachable(described(closed), "r")
