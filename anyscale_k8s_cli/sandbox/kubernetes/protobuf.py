"""Reads the Kubernetes protobuf bodies that typed Go clients send; answers are always JSON.

helm stores its releases this way, and kubectl creates simple objects so. A field
table for these few kinds and a reader of the wire format are enough.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError, bad_request
from anyscale_k8s_cli.sandbox.kubernetes.objects import timestamp
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

# Scalars: string, bytes (base64 in JSON), bool, int, time.
# Composite: a dict is a message, Repeated, MapOf.


@dataclass(frozen=True, slots=True)
class Repeated:
    of: Any


@dataclass(frozen=True, slots=True)
class MapOf:
    of: str


Message = Mapping[int, tuple[str, Any]]

_OWNER: Message = {
    1: ("kind", "string"),
    3: ("name", "string"),
    4: ("uid", "string"),
    5: ("apiVersion", "string"),
    6: ("controller", "bool"),
    7: ("blockOwnerDeletion", "bool"),
}
_META: Message = {
    1: ("name", "string"),
    2: ("generateName", "string"),
    3: ("namespace", "string"),
    5: ("uid", "string"),
    6: ("resourceVersion", "string"),
    7: ("generation", "int"),
    8: ("creationTimestamp", "time"),
    11: ("labels", MapOf("string")),
    12: ("annotations", MapOf("string")),
    13: ("ownerReferences", Repeated(_OWNER)),
    14: ("finalizers", Repeated("string")),
}
_RESOURCE_ATTRIBUTES: Message = {
    1: ("namespace", "string"),
    2: ("verb", "string"),
    3: ("group", "string"),
    4: ("version", "string"),
    5: ("resource", "string"),
    6: ("subresource", "string"),
    7: ("name", "string"),
}
_NON_RESOURCE_ATTRIBUTES: Message = {1: ("path", "string"), 2: ("verb", "string")}
_BOUND_OBJECT: Message = {
    1: ("kind", "string"),
    2: ("apiVersion", "string"),
    3: ("name", "string"),
    4: ("uid", "string"),
}
_RULES = Repeated(
    {
        1: ("verbs", Repeated("string")),
        2: ("apiGroups", Repeated("string")),
        3: ("resources", Repeated("string")),
        4: ("resourceNames", Repeated("string")),
        5: ("nonResourceURLs", Repeated("string")),
    }
)
_SUBJECTS = Repeated(
    {
        1: ("kind", "string"),
        2: ("apiGroup", "string"),
        3: ("name", "string"),
        4: ("namespace", "string"),
    }
)
_ROLE_REFERENCE: Message = {1: ("apiGroup", "string"), 2: ("kind", "string"), 3: ("name", "string")}
_ROLE: Message = {1: ("metadata", _META), 2: ("rules", _RULES)}
_BINDING: Message = {
    1: ("metadata", _META),
    2: ("subjects", _SUBJECTS),
    3: ("roleRef", _ROLE_REFERENCE),
}

_KINDS: dict[str, Message] = {
    "ClusterRole": _ROLE,
    "ClusterRoleBinding": _BINDING,
    "ConfigMap": {
        1: ("metadata", _META),
        2: ("data", MapOf("string")),
        3: ("binaryData", MapOf("bytes")),
        4: ("immutable", "bool"),
    },
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"),
        2: ("preconditions", {1: ("uid", "string"), 2: ("resourceVersion", "string")}),
        3: ("orphanDependents", "bool"),
        4: ("propagationPolicy", "string"),
        5: ("dryRun", Repeated("string")),
    },
    "Namespace": {1: ("metadata", _META)},
    "Role": _ROLE,
    "RoleBinding": _BINDING,
    "Secret": {
        1: ("metadata", _META),
        2: ("data", MapOf("bytes")),
        3: ("type", "string"),
        4: ("stringData", MapOf("string")),
        5: ("immutable", "bool"),
    },
    "SelfSubjectAccessReview": {
        1: ("metadata", _META),
        2: (
            "spec",
            {
                1: ("resourceAttributes", _RESOURCE_ATTRIBUTES),
                2: ("nonResourceAttributes", _NON_RESOURCE_ATTRIBUTES),
            },
        ),
    },
    "SelfSubjectReview": {1: ("metadata", _META)},
    "SelfSubjectRulesReview": {
        1: ("metadata", _META),
        2: ("spec", {1: ("namespace", "string")}),
    },
    "ServiceAccount": {1: ("metadata", _META)},
    "TokenRequest": {
        1: ("metadata", _META),
        2: (
            "spec",
            {
                1: ("audiences", Repeated("string")),
                3: ("boundObjectRef", _BOUND_OBJECT),
                4: ("expirationSeconds", "int"),
            },
        ),
    },
}


def decode(raw: bytes) -> Object:
    """The object in a protobuf body.

    Raises 415 for a kind outside the table, 400 for bytes that are no such message.
    """
    if not raw.startswith(MAGIC):
        raise bad_request("the body does not start with the Kubernetes protobuf prefix")
    try:
        envelope = dict(_fields(raw[len(MAGIC) :]))
        type_meta = dict(_fields(envelope[1]))
        api_version, kind = type_meta[1].decode(), type_meta[2].decode()
        if kind not in _KINDS:
            message = f"this server cannot read protobuf bodies of kind {kind}; send JSON"
            raise ApiError(415, "UnsupportedMediaType", message)
        body = _message(_KINDS[kind], envelope.get(2, b""))
    except (IndexError, KeyError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise bad_request(f"error decoding protobuf body: {error!r}") from error
    return {"apiVersion": api_version, "kind": kind, **body}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers with their raw values: int for varints, bytes for the rest."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire_type = tag & 7
        if wire_type == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire_type)
        if size is None:
            size, at = _varint(data, at)
        if at + size > len(data):
            raise IndexError("the message is cut short")
        yield tag >> 3, data[at : at + size]
        at += size


def _message(table: Message, data: bytes) -> Object:
    result: Object = {}
    for number, raw in _fields(data):
        name, kind = table.get(number, ("", None))
        match kind:
            case None:
                continue
            case Repeated(of=of):
                result.setdefault(name, []).append(_value(of, raw))
            case MapOf(of=of):
                entry = dict(_fields(raw))
                result.setdefault(name, {})[entry.get(1, b"").decode()] = _value(
                    of, entry.get(2, b"")
                )
            case _:
                value = _value(kind, raw)
                # Go's encoder writes zero values of plain fields; JSON leaves them out.
                if value not in ("", None, {}):
                    result[name] = value
    return result


def _value(kind: Any, raw: Any) -> Any:
    if isinstance(kind, Mapping):
        return _message(kind, raw)
    match kind:
        case "string":
            return raw.decode()
        case "bytes":
            return base64.b64encode(raw).decode()
        case "bool":
            return bool(raw)
        case "time":
            seconds = dict(_fields(raw)).get(1, 0)
            # A zero time.Time is a huge unsigned number of seconds.
            return (
                timestamp(datetime.fromtimestamp(seconds, UTC)) if 0 < seconds < 1 << 40 else None
            )
    return raw
