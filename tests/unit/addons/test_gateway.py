"""Judging Gateways, definitions and controllers that are there already."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.addons.addresses import Address, address_of
from anyscale_k8s_cli.addons.belonging import goes_with, made_by_operator
from anyscale_k8s_cli.addons.gateway import programmed
from anyscale_k8s_cli.addons.gateway_controller import _too_old
from anyscale_k8s_cli.addons.gateway_definitions import too_old
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.run import StillWaiting

INSTALL = Install("eks", "1", "r", "cluster/one", "ray", "prod")


def gateway(status: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "gateway", "generation": 2}, "spec": {}, "status": status}


def condition(status: str = "True", seen: int = 2) -> list[dict[str, Any]]:
    return [
        {
            "type": "Programmed",
            "status": status,
            "observedGeneration": seen,
            "reason": "AddressNotAssigned",
            "message": "no address",
        }
    ]


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        ({}, "has not answered"),
        ({"conditions": condition(seen=1)}, "has not seen the change"),
        ({"conditions": condition("False")}, "AddressNotAssigned: no address"),
        ({"conditions": condition()}, "without an address"),
        ({"conditions": condition(), "addresses": [{"value": "1.2.3.4"}]}, ""),
    ],
)
def test_when_a_gateway_is_ready(status: dict[str, Any], missing: str) -> None:
    if not missing:
        programmed(gateway(status))
        return
    with pytest.raises(StillWaiting, match=missing):
        programmed(gateway(status))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], None),
        ([{"type": "IPAddress", "value": "1.2.3.4"}], Address("1.2.3.4", True)),
        ([{"value": "1.2.3.4"}], Address("1.2.3.4", True)),
        ([{"type": "Hostname", "value": "lb.example"}], Address("lb.example", False)),
    ],
)
def test_address(addresses: list[Any], expected: Address | None) -> None:
    assert address_of(gateway({"addresses": addresses})) == expected


@pytest.mark.parametrize(
    ("bundle", "fit"),
    [("v1.4.1", True), ("v1.0.0", True), ("v0.8.1", False), ("v1.5.0-rc.1", True), (None, True)],
)
def test_bundles_of_the_gateway_api(bundle: str | None, fit: bool) -> None:
    annotations = {"gateway.networking.k8s.io/bundle-version": bundle} if bundle else {}
    found = too_old([{"metadata": {"name": "gateways", "annotations": annotations}}])
    assert (not found) is fit
    assert all(item.fix for item in found)


@pytest.mark.parametrize(
    ("image", "fit"),
    [
        ("docker.io/envoyproxy/gateway:v1.7.0", True),
        ("mirror/gateway:v1.1.4", False),
        ("mirror/gateway:0.6.0", False),
        ("mirror/gateway@sha256:abc", True),
    ],
)
def test_versions_of_a_controller(image: str, fit: bool) -> None:
    deployment = {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}
    assert (not _too_old(deployment, "infra/envoy-gateway")) is fit


def item(namespace: str = "ray", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": namespace, **metadata}}


RELEASE = {
    "meta.helm.sh/release-name": "anyscale-operator",
    "meta.helm.sh/release-namespace": "ray",
}


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        (item(), False),
        (item(labels={"anyscale-k8s/install": INSTALL.id}), True),
        (item(labels={"anyscale-k8s/install": "another"}), False),
        (item(annotations=RELEASE), True),
        (item(annotations=RELEASE | {"meta.helm.sh/release-namespace": "other"}), False),
        (item(labels={"ray-node-type": "head"}), True),
        (item("elsewhere", labels={"ray-node-type": "head"}), False),
        (item(annotations={"anyscale.com/market-type": "SPOT"}), True),
        (
            item(
                "envoy-gateway-system",
                labels={
                    "gateway.envoyproxy.io/owning-gateway-namespace": "ray",
                    "gateway.envoyproxy.io/owning-gateway-name": "gateway",
                },
            ),
            True,
        ),
    ],
)
def test_what_goes_with_an_install(found: dict[str, Any], ours: bool) -> None:
    assert goes_with(INSTALL)(found) is ours


def test_what_helm_installed_was_not_made_by_the_operator() -> None:
    labels = {"anyscale.com/name": "instance-types"}
    assert made_by_operator(item(labels=labels))
    assert not made_by_operator(item(labels=labels, annotations=RELEASE))
