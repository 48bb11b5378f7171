"""Holds objects against their schemas: unknown fields, types, required values, defaults.

Built-in kinds are decoded strictly by type and lose unknown fields; custom
resources are also checked value by value, as a structural schema asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.errors import required as required_cause
from anyscale_k8s_cli.sandbox.kubernetes.objects import clone
from anyscale_k8s_cli.sandbox.kubernetes.schema import Schema

Cause = tuple[str, str, str]

# What may hold other values. Most do not, and are not gone into.
_HOLDING = (dict, list)

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def has_type(value: Any, schema_type: str) -> bool:
    if not schema_type:
        return True
    if isinstance(value, bool):
        return schema_type == "boolean"
    if isinstance(value, float) and value.is_integer() and schema_type == "integer":
        return True
    return isinstance(value, _JSON_TYPES[schema_type])


def json_type(value: Any) -> str:
    if value is None:
        return "null"
    return next(
        name
        for name in ("boolean", "integer", "number", "string", "array", "object")
        if has_type(value, name)
    )


def drop_unknown(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Remove, in place, fields that the schema does not have; yields their paths."""
    if isinstance(value, dict):
        closed = schema.is_struct and not schema.is_map and not schema.preserves_unknown
        for name in list(value):
            if closed and not schema.knows(name):
                yield _join(path, name)
                del value[name]
            elif isinstance(value[name], _HOLDING) and (schema.knows(name) or schema.is_map):
                yield from drop_unknown(value[name], schema.field(name), _join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, _HOLDING):
                yield from drop_unknown(item, schema.items, f"{path}[{index}]")


def drop_nulls(value: Any) -> None:
    """Remove null fields in place: the built-in kinds' decoder takes them for absent."""
    if isinstance(value, dict):
        for name in [name for name, field in value.items() if field is None]:
            del value[name]
        for field in value.values():
            if isinstance(field, _HOLDING):
                drop_nulls(field)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, _HOLDING):
                drop_nulls(item)


def type_mismatch(value: Any, schema: Schema, path: str = "") -> str | None:
    """The first field of a wrong type, as the decoder of the built-in kinds would put it."""
    if not has_type(value, schema.type):
        kind = json_type(value)
        shown = "number" if kind == "integer" else kind
        return f"json: cannot unmarshal {shown} into Go struct field .{path} of type {schema.type}"
    if isinstance(value, dict):
        for name, field in value.items():
            wanted = schema.field(name)
            if not isinstance(field, _HOLDING) and has_type(field, wanted.type):
                continue
            if error := type_mismatch(field, wanted, _join(path, name)):
                return error
    elif isinstance(value, list):
        for item in value:
            if error := type_mismatch(item, schema.items, path):
                return error
    return None


def missing_values(value: Any, schema: Schema, path: str = "") -> Iterator[Cause]:
    """Required fields that are absent or empty."""
    if isinstance(value, dict):
        for name in schema.required:
            if value.get(name) in (None, [], ""):
                yield required_cause(_join(path, name))
        for name, field in value.items():
            if isinstance(field, _HOLDING):
                yield from missing_values(field, schema.field(name), _join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, _HOLDING):
                yield from missing_values(item, schema.items, f"{path}[{index}]")


def set_defaults(value: Any, schema: Schema) -> None:
    """Fill in, in place, what a custom resource's schema gives as defaults."""
    if isinstance(value, dict):
        for name in schema.fields:
            field = schema.field(name)
            if "default" in field.node and (
                name not in value or (value[name] is None and not field.node.get("nullable"))
            ):
                value[name] = clone(field.node["default"])
        for name, item in value.items():
            set_defaults(item, schema.field(name))
    elif isinstance(value, list):
        for item in value:
            set_defaults(item, schema.items)


def violations(value: Any, schema: Schema, path: str = "") -> Iterator[Cause]:
    """What a custom resource's schema holds against a value. CEL rules are not evaluated."""
    node = schema.node
    if value is None:
        if not node.get("nullable") and schema.type:
            yield _wrong_type(path, "null", schema.type, "null")
        return
    if not has_type(value, schema.type):
        yield _wrong_type(path, json_type(value), schema.type, json_type(value))
        return
    if "enum" in node and value not in node["enum"]:
        supported = ", ".join(json.dumps(option) for option in node["enum"])
        text = f"Unsupported value: {json.dumps(value)}: supported values: {supported}"
        yield (path, "FieldValueNotSupported", text)
    if node.get("x-kubernetes-int-or-string") and not isinstance(value, (int, str)):
        yield _wrong_type(path, json_type(value), "integer,string", json_type(value))
    yield from _limits(value, schema, path)
    yield from _combined(value, schema, path)
    if isinstance(value, dict):
        yield from _object_violations(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from violations(item, schema.items, f"{path}[{index}]")


def _object_violations(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Cause]:
    for name in schema.required:
        if name not in value:
            yield required_cause(_join(path, name))
    for name, field in value.items():
        yield from violations(field, schema.field(name), _join(path, name))


def _wrong_type(path: str, shown: str, wanted: str, found: str) -> Cause:
    text = f'Invalid value: "{shown}": {path} in body must be of type {wanted}: "{found}"'
    return (path, "FieldValueTypeInvalid", text)


def _limits(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    node = schema.node
    shown = json.dumps(value)
    if isinstance(value, str):
        if "pattern" in node and not _matches(node["pattern"], value):
            yield _breaks(path, shown, f"should match '{node['pattern']}'")
        if len(value) < node.get("minLength", 0):
            yield _breaks(path, shown, f"should be at least {node['minLength']} chars long")
        if len(value) > node.get("maxLength", len(value)):
            yield (
                path,
                "FieldValueTooLong",
                f"Too long: may not be more than {node['maxLength']} bytes",
            )
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < node.get("minimum", value):
            limit = node["minimum"]
            yield _breaks(path, shown, f"should be greater than or equal to {limit}")
        if value > node.get("maximum", value):
            yield _breaks(path, shown, f"should be less than or equal to {node['maximum']}")
    elif isinstance(value, list):
        if len(value) < node.get("minItems", 0):
            yield _breaks(path, str(len(value)), f"should have at least {node['minItems']} items")
        if len(value) > node.get("maxItems", len(value)):
            limit = node["maxItems"]
            yield (
                path,
                "FieldValueTooMany",
                f"Too many: {len(value)}: must have at most {limit} items",
            )


def _breaks(path: str, shown: str, rule: str) -> Cause:
    return (path, "FieldValueInvalid", f"Invalid value: {shown}: {path} in body {rule}")


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # Go's dialect knows classes that Python's does not; such a pattern holds nothing back.
        return True


def _combined(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    """anyOf and oneOf: only how many alternatives hold is reported."""
    for word, at_most in (("anyOf", None), ("oneOf", 1)):
        options = schema.node.get(word)
        if not options:
            continue
        fitting = sum(not any(violations(value, Schema(option), path)) for option in options)
        if fitting == 0 or (at_most is not None and fitting > at_most):
            rule = "at least one" if at_most is None else "one and only one"
            text = f"Invalid value: {path} in body must validate {rule} schema ({word})"
            yield (path, "FieldValueInvalid", text)
