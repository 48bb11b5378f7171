"""Which images nodes can pull, and what is said of the others."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import Pulls, logins_of


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


def test_a_registry_with_a_login_lets_in_whoever_shows_it() -> None:
    pulls = Pulls(logins={"mirror.corp": "nodes:pull"})

    assert pulls.refusal("mirror.corp/web:1", {"mirror.corp": "nodes:pull"}) == ""
    for shown in ({}, {"mirror.corp": "nodes:old"}, {"other.corp": "nodes:pull"}):
        assert "may require authorization" in pulls.refusal("mirror.corp/web:1", shown)
    assert pulls.refusal("other.corp/web:1") == ""


def test_a_pods_logins_are_in_the_secrets_that_it_names() -> None:
    def secret(name: str, key: str, document: str) -> dict[str, Any]:
        data = {key: base64.b64encode(document.encode()).decode()}
        return {"metadata": {"name": name, "namespace": "ray"}, "data": data}

    login = base64.b64encode(b"nodes:pull").decode()
    auths = json.dumps({"auths": {"mirror.corp": {"auth": login}, "old.corp": {}}})
    held = {
        item["metadata"]["name"]: item
        for item in (secret("mirror", ".dockerconfigjson", auths), secret("other", "key", "x"))
    }
    store: Any = SimpleNamespace(find=lambda key, namespace, name: held.get(name))
    names = [{"name": name} for name in ("mirror", "other", "missing")]
    pod = {"metadata": {"namespace": "ray"}, "spec": {"imagePullSecrets": names}}

    assert logins_of(store, pod) == {"mirror.corp": "nodes:pull"}
    assert logins_of(store, {"metadata": {}, "spec": {}}) == {}
