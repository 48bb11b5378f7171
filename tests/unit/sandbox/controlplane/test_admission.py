"""The rules for instance types."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.sandbox.controlplane.admission import complaints_about, review
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused


def data(types: str) -> dict[str, str]:
    return {"version": "v1", "instance_types.yaml": types}


@pytest.mark.parametrize(
    "types",
    [
        "",
        "2CPU-8GB: {resources: {CPU: 2, memory: 8Gi}}",
        "gpu_1: {resources: {CPU: 8000m, memory: 32G, GPU: 1, accelerators: [T4]}}",
    ],
)
def test_good_types(types: str) -> None:
    assert complaints_about(data(types)) == []


@pytest.mark.parametrize(
    ("types", "words"),
    [
        ("a b: {resources: {CPU: 2, memory: 8Gi}}", "letters, digits"),
        ("a: {resources: {CPU: 2500m, memory: 8Gi}}", "whole cores"),
        ("a: {resources: {CPU: 2, memory: much}}", "quantity"),
        ("a: {resources: {CPU: 2, memory: 8Gi, GPU: some}}", "count"),
        ("a: {}", "resources are missing"),
        ("[a]", "must map"),
        ("{", "not YAML"),
    ],
)
def test_bad_types(types: str, words: str) -> None:
    (complaint,) = complaints_about(data(types))
    assert words in complaint


def test_another_version() -> None:
    assert complaints_about({"version": "v2"}) == ["version must be v1"]


def test_a_resource_that_is_not_registered_is_denied() -> None:
    body = {"request": {"uid": "u", "object": {"data": data("")}}}
    answer = review(body, registered=False, resource_id="cldrsrc_x")
    assert answer["response"]["allowed"] is False
    assert "cldrsrc_x is not registered" in answer["response"]["status"]["message"]


def test_what_is_no_review() -> None:
    with pytest.raises(Refused):
        review([], registered=True, resource_id="x")
