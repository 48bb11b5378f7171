"""Turns a body into an object of its kind, as strictly as the client asks."""

from __future__ import annotations

import json
import re

from anyscale_k8s_cli.sandbox.kubernetes.errors import bad_request
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.schema import metadata_schema
from anyscale_k8s_cli.sandbox.kubernetes.structural import (
    drop_nulls,
    drop_unknown,
    type_mismatch,
)
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write

_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
# Metadata that is empty is the same as none, and not shown.
_EMPTY: tuple[Object, list[Object]] = ({}, [])


def decode(resource: Resource, obj: Object, write: Write) -> Object:
    """Check kind and field types, drop unknown fields; changes and returns `obj`.

    Raises a 400 ApiError: wrong kind, wrong type, or an unknown field when `write`
    asks for strictness (with Warn it is noted in `write.warnings`).
    """
    if not isinstance(obj, dict):
        raise bad_request("the body is not an object")
    if resource.crd:
        check_type_meta(obj)
    obj.setdefault("apiVersion", resource.api_version)
    obj.setdefault("kind", resource.kind)
    if obj["kind"] != resource.kind or obj["apiVersion"].rpartition("/")[0] != resource.group:
        message = (
            f"the API version in the data ({obj['apiVersion']}, {obj['kind']}) does not match the "
            f"expected API version ({resource.api_version}, {resource.kind})"
        )
        raise bad_request(message)
    # Objects are stored in one version; kinds with several do not differ in shape.
    obj["apiVersion"] = resource.api_version
    obj["metadata"] = {k: v for k, v in (obj.get("metadata") or {}).items() if v not in _EMPTY}
    unknown = _drop_unknown(resource, obj)
    refusal = (
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
    )
    if unknown and write.validation == "Strict":
        fields = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise bad_request(f"{refusal}strict decoding error: {fields}")
    if write.validation == "Warn":
        write.warnings.extend(f'unknown field "{path}"' for path in unknown)
    schema = metadata_schema() if resource.crd else resource.schema
    value, at = (obj["metadata"], "metadata") if resource.crd else (obj, "")
    mismatch = type_mismatch(value, schema, at) or _bad_time(resource, obj)
    if mismatch:
        raise bad_request(refusal + mismatch)
    return obj


def _bad_time(resource: Resource, obj: Object) -> str:
    """The times of a Lease are read with their six digits after the second, or not at all."""
    spec = obj.get("spec") or {} if resource.key == "leases.coordination.k8s.io" else {}
    for name in ("acquireTime", "renewTime"):
        given = spec.get(name)
        if given and not _MICRO_TIME.fullmatch(given):
            return f'parsing time "{given}" as "2006-01-02T15:04:05.000000Z07:00"'
    return ""


def check_type_meta(obj: Object) -> None:
    """Custom resources and applied objects must say what they are. Raises a 400 ApiError."""
    for field, shown in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not obj.get(field):
            raise bad_request(f"Object '{shown}' is missing in '{json.dumps(obj)[:200]}'")


def _drop_unknown(resource: Resource, obj: Object) -> list[str]:
    drop_nulls(obj["metadata"])
    unknown = list(drop_unknown(obj["metadata"], metadata_schema(), "metadata"))
    if not resource.crd:
        drop_nulls(obj)
        return unknown + list(drop_unknown(obj, resource.schema))
    # metadata, apiVersion and kind are implied by every custom schema.
    body = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    unknown += drop_unknown(body, resource.schema)
    for name in [name for name in obj if name not in body]:
        if name not in ("apiVersion", "kind", "metadata"):
            del obj[name]
    return unknown
