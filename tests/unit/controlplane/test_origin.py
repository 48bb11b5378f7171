"""What follows from the control plane's address."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.controlplane import origin


@pytest.mark.parametrize(
    ("host", "rule"),
    [
        ("https://console.anyscale.com", "https://*.anyscale.com"),
        ("https://console.azure.anyscale.com", "https://console.azure.anyscale.com"),
        ("https://console.anyscale-staging.com", "https://*.anyscale-staging.com"),
        ("https://console.anyscale-dev.dev", "https://*.anyscale-dev.dev"),
        ("https://console.predeploy.anyscale.dev", "https://*.predeploy.anyscale.dev"),
        ("https://console.example.org:8443", "https://console.example.org:8443"),
        ("http://127.0.0.1:4711", "http://127.0.0.1:4711"),
    ],
)
def test_cors_origin(host: str, rule: str) -> None:
    assert origin.cors_origin(host) == rule


def test_a_browser_sends_the_console_itself() -> None:
    assert origin.console_origin("https://console.anyscale.com") == "https://console.anyscale.com"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("https://console.anyscale.com", "anyscaleuserdata.com"),
        ("https://console.azure.anyscale.com", "azure.anyscaleuserdata.com"),
        ("https://azurecorp.example", "anyscaleuserdata.com"),
    ],
)
def test_user_data_domain(host: str, domain: str) -> None:
    assert origin.user_data_domain(host) == domain


@pytest.mark.parametrize(
    ("host", "hosted"),
    [
        ("https://console.azure.anyscale.com", True),
        ("https://console.azure.anyscale-staging.com", True),
        ("https://console.gcplane.azure.predeploy.anyscale.dev", True),
        ("https://console.anyscale.com", False),
        ("https://azurecorp.example", False),
    ],
)
def test_planes_whose_clouds_azure_makes(host: str, hosted: bool) -> None:
    assert origin.azure_hosted(host) is hosted


@pytest.mark.parametrize(
    ("host", "api"),
    [
        ("https://console.anyscale.com", "https://api.anyscale.com"),
        ("https://console.azure.anyscale.com", "https://api.azure.anyscale.com"),
        ("http://127.0.0.1:8080", ""),
        ("https://anyscale.example.com", ""),
    ],
)
def test_where_the_api_is_beside_the_console(host: str, api: str) -> None:
    assert origin.api_origin(host) == api
