"""Server-side apply, and who owns which field after any write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.field_sets import (
    PRESENCE,
    Path,
    from_tree,
    is_key,
    item_key,
    leaves,
    readable,
    remove,
    to_tree,
)
from anyscale_k8s_cli.sandbox.kubernetes.objects import clone, timestamp
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.schema import Schema

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the field manager, at which version, to which subresource."""

    manager: str
    api_version: str
    subresource: str = ""

    def wrote(self, entry: Object, operation: str) -> bool:
        """Whether an entry of managedFields is this writer's."""
        found = (entry["manager"], entry["operation"], entry.get("subresource", ""))
        return found == (self.manager, operation, self.subresource)

    def entry(self, operation: str, fields: set[Path]) -> Object:
        entry: Object = {
            "manager": self.manager,
            "operation": operation,
            "apiVersion": self.api_version,
            "time": timestamp(),
            "fieldsType": "FieldsV1",
            "fieldsV1": to_tree(fields),
        }
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry


def _managed(obj: Object | None) -> list[Object]:
    entries = (obj or {}).get("metadata", {}).get("managedFields") or ()
    # What is in them is replaced and never changed.
    return [dict(entry) for entry in entries if entry.get("fieldsV1")]


def apply(
    live: Object | None, config: Object, schema: Schema, writer: Writer, force: bool
) -> Object:
    """What the object becomes when `writer` applies `config`; a new one if there is none.

    Raises a 409 ApiError that names each field which another manager set to another value.
    """
    config = clone(config)
    config["metadata"].pop("managedFields", None)
    entries = _managed(live)
    mine = next((entry for entry in entries if writer.wrote(entry, "Apply")), None)
    others = [entry for entry in entries if entry is not mine]
    wanted = leaves(config, schema)
    _take_over(others, live, wanted, schema, force)

    result: Object = _merge(clone(live) if live else {}, config, schema)
    before = from_tree(mine["fieldsV1"]) if mine else set()
    _prune(result, before - wanted.keys(), others, set(wanted))
    entry = writer.entry("Apply", set(wanted))
    if mine and before == wanted.keys():
        entry["time"] = mine["time"]
    result["metadata"]["managedFields"] = [e for e in others if e["fieldsV1"]] + [entry]
    return result


def _take_over(
    others: list[Object],
    live: Object | None,
    wanted: dict[Path, Any],
    schema: Schema,
    force: bool,
) -> None:
    """Take fields that change from those who own them; conflict unless forced."""
    current = leaves(live, schema) if live else {}
    conflicts: list[tuple[Object, Path]] = []
    for entry in others:
        theirs = from_tree(entry["fieldsV1"])
        changed = {
            path
            for path in theirs & wanted.keys()
            if path[-1] != PRESENCE and current.get(path, _ABSENT) != wanted[path]
        }
        conflicts += [(entry, path) for path in sorted(changed)]
        entry["fieldsV1"] = to_tree(theirs - changed)
    if conflicts and not force:
        raise _conflict(conflicts)


def _conflict(conflicts: list[tuple[Object, Path]]) -> ApiError:
    causes = []
    for entry, path in conflicts:
        who = f'"{entry["manager"]}"'
        if entry.get("subresource"):
            who += f' with subresource "{entry["subresource"]}"'
        if entry["operation"] == "Update":
            who += f" using {entry['apiVersion']}"
        causes.append(
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {who}",
                "field": readable(path),
            }
        )
    lines = [f"{cause['message']}: {cause['field']}" for cause in causes]
    if len(lines) == 1:
        message = f"Apply failed with 1 conflict: {lines[0]}"
    else:
        listed = "\n".join(f"- {line}" for line in lines)
        message = f"Apply failed with {len(lines)} conflicts: conflicts:\n{listed}"
    return ApiError(409, "Conflict", message, {"causes": causes})


def _merge(target: Any, config: Any, schema: Schema) -> Any:
    if isinstance(config, dict) and not schema.is_atomic:
        result = dict(target) if isinstance(target, dict) else {}
        for name, value in config.items():
            if value is not None:
                result[name] = _merge(result.get(name), value, schema.field(name))
        return result
    if isinstance(config, list) and isinstance(target, list):
        if schema.list_keys:
            return _merge_keyed(list(target), config, schema)
        if schema.is_set:
            return [*target, *(item for item in config if item not in target)]
    return clone(config)


def _merge_keyed(target: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    positions = {item_key(item, schema): index for index, item in enumerate(target)}
    for item in config:
        index = positions.get(item_key(item, schema))
        if index is None:
            target.append(clone(item))
        else:
            target[index] = _merge(target[index], item, schema.items)
    return target


def _prune(obj: Object, dropped: set[Path], others: list[Object], wanted: set[Path]) -> None:
    """Remove what the manager applied before and no longer does, unless another owns it."""
    kept = wanted.union(*(from_tree(entry["fieldsV1"]) for entry in others))
    # Whole items go first: once its key is gone, an item can no longer be found.
    for path in sorted(dropped, key=lambda path: (path[-1] != PRESENCE, -len(path))):
        holder = path[:-1] if path[-1] == PRESENCE else path
        if not is_key(path) and not any(other[: len(holder)] == holder for other in kept):
            remove(obj, path)


def track_update(old: Object | None, new: Object, schema: Schema, writer: Writer) -> None:
    """Set `managedFields` of `new` (in place) after a write that was not an apply.

    Starts from the entries that `new` carries, since clients may edit them.
    """
    entries = _managed(new)
    # What is equal has neither changed nor gone; of a definition that is nearly all of it.
    old = old or {}
    other = {name for name in {**old, **new} if old.get(name, _ABSENT) != new.get(name, _ABSENT)}
    before = leaves({name: old[name] for name in other & old.keys()}, schema)
    after = leaves({name: new[name] for name in other & new.keys()}, schema)
    changed = {path for path, value in after.items() if before.get(path, _ABSENT) != value}
    mine = next((entry for entry in entries if writer.wrote(entry, "Update")), None)
    touched = {path[0] for path in changed | (before.keys() - after.keys())}
    for entry in entries:
        if touched.isdisjoint(entry["fieldsV1"]):
            continue
        owned = from_tree(entry["fieldsV1"])
        owned = {path for path in owned if path in after or path not in before}
        entry["fieldsV1"] = to_tree(owned if entry is mine else owned - changed)
    if changed:
        if mine is None:
            entries.append(writer.entry("Update", changed))
        else:
            fields = from_tree(mine["fieldsV1"]) | changed
            mine.update(time=timestamp(), fieldsV1=to_tree(fields))
    new["metadata"]["managedFields"] = [entry for entry in entries if entry["fieldsV1"]]
