"""Proxies by the usual variables, networks in NO_PROXY too."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.cluster.proxies import proxy_for

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)


@pytest.mark.parametrize(
    ("url", "excepted", "proxy"),
    [
        ("https://a.example", "", PROXY),
        ("http://a.example", "", None),
        ("https://a.example", "b.example", PROXY),
        ("https://a.example", "b.example,.example", None),
        ("https://a.example", "*", None),
        ("https://10.1.2.3:6443", "a.example, 10.0.0.0/8", None),
        ("https://10.1.2.3:6443", "192.168.0.0/16", PROXY),
        ("https://[fd00::1]", "fd00::/8", None),
    ],
)
def test_which_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, excepted: str, proxy: str | None
) -> None:
    monkeypatch.setenv("NO_PROXY", excepted)
    assert proxy_for(url) == proxy
