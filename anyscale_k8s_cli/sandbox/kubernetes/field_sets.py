"""Sets of fields, as `metadata.managedFields` records them.

A path is a tuple of elements: `f:name` for a field, `k:{"name":"x"}` for an item
of an associative list, `v:"x"` for a member of a set, `.` for the presence of an
item. The schema tells which lists have keys and what is owned as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.schema import Schema

Path = tuple[str, ...]

PRESENCE = "."
# Identity and bookkeeping belong to nobody.
_UNOWNED: frozenset[Path] = frozenset(
    [
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata", "f:name"),
        ("f:metadata", "f:generateName"),
        ("f:metadata", "f:namespace"),
        ("f:metadata", "f:uid"),
        ("f:metadata", "f:resourceVersion"),
        ("f:metadata", "f:generation"),
        ("f:metadata", "f:creationTimestamp"),
        ("f:metadata", "f:deletionTimestamp"),
        ("f:metadata", "f:deletionGracePeriodSeconds"),
        ("f:metadata", "f:managedFields"),
        ("f:metadata", "f:selfLink"),
    ]
)


def item_key(item: Mapping[str, Any], schema: Schema) -> tuple[Any, ...]:
    """The values that identify an item of an associative list."""
    return tuple(item.get(key, _default(key, schema.items.field(key))) for key in schema.list_keys)


def _default(key: str, schema: Schema) -> Any:
    # The published schemas of the built-in kinds do not tell that a port is TCP by default.
    return schema.node.get("default", "TCP" if key == "protocol" else None)


def _is_keyed(value: Any, schema: Schema) -> bool:
    return bool(schema.list_keys) and all(isinstance(item, dict) for item in value)


def _element(item: Mapping[str, Any], schema: Schema) -> str:
    keys = dict(zip(schema.list_keys, item_key(item, schema), strict=True))
    return "k:" + json.dumps(keys, separators=(",", ":"))


def leaves(value: Any, schema: Schema) -> dict[Path, Any]:
    """Every owned field of an object with its value."""
    found: dict[Path, Any] = {}
    _walk(value, schema, (), found)
    return found


def _walk(value: Any, schema: Schema, path: Path, found: dict[Path, Any]) -> None:
    if path in _UNOWNED:
        return
    if isinstance(value, dict) and value and not schema.is_atomic:
        for name, field in value.items():
            _walk(field, schema.field(name), (*path, f"f:{name}"), found)
    elif isinstance(value, list) and value and _is_keyed(value, schema):
        for item in value:
            element = _element(item, schema)
            found[*path, element, PRESENCE] = None
            for name, field in item.items():
                _walk(field, schema.items.field(name), (*path, element, f"f:{name}"), found)
    elif isinstance(value, list) and value and schema.is_set:
        for item in value:
            found[*path, "v:" + json.dumps(item)] = item
    elif path:
        found[path] = value


def to_tree(paths: Iterable[Path]) -> dict[str, Any]:
    """The `fieldsV1` form."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    return tree


def from_tree(tree: Mapping[str, Any], path: Path = ()) -> set[Path]:
    if not tree:
        return {path} if path else set()
    return {leaf for name, node in tree.items() for leaf in from_tree(node, (*path, name))}


def is_key(path: Path) -> bool:
    """Whether a path leads to a field by which its item is known."""
    return (
        len(path) > 1
        and path[-2].startswith("k:")
        and path[-1].removeprefix("f:") in json.loads(path[-2][2:])
    )


def remove(obj: Any, path: Path) -> None:
    """Take a field or an item out of an object, in place; what is not there is no error."""
    *parents, last = (element for element in path if element != PRESENCE)
    for element in parents:
        obj = _descend(obj, element)
    kind, name = last[:2], last[2:]
    if kind == "f:" and isinstance(obj, dict):
        obj.pop(name, None)
    elif kind == "k:" and isinstance(obj, list):
        wanted = json.loads(name)
        obj[:] = [item for item in obj if not _has_keys(item, wanted)]
    elif kind == "v:" and isinstance(obj, list):
        obj[:] = [item for item in obj if item != json.loads(name)]


def _descend(obj: Any, element: str) -> Any:
    kind, name = element[:2], element[2:]
    if kind == "f:":
        return obj.get(name) if isinstance(obj, dict) else None
    wanted = json.loads(name)
    items = obj if isinstance(obj, list) else ()
    return next((item for item in items if _has_keys(item, wanted)), None)


def _has_keys(item: Any, wanted: Any) -> bool:
    return isinstance(item, dict) and all(
        item.get(key, "TCP" if key == "protocol" else None) == value
        for key, value in wanted.items()
    )


def readable(path: Path) -> str:
    """`.spec.containers[name="app"].image`, as conflict messages show it."""
    text = ""
    for element in path:
        kind, name = element[:2], element[2:]
        if kind == "f:":
            text += f".{name}"
        elif kind == "k:":
            keys = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(name).items())
            text += f"[{keys}]"
        elif kind == "v:":
            text += f"[={name}]"
    return text
