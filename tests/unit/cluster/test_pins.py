"""The table of versions is complete and says nothing twice."""

from __future__ import annotations

import semver

from anyscale_k8s_cli.cluster.pins import pins


def test_helm_that_is_fetched_is_one_that_was_tested() -> None:
    helm = pins().helm
    for version in (helm.download.version, helm.wheel.helm):
        parsed = semver.Version.parse(version)
        assert parsed >= helm.minimum
        assert f"{parsed.major}.{parsed.minor}" in helm.tested


def test_charts() -> None:
    charts = pins().charts
    assert set(charts) == {
        "anyscale-operator",
        "gateway-crds-helm",
        "gateway-helm",
        "ingress-nginx",
        "nvidia-device-plugin",
    }
    # Definitions and controller are one product: they must not drift apart.
    assert charts["gateway-crds-helm"].version == charts["gateway-helm"].version
    for pin in charts.values():
        assert pin.repository.startswith(("https://", "oci://"))
