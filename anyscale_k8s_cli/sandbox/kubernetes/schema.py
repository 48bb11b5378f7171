"""What is known of a kind's fields: types, required fields, how lists merge.

One form serves built-in kinds and CRDs: OpenAPI schemas with Kubernetes' own
`x-kubernetes-*` marks. `builtin_types.json` holds the built-in kinds' types
without their prose; `python -m anyscale_k8s_cli.sandbox.kubernetes.schema_table`
makes it from a published OpenAPI document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

Node = Mapping[str, Any]


class Schema:
    """A view of one place in a schema."""

    __slots__ = ("_node", "_types")

    def __init__(self, node: Node, types: Mapping[str, Node] | None = None) -> None:
        self._types: Mapping[str, Node] = types or {}
        # A field that refers to a type may add its own marks beside the reference.
        if "$ref" in node:
            node = {**self._types[node["$ref"]], **{k: v for k, v in node.items() if k != "$ref"}}
        self._node = node

    def __bool__(self) -> bool:
        return bool(self._node)

    @property
    def node(self) -> Node:
        return self._node

    @property
    def type(self) -> str:
        """A JSON type, or '' where anything goes."""
        if self._node.get("x-kubernetes-int-or-string"):
            return ""
        return str(self._node.get("type") or ("object" if "properties" in self._node else ""))

    @property
    def is_struct(self) -> bool:
        return "properties" in self._node

    @property
    def is_map(self) -> bool:
        return isinstance(self._node.get("additionalProperties"), Mapping)

    @property
    def preserves_unknown(self) -> bool:
        return bool(self._node.get("x-kubernetes-preserve-unknown-fields"))

    @property
    def fields(self) -> Iterable[str]:
        fields: Iterable[str] = self._node.get("properties", {}).keys()
        return fields

    @property
    def required(self) -> Iterable[str]:
        required: Iterable[str] = self._node.get("required", ())
        return required

    def field(self, name: str) -> Schema:
        """The schema of a field or of a map's values; empty if nothing is known of it."""
        properties = self._node.get("properties", {})
        if name in properties:
            return Schema(properties[name], self._types)
        return Schema(self._node["additionalProperties"], self._types) if self.is_map else EMPTY

    def knows(self, name: str) -> bool:
        return name in self._node.get("properties", {})

    @property
    def items(self) -> Schema:
        return Schema(self._node.get("items", {}), self._types)

    @property
    def list_keys(self) -> tuple[str, ...]:
        """The keys of an associative list, as server-side apply sees it."""
        if self._node.get("x-kubernetes-list-type") == "map":
            return tuple(self._node.get("x-kubernetes-list-map-keys", ()))
        return ()

    @property
    def is_set(self) -> bool:
        return self._node.get("x-kubernetes-list-type") == "set"

    @property
    def is_atomic(self) -> bool:
        """Owned as a whole: atomic maps and structs, and lists without keys."""
        if self._node.get("x-kubernetes-map-type") == "atomic":
            return True
        return self.type == "array" and not self.list_keys and not self.is_set

    @property
    def merge_key(self) -> str:
        """The one key by which a strategic merge patch matches items; '' replaces the list."""
        return str(self._node.get("x-kubernetes-patch-merge-key", ""))

    @property
    def merges(self) -> bool:
        """Whether a strategic merge patch adds to this list instead of replacing it."""
        return "merge" in self._node.get("x-kubernetes-patch-strategy", "")


EMPTY = Schema({})


@cache
def _builtin_types() -> dict[str, Node]:
    text = resources.files(__package__).joinpath("builtin_types.json").read_text("utf-8")
    types: dict[str, Node] = json.loads(text)
    return types


def builtin_schema(group: str, version: str, kind: str) -> Schema:
    """The schema of a built-in kind, and of DeleteOptions and the like; empty if unknown."""
    types = _builtin_types()
    node = types.get(f"{group}/{version}/{kind}")
    return Schema(node, types) if node else EMPTY


def metadata_schema() -> Schema:
    return builtin_schema("", "v1", "Namespace").field("metadata")
