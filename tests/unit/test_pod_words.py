"""How taints, registries, proxies and certificates are written, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.pod_words import as_toleration, mirrored
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.spec import PodsSpec
from anyscale_k8s_cli.spec_loading import load

NOTHING_THERE = "No such file or directory"


def pods(**said: Any) -> PodsSpec:
    flags = {"provider": "eks", "name": "prod", **{f"pods.{key}": said[key] for key in said}}
    return load(flags=flags, file=None, environment={}).spec.pods


@pytest.mark.parametrize(
    ("said", "toleration"),
    [
        ("gpu", {"key": "gpu", "operator": "Exists"}),
        ("gpu:NoExecute", {"key": "gpu", "operator": "Exists", "effect": "NoExecute"}),
        ("a.b/c=", {"key": "a.b/c", "operator": "Equal", "value": ""}),
        (
            {"key": "team", "value": "ml", "effect": "NoSchedule"},
            {"key": "team", "operator": "Equal", "value": "ml", "effect": "NoSchedule"},
        ),
        ({"key": "gpu", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}),
    ],
)
def test_a_taint_is_written_as_kubectl_does_or_as_manifests_do(
    said: Any, toleration: dict[str, str]
) -> None:
    (taint,) = pods(tolerations=(said,)).tolerations
    assert as_toleration(taint) == toleration
    assert pods(tolerations=(taint,)).tolerations == (taint,)


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ("docker.io/envoyproxy/envoy:distroless-v1", "envoyproxy/envoy:distroless-v1"),
        ("timberio/vector:0.40.0-debian", "timberio/vector:0.40.0-debian"),
        ("localhost:5000/a/b@sha256:0123", "a/b@sha256:0123"),
        ("busybox", "busybox"),
    ],
)
def test_a_mirror_takes_the_place_of_the_host_alone(image: str, path: str) -> None:
    assert mirrored(image, "registry.example/mirror") == f"registry.example/mirror/{path}"
    assert mirrored(image, None) == image


def test_a_bundle_is_what_is_in_its_file(tmp_path: Path) -> None:
    file, text = tmp_path / "ca.pem", Authority().ca_pem.decode()
    file.write_text(text)
    assert pods(ca_bundle=str(file)).ca_bundle == pods(ca_bundle=text).ca_bundle == text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"tolerations": ("a b",)}, "'a b' is not KEY[=VALUE][:EFFECT]"),
        ({"tolerations": ({"operator": "Exists"},)}, "give a key"),
        ({"image_registry": "https://registry.example"}, "HOST[:PORT][/PATH], without a scheme"),
        ({"image_pull_secrets": ("ray/mirror",)}, "the name of a Secret, without its namespace"),
        ({"labels": {"a b": "c"}}, "a key as labels have"),
        ({"no_proxy": ("10.0.0.0/8",)}, "--http-proxy or --https-proxy"),
        ({"http_proxy": "proxy.example:3128"}, "write http://HOST:PORT"),
        ({"ca_bundle": "/nowhere/ca.pem"}, NOTHING_THERE),
        ({"ca_bundle": "-----BEGIN CERTIFICATE-----\nx"}, "no certificates in PEM form"),
    ],
)
def test_what_means_nothing_is_refused(said: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        pods(**said)
    assert caught.value.code is errors.INVALID_SPEC
    assert told in str(caught.value)


def test_a_proxys_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(errors.CliError) as caught:
        pods(https_proxy="http://someone:s3cret@proxy.example:3128")
    assert "--https-proxy" in str(caught.value)
    assert "s3cret" not in str(caught.value.as_json())
