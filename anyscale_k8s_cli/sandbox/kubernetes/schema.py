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
    """A view of one place in a schema. Views of what is beneath are made once, and kept."""

    __slots__ = (
        *("_beneath", "_items", "_properties", "_types"),
        *("is_atomic", "is_map", "is_set", "is_struct", "list_keys", "node", "type"),
    )

    def __init__(self, node: Node, types: Mapping[str, Node] | None = None) -> None:
        self._types: Mapping[str, Node] = types or {}
        # A field that refers to a type may add its own marks beside the reference.
        if "$ref" in node:
            node = {**self._types[node["$ref"]], **{k: v for k, v in node.items() if k != "$ref"}}
        self.node = node
        self._properties: Mapping[str, Node] = node.get("properties", {})
        self._beneath: dict[str | None, Schema] = {}
        self._items: Schema | None = None
        self.is_struct = "properties" in node
        self.is_map = isinstance(node.get("additionalProperties"), Mapping)
        # A JSON type, or '' where anything goes.
        self.type = str(node.get("type") or ("object" if self.is_struct else ""))
        if node.get("x-kubernetes-int-or-string"):
            self.type = ""
        list_type = node.get("x-kubernetes-list-type")
        self.is_set = list_type == "set"
        # The keys of an associative list, as server-side apply sees it.
        keys = node.get("x-kubernetes-list-map-keys", ()) if list_type == "map" else ()
        self.list_keys: tuple[str, ...] = tuple(keys)
        # Owned as a whole: atomic maps and structs, and lists without keys.
        self.is_atomic = node.get("x-kubernetes-map-type") == "atomic" or (
            self.type == "array" and not self.list_keys and not self.is_set
        )

    def __bool__(self) -> bool:
        return bool(self.node)

    @property
    def preserves_unknown(self) -> bool:
        return bool(self.node.get("x-kubernetes-preserve-unknown-fields"))

    @property
    def fields(self) -> Iterable[str]:
        return self._properties.keys()

    @property
    def required(self) -> Iterable[str]:
        required: Iterable[str] = self.node.get("required", ())
        return required

    def knows(self, name: str) -> bool:
        return name in self._properties

    def field(self, name: str) -> Schema:
        """The schema of a field or of a map's values; empty if nothing is known of it."""
        place = name if name in self._properties else None
        found = self._beneath.get(place)
        return self._view(place) if found is None else found

    @property
    def items(self) -> Schema:
        if self._items is None:
            self._items = Schema(self.node.get("items", {}), self._types)
        return self._items

    def _view(self, name: str | None) -> Schema:
        """Make the view of a field; without a name that of what has none of its own."""
        node = self.node.get("additionalProperties") if name is None else self._properties[name]
        made = Schema(node, self._types) if isinstance(node, Mapping) else EMPTY
        self._beneath[name] = made
        return made

    @property
    def merge_key(self) -> str:
        """The one key by which a strategic merge patch matches items; '' replaces the list."""
        return str(self.node.get("x-kubernetes-patch-merge-key", ""))

    @property
    def merges(self) -> bool:
        """Whether a strategic merge patch adds to this list instead of replacing it."""
        return "merge" in self.node.get("x-kubernetes-patch-strategy", "")


EMPTY = Schema({})


@cache
def _builtin_types() -> dict[str, Node]:
    text = resources.files(__package__).joinpath("builtin_types.json").read_text("utf-8")
    types: dict[str, Node] = json.loads(text)
    return types


@cache
def builtin_schema(group: str, version: str, kind: str) -> Schema:
    """The schema of a built-in kind, and of DeleteOptions and the like; empty if unknown."""
    types = _builtin_types()
    node = types.get(f"{group}/{version}/{kind}")
    return Schema(node, types) if node else EMPTY


@cache
def metadata_schema() -> Schema:
    return builtin_schema("", "v1", "Namespace").field("metadata")
