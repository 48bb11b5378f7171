"""Custom resources held against their schemas."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.schema import Schema
from anyscale_k8s_cli.sandbox.kubernetes.structural import (
    drop_unknown,
    set_defaults,
    violations,
)

SCHEMA = Schema(
    {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1, "maximum": 5},
                    "mode": {"type": "string", "enum": ["fast", "slow"], "default": "slow"},
                    "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 4},
                    "port": {"x-kubernetes-int-or-string": True},
                    "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "maybe": {"type": "string", "nullable": True},
                },
            }
        },
    }
)


def found(spec: dict[str, Any] | None) -> list[str]:
    obj = {} if spec is None else {"spec": spec}
    return [f"{field}: {text}" for field, _, text in violations(obj, SCHEMA)]


def test_what_fits_is_silent() -> None:
    spec = {"size": 3, "mode": "fast", "name": "abc", "port": "http", "tags": ["a"], "maybe": None}
    assert found(spec) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "spec: Required value"),
        ({}, "spec.size: Required value"),
        (
            {"size": "3"},
            'spec.size: Invalid value: "string": spec.size in body must be of type integer: '
            '"string"',
        ),
        (
            {"size": 9},
            "spec.size: Invalid value: 9: spec.size in body should be less than or equal to 5",
        ),
        (
            {"size": 1, "mode": "odd"},
            'spec.mode: Unsupported value: "odd": supported values: "fast", "slow"',
        ),
        (
            {"size": 1, "name": "A"},
            "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
        ),
        ({"size": 1, "tags": ["a", "b", "c"]}, "spec.tags: Too many: 3: must have at most 2 items"),
    ],
)
def test_what_does_not_fit_is_named(spec: dict[str, Any] | None, message: str) -> None:
    assert found(spec) == [message]


def test_defaults_are_filled_in() -> None:
    obj: dict[str, Any] = {"spec": {"size": 1}}
    set_defaults(obj, SCHEMA)
    assert obj == {"spec": {"size": 1, "mode": "slow"}}


def test_unknown_fields_are_dropped_but_where_they_are_preserved() -> None:
    obj = {"spec": {"size": 1, "odd": 2, "free": {"anything": 3}}}
    assert list(drop_unknown(obj, SCHEMA)) == ["spec.odd"]
    assert obj == {"spec": {"size": 1, "free": {"anything": 3}}}
