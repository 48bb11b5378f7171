"""Paths, and how the wire names them."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.requests import Target, parse_path
from anyscale_k8s_cli.sandbox.kubernetes.resources import Registry

REGISTRY = Registry()


def parts(target: Target) -> tuple[str, str, str, str]:
    return target.plural, target.namespace, target.name, target.subresource


@pytest.mark.parametrize(
    ("path", "expected", "pattern"),
    [
        ("/api/v1/namespaces", ("namespaces", "", "", ""), "/api/v1/namespaces"),
        ("/api/v1/namespaces/a", ("namespaces", "", "a", ""), "/api/v1/namespaces/{name}"),
        (
            "/api/v1/namespaces/a/finalize",
            ("namespaces", "", "a", "finalize"),
            "/api/v1/namespaces/{name}/finalize",
        ),
        (
            "/api/v1/namespaces/a/pods",
            ("pods", "a", "", ""),
            "/api/v1/namespaces/{namespace}/pods",
        ),
        (
            "/api/v1/namespaces/a/pods/p/log",
            ("pods", "a", "p", "log"),
            "/api/v1/namespaces/{namespace}/pods/{name}/log",
        ),
        ("/api/v1/pods", ("pods", "", "", ""), "/api/v1/pods"),
        (
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            ("deployments", "a", "d", "scale"),
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale",
        ),
        ("/apis/apps/v1", ("", "", "", ""), "/apis/apps/v1"),
        ("/version", ("", "", "", ""), "/version"),
        ("/", ("", "", "", ""), "/"),
    ],
)
def test_paths(path: str, expected: tuple[str, str, str, str], pattern: str) -> None:
    target = parse_path(path, REGISTRY)
    assert parts(target) == expected
    assert target.pattern == pattern


def test_an_unknown_kind_has_no_resource() -> None:
    target = parse_path("/apis/example.com/v1/namespaces/a/widgets", REGISTRY)
    assert target.is_object_path
    assert target.resource is None
