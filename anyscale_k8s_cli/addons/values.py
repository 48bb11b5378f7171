"""Helm values laid over each other, as helm does it with several files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win: mappings are merged key by key, everything else is replaced.

    A null stays in the result, because it is what makes helm drop a chart's default.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if isinstance(value, Mapping):
                result[key] = merged(old if isinstance(old, Mapping) else {}, value)
            else:
                result[key] = value
    return result


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without what is empty, so that a release does not hold what nobody said."""
    kept = {
        key: given(value) if isinstance(value, Mapping) else value for key, value in values.items()
    }
    return {key: value for key, value in kept.items() if value not in ({}, [], "", None)}


# Lists of the operator chart that both we and the user have something to say in.
_SHARED = (
    ("patches",),
    ("operator", "container", "additionalEnv"),
    ("operator", "vector", "additionalEnv"),
    ("operator", "imagePullSecrets"),
    ("operator", "tolerations"),
)


def beside(ours: Mapping[str, Any], users: Mapping[str, Any]) -> Mapping[str, Any]:
    """The user's values, with our members before theirs in the lists that are shared.

    Helm would let the user's list take the place of ours, and what stands on it would fall.
    """
    for path in _SHARED:
        first, second = _list_at(ours, path), _list_at(users, path)
        if first and second:
            *parents, last = path
            joined: dict[str, Any] = {last: [*first, *second]}
            for parent in reversed(parents):
                joined = {parent: joined}
            users = merged(users, joined)
    return users


def _list_at(values: Any, path: tuple[str, ...]) -> list[Any]:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, list) else []
