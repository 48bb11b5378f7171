"""The operator's variables."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.operator import OperatorImage
from anyscale_k8s_cli.sandbox.workloads.operator_config import (
    BadConfig,
    GatewayConfig,
    OperatorConfig,
    seconds,
)

LEAST = {
    "ANYSCALE_CLOUD_DEPLOYMENT_ID": "cldrsrc_a_b",
    "ANYSCALE_CONTROL_PLANE_URL": "http://127.0.0.1:1",
}


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30), ("5m", 300), ("1m30s", 90), ("250ms", 0.25), ("2", 2)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "5 m", "5x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadConfig):
        seconds(text)


@pytest.mark.parametrize("missing", sorted(LEAST))
def test_the_least_that_is_needed(missing: str) -> None:
    environ = {name: value for name, value in LEAST.items() if name != missing}
    with pytest.raises(BadConfig, match=missing):
        OperatorConfig.read(environ)


def test_the_secret_has_dashes_where_the_id_has_underscores() -> None:
    config = OperatorConfig.read(LEAST)
    assert config.certificate_secret == "anyscale-cldrsrc-a-b-certificate"
    assert config.gateway is None


def test_the_gateway_has_a_name_or_an_address() -> None:
    environ = {
        **LEAST,
        "ANYSCALE_GATEWAY_ENABLED": "true",
        "ANYSCALE_GATEWAY_NAME": "g",
        "ANYSCALE_GATEWAY_NAMESPACE": "n",
        "ANYSCALE_GATEWAY_HOSTNAME": "",
        "ANYSCALE_GATEWAY_IP": "192.0.2.7",
    }
    assert OperatorConfig.read(environ).gateway == GatewayConfig("g", "n", "192.0.2.7")


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:sandbox", True),
        ("mirror.example:5000/x/kubernetes_manager@sha256:00", True),
        ("kubernetes_manager", True),
        ("timberio/vector:0.40.0-debian", False),
        ("example/kubernetes_manager_proxy:1", False),
    ],
)
def test_which_images_are_the_operators(image: str, ours: bool) -> None:
    assert OperatorImage(Authority()).matches(image) is ours
