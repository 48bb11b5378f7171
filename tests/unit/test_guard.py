"""The guard around all tests: this machine's own network, home and credentials are out of reach."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("192.0.2.1", 443), timeout=1),
        lambda: socket.create_connection(("2001:db8::1", 443), timeout=1),
        lambda: socket.getaddrinfo("api.example.com", 443),
        lambda: socket.gethostbyname("api.example.com"),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("169.254.169.254", 53)),
        lambda: socket.create_server(("0.0.0.0", 0)),
        lambda: asyncio.run(asyncio.open_connection("api.example.com", 443)),
    ],
    ids=["ipv4", "ipv6", "name", "old-name", "datagram", "all-interfaces", "asyncio"],
)
def test_nothing_but_loopback_can_be_reached(reach: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match="loopback only"):
        reach()


def test_loopback_can() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1])) as connection,
    ):
        assert connection.getpeername()[0] == "127.0.0.1"


def test_home_is_empty_and_the_environment_tells_of_nobody(home: Path) -> None:
    assert Path.home() == home
    assert list(home.iterdir()) == []
    real = ("ANYSCALE_", "AWS_", "AZURE_", "GOOGLE_", "HELM_", "KUBE", "OCI_", "XDG_")
    assert [name for name in os.environ if name.startswith(real)] == []
    assert [name for name in os.environ if name.lower().endswith("_proxy")] == []
