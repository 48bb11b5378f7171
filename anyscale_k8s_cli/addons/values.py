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
