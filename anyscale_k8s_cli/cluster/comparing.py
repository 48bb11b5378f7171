"""How a live object differs from what was asked for: our fields and no others.

A live object holds more than anybody wrote: defaults, status, what other
controllers add. So what is wanted is looked for in what is there, never the
other way round, and what the API server spells otherwise counts as equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.quantities import amount
from anyscale_k8s_cli.resource import FieldChange

Path = tuple[str | int, ...]

HIDDEN = "(hidden)"

# Below these keys values are quantities, and `1000m` is `1`.
_QUANTITIES = frozenset({"limits", "requests", "capacity", "hard", "sizeLimit", "storage"})
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Difference:
    """One place where what is there is not what was wanted."""

    path: Path
    wanted: Any
    found: Any

    def as_change(self, *, hide: bool = False, prefix: str = "") -> FieldChange:
        """For the plan; `hide` where values may be secret."""
        field = prefix + spelled(self.path)
        if hide:
            return FieldChange(field, HIDDEN, "another value")
        return FieldChange(field, self.found, self.wanted)


def differences(wanted: Any, found: Any, path: Path = ()) -> Iterator[Difference]:
    """Where `found` lacks what is `wanted` or says otherwise; lists are compared as a whole."""
    if _same(wanted, found, path):
        return
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            yield from differences(value, found.get(key), (*path, key))
        return
    if _is_list(wanted) and _is_list(found) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, (*path, number))
        return
    yield Difference(path, wanted, found)


# By what the API tells the items of a list apart, where it merges them.
_ITEM_KEYS = ("mountPath", "name")


def within(wanted: Any, found: Any) -> Any:
    """`found` with no more items in its keyed lists than `wanted` has, in the same order.

    So a part of an object can be compared: others have items of their own in its lists.
    """
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {
            key: within(wanted[key], value) if key in wanted else value
            for key, value in found.items()
        }
    if _is_keyed(wanted) and _is_keyed(found):
        items = {_item_key(item): item for item in found}
        return [within(item, items[_item_key(item)]) for item in wanted if _item_key(item) in items]
    return found


def without(found: Any, part: Any, rest: Any) -> Any:
    """`found` without the items of keyed lists that `part` has and `rest` has not."""
    if isinstance(found, Mapping) and isinstance(part, Mapping) and isinstance(rest, Mapping):
        return {
            key: without(value, part[key], rest.get(key)) if key in part else value
            for key, value in found.items()
        }
    if not (_is_keyed(found) and _is_keyed(part)):
        return found
    parts = {_item_key(item): item for item in part}
    rests = {_item_key(item): item for item in rest or () if isinstance(item, Mapping)}
    left = []
    for item in found:
        key = _item_key(item)
        if key not in parts:
            left.append(item)
        elif key in rests:
            left.append(without(item, parts[key], rests[key]))
    return left


def _is_keyed(value: Any) -> bool:
    return _is_list(value) and all(
        isinstance(item, Mapping) and any(key in item for key in _ITEM_KEYS) for item in value
    )


def _item_key(item: Mapping[str, Any]) -> str:
    return next((f"{key}={item[key]}" for key in _ITEM_KEYS if key in item), "")


def abandoned(wanted: Mapping[str, Any], found: Document, manager: str) -> Iterator[Difference]:
    """Fields that `manager` once applied, that are still there, and that nobody wants now.

    Only whole keys of mappings: what is inside lists is compared as a whole anyway.
    """
    for entry in found.get("metadata", {}).get("managedFields") or []:
        applied = entry.get("operation") == "Apply" and not entry.get("subresource")
        if applied and entry.get("manager") == manager:
            yield from _abandoned(entry.get("fieldsV1") or {}, wanted, found, ())


def _abandoned(
    fields: Mapping[str, Any], wanted: Mapping[str, Any], found: Mapping[str, Any], path: Path
) -> Iterator[Difference]:
    for name, inner in fields.items():
        key = name.removeprefix("f:")
        if key == name or key not in found:
            continue
        if key not in wanted:
            yield Difference((*path, key), None, found[key])
        elif isinstance(wanted[key], Mapping) and isinstance(found[key], Mapping):
            yield from _abandoned(inner, wanted[key], found[key], (*path, key))


def applied_by(found: Document, manager: str) -> bool:
    """Whether a manager has applied anything of the object."""
    return any(
        entry.get("manager") == manager and entry.get("operation") == "Apply"
        for entry in found.get("metadata", {}).get("managedFields") or []
    )


def changed_by(found: Document, path: Path) -> str:
    """The manager, other than Helm and the cluster's own controllers, that wrote a field.

    Empty when there is none: then a difference is the API server's own spelling.
    """
    for entry in found.get("metadata", {}).get("managedFields") or []:
        manager = str(entry.get("manager", ""))
        if manager in ("helm", "kube-controller-manager"):
            continue
        if _owns(entry.get("fieldsV1") or {}, path):
            return manager
    return ""


def drift(wanted: Document, live: Document) -> Iterator[Difference]:
    """Fields of a release's manifest that somebody changed or removed in the cluster."""
    compared = {
        key: value
        for key, value in wanted.items()
        # A Secret's stringData is write-only.
        if key not in ("apiVersion", "kind", "status", "stringData")
    }
    for difference in differences(compared, live):
        # Another value that nobody but helm wrote is the API server's spelling.
        if difference.found is None or changed_by(live, difference.path):
            yield difference


def _owns(fields: Mapping[str, Any], path: Path) -> bool:
    """Whether a set of managed fields holds the path; a list's items are keyed, so any will do."""
    for number, key in enumerate(path):
        if number and not fields:
            # A leaf that is owned whole: a list without keys, say.
            return True
        if isinstance(key, int):
            return any(
                _owns(inner, path[number + 1 :]) for name, inner in fields.items() if name != "."
            )
        if f"f:{key}" not in fields:
            return False
        fields = fields[f"f:{key}"]
    return True


def spelled(path: Path) -> str:
    """`spec.listeners[1].name`, `metadata.annotations["a.b/c"]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f'["{key}"]'
    return text


def _same(wanted: Any, found: Any, path: Path) -> bool:
    if wanted == found or wanted is None:
        return True
    if found is None:
        # The API leaves empty values out of its answers.
        return wanted in ({}, [], "", 0, False)
    if _QUANTITIES & set(path) and isinstance(wanted, str | int | float):
        try:
            return amount(wanted) == amount(found)
        except ValueError:
            return False
    return False


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
