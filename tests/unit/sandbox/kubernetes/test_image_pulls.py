"""Which images nodes can pull, and what is said of the others."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import Pulls


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("mirror.corp/team/web:1", ""),
        ("web", "registry-1.docker.io/v2/library/web/manifests/latest"),
        ("team/web:1", "registry-1.docker.io/v2/team/web/manifests/1"),
        ("ghcr.io/team/web@sha256:ab", "ghcr.io/v2/team/web/manifests/sha256:ab"),
        ("localhost:5000/web:2", "localhost:5000/v2/web/manifests/2"),
        ("mirror.corp/no-such-image:1", "not found"),
    ],
)
def test_images_of_registries_that_nodes_do_not_reach(image: str, told: str) -> None:
    refusal = Pulls(frozenset({"mirror.corp"})).refusal(image)

    assert bool(refusal) == bool(told)
    assert told in refusal


def test_every_registry_is_reached_if_none_is_named() -> None:
    assert Pulls().refusal("ghcr.io/team/web:1") == ""
    assert "not found" in Pulls().refusal("ghcr.io/team/no-such-image:1")
