"""Makes `builtin_types.json` from Kubernetes' published JSON schemas (a development tool).

    python -m anyscale_k8s_cli.sandbox.kubernetes.schema_table definitions.json > table.json

Only types that a served kind can reach are kept, without their descriptions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.resources import builtin_resources

_KEPT = {
    "additionalProperties",
    "items",
    "properties",
    "required",
    "type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
}
_ANY_OF_TWO = "oneOf"


def _short(reference: str) -> str:
    return reference.rsplit("/", 1)[1].removeprefix("io.k8s.")


def _slim(node: Mapping[str, Any]) -> dict[str, Any]:
    if _ANY_OF_TWO in node:
        return {"x-kubernetes-int-or-string": True}
    slim: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            slim[key] = _short(value)
        elif key == "properties":
            slim[key] = {name: _slim(field) for name, field in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            slim[key] = _slim(value)
        elif key == "type":
            slim[key] = value if isinstance(value, str) else next(t for t in value if t != "null")
        elif key in _KEPT:
            slim[key] = value
    return slim


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)


def table(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Types by short name, and kinds as `group/version/Kind` beside them."""
    slim = {name.removeprefix("io.k8s."): _slim(node) for name, node in definitions.items()}
    kinds: dict[str, str] = {}
    for name, node in definitions.items():
        for gvk in node.get("x-kubernetes-group-version-kind", ()):
            identity = f"{gvk['group']}/{gvk['version']}/{gvk['kind']}"
            kinds[identity] = name.removeprefix("io.k8s.")
    served = {f"{r.group}/{r.version}/{r.kind}" for r in builtin_resources()} & kinds.keys()
    result: dict[str, Any] = {identity: {"$ref": kinds[identity]} for identity in sorted(served)}
    pending = [kinds[identity] for identity in served]
    while pending:
        name = pending.pop()
        if name not in result:
            result[name] = slim[name]
            pending += _references(slim[name])
    return dict(sorted(result.items()))


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    # One type a line, so that differences between versions can be read.
    rows = (
        f"{json.dumps(name)}:{json.dumps(node, separators=(',', ':'))}"
        for name, node in table(document["$defs"]).items()
    )
    sys.stdout.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
