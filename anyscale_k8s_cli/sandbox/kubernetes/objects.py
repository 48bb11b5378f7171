"""Plain API objects: copying them, their metadata, their owners."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any, TypeVar

from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource

T = TypeVar("T")

# Kubernetes leaves out vowels and look-alikes, so that no words come about.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def clone(value: T) -> T:
    """A deep copy of JSON data; several times faster than `copy.deepcopy`."""
    # Most values are neither, and a call for each of them would cost more than all else.
    if isinstance(value, dict):
        return {  # type: ignore[return-value]
            key: clone(item) if isinstance(item, (dict, list)) else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [  # type: ignore[return-value]
            clone(item) if isinstance(item, (dict, list)) else item for item in value
        ]
    return value


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def random_suffix(length: int = 5) -> str:
    return "".join(random.choices(_SUFFIX_ALPHABET, k=length))  # noqa: S311 (a name, no secret)


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    return str(obj["metadata"].get("namespace") or "")


def labels_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def is_terminating(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def owner_uids(obj: Object) -> set[str]:
    return {reference["uid"] for reference in obj["metadata"].get("ownerReferences") or ()}


def controller_uid(obj: Object) -> str:
    """The uid of the object's controlling owner, or ''."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference["uid"])
    return ""


def owned_by(owner: Object, resource: Resource) -> Object:
    """An owner reference by which `owner` controls its dependents."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name_of(owner),
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def dig(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and indexes, or None."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def condition_of(obj: Object, kind: str) -> Object:
    """The status condition of this type, or {}."""
    for condition in dig(obj, "status", "conditions") or ():
        if condition.get("type") == kind:
            return condition  # type: ignore[no-any-return]
    return {}


def with_condition(
    conditions: list[Object] | None, kind: str, *, status: bool, reason: str, message: str = ""
) -> list[Object]:
    """The conditions with this one set; its transition time changes only with its status."""
    value = "True" if status else "False"
    kept = list(conditions or ())
    index = next((i for i, c in enumerate(kept) if c["type"] == kind), len(kept))
    old = kept[index] if index < len(kept) else {}
    entry = {"type": kind, "status": value, "reason": reason, "message": message}
    same = old.get("status") == value
    entry["lastTransitionTime"] = old["lastTransitionTime"] if same else timestamp()
    kept[index : index + 1] = [entry]
    return kept
