"""Tags as most services write them, and as everybody else does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict


class Tag(TypedDict):
    Key: str
    Value: str


def tag_list(tags: Mapping[str, str]) -> list[Tag]:
    return [Tag(Key=key, Value=value) for key, value in sorted(tags.items())]


def tags_of(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(item["Key"]): str(item.get("Value", "")) for item in items}
