"""Which values of a release differ."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.comparing import changed_values


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": {}}, {}, []),
        ({"a": None}, {}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["values.a.b"]),
        ({}, {"a": False}, ["values.a"]),
        ({"a": [1]}, {"a": [1, 2]}, ["values.a"]),
        ({"a": 1, "b": 1}, {"b": 2}, ["values.a", "values.b"]),
    ],
)
def test_changed_keys(found: Any, wanted: Any, expected: list[str]) -> None:
    assert [item.field for item in changed_values(found, wanted)] == expected


def test_values_themselves_are_never_told() -> None:
    changes = changed_values({"token": "old-secret"}, {"token": "new-secret", "more": "secret-3"})
    assert "secret" not in repr([(item.old, item.new) for item in changes])


def test_what_is_no_secret_is_told() -> None:
    old, new = ({"gateway": {"ip": value, "token": value}} for value in ("192.0.2.1", "192.0.2.2"))
    assert [str(item) for item in changed_values(old, new, {"gateway.ip"})] == [
        "values.gateway.ip: '192.0.2.1' → '192.0.2.2'",
        "values.gateway.token: 'set' → 'set otherwise'",
    ]
