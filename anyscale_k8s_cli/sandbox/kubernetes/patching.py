"""The three patch formats of the API: JSON patch, merge patch, strategic merge patch.

None changes its arguments. Server-side apply is in `server_side_apply.py`.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from anyscale_k8s_cli.sandbox.kubernetes.objects import clone
from anyscale_k8s_cli.sandbox.kubernetes.schema import Schema


class PatchError(Exception):
    """The patch cannot be applied to this object."""


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902. Raises PatchError, also where a `test` does not hold."""
    try:
        return jsonpatch.apply_patch(clone(target), operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        raise PatchError(str(error)) from error


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


_SET_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge_patch(target: Any, patch: Any, schema: Schema) -> Any:
    """Kubernetes' own format: lists merge by the key that the schema names.

    Raises PatchError if a list's item lacks that key.
    """
    if not isinstance(patch, dict):
        return clone(patch)
    match patch.get("$patch"):
        case "replace":
            return {key: clone(value) for key, value in patch.items() if key != "$patch"}
        case "delete":
            return {}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            result[name] = [item for item in result.get(name) or () if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        else:
            order = patch.get(_SET_ORDER + key)
            result[key] = _merge_field(result.get(key), value, schema.field(key), order)
    _reorder_untouched(result, patch, schema)
    return result


def _merge_field(current: Any, value: Any, schema: Schema, order: list[Any] | None) -> Any:
    if not isinstance(value, list):
        return strategic_merge_patch(current, value, schema)
    if schema.merge_key:
        return _merge_keyed(list(current or ()), value, schema, order)
    if schema.merges:
        return [*(current or ()), *(item for item in value if item not in (current or ()))]
    return clone(value)


def _merge_keyed(
    current: list[Any], patch: list[Any], schema: Schema, order: list[Any] | None
) -> list[Any]:
    key = schema.merge_key
    if any(item.get("$patch") == "replace" for item in patch):
        return [clone(item) for item in patch if "$patch" not in item]
    for item in patch:
        if key not in item:
            raise PatchError(f"map: {item} does not contain declared merge key: {key}")
        if item.get("$patch") == "delete":
            current = [old for old in current if old.get(key) != item[key]]
            continue
        for index, old in enumerate(current):
            if old.get(key) == item[key]:
                current[index] = strategic_merge_patch(old, item, schema.items)
                break
        else:
            current.append(strategic_merge_patch({}, item, schema.items))
    return _ordered(current, order, key) if order else current


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    position = {entry[key]: index for index, entry in enumerate(order) if key in entry}
    return sorted(items, key=lambda item: position.get(item.get(key), len(position)))


def _reorder_untouched(result: dict[str, Any], patch: dict[str, Any], schema: Schema) -> None:
    """A patch may only reorder: the order of a list without any change to its items."""
    for directive, order in patch.items():
        name = directive.removeprefix(_SET_ORDER)
        if not directive.startswith(_SET_ORDER) or name in patch:
            continue
        key = schema.field(name).merge_key
        if key and result.get(name):
            result[name] = _ordered(result[name], order, key)
