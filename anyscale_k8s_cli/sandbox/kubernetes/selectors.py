"""Label and field selectors, as query strings and as LabelSelector objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.errors import bad_request
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource

_SET_BASED = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s!=,()]*)")
_EXISTENCE = re.compile(r"(?P<operator>!?)\s*(?P<key>[^\s!=,()]+)")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. Operators: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt":
                return value is not None and int(value) > int(self.values[0])
            case "Lt":
                return value is not None and int(value) < int(self.values[0])
        raise bad_request(f"{self.operator!r} is not a valid label selector operator")


LabelSelector = tuple[Requirement, ...]


def matches_labels(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    return all(requirement.holds(labels) for requirement in selector)


def parse_label_selector(text: str) -> LabelSelector:
    """`app=x,tier in (a,b),!gone`. Raises a 400 ApiError on anything else."""
    parts = (part.strip() for part in _COMMA_OUTSIDE_PARENTHESES.split(text))
    return tuple(_requirement(part, text) for part in parts if part)


def _requirement(part: str, whole: str) -> Requirement:
    if match := _SET_BASED.fullmatch(part):
        values = tuple(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], {"in": "In", "notin": "NotIn"}[match["operator"]], values)
    if match := _EQUALITY.fullmatch(part):
        operator = "NotIn" if match["operator"] == "!=" else "In"
        return Requirement(match["key"], operator, (match["value"],))
    if match := _EXISTENCE.fullmatch(part):
        return Requirement(match["key"], "DoesNotExist" if match["operator"] else "Exists")
    raise bad_request(f'unable to parse requirement: found "{part}" in selector "{whole}"')


def from_object(selector: Object | None) -> LabelSelector:
    """A LabelSelector object; like the API, an empty one matches everything."""
    selector = selector or {}
    equal = (Requirement(k, "In", (v,)) for k, v in (selector.get("matchLabels") or {}).items())
    return (*equal, *from_expressions(selector.get("matchExpressions")))


def from_expressions(expressions: list[Object] | None) -> LabelSelector:
    return tuple(
        Requirement(e["key"], e["operator"], tuple(e.get("values") or ()))
        for e in expressions or ()
    )


# What the real server can select by, besides a name and a namespace.
_FIELDS: dict[str, frozenset[str]] = {
    "pods": frozenset(
        [
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ]
    ),
    "events": frozenset(
        [
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    ),
    "secrets": frozenset({"type"}),
    "namespaces": frozenset({"status.phase"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "jobs.batch": frozenset({"status.successful"}),
    "replicasets.apps": frozenset({"status.replicas"}),
}


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Equalities and inequalities on an object's fields."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, obj: Object) -> bool:
        return all(
            (_field_text(obj, field) == value) is equal for field, equal, value in self.terms
        )


def _field_text(obj: Object, field: str) -> str:
    value: Any = dig(obj, *field.split("."))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def parse_field_selector(text: str, resource: Resource) -> FieldSelector:
    """`metadata.name=x,status.phase!=Failed`. Raises a 400 ApiError on an unknown field."""
    supported = _FIELDS.get(resource.key, frozenset()) | {"metadata.name", "metadata.namespace"}
    terms = []
    for part in filter(None, text.split(",")):
        match = _EQUALITY.fullmatch(part)
        if match is None:
            raise bad_request(f"invalid field selector: {text!r}; can't understand {part!r}")
        if match["key"] not in supported:
            raise bad_request(f"field label not supported: {match['key']}")
        terms.append((match["key"], match["operator"] != "!=", match["value"]))
    return FieldSelector(tuple(terms))
