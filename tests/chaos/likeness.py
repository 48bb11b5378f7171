"""Whether two worlds are alike: all of them but what is given out afresh each time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Ids, times, names of load balancers, and numbers that a cluster counts up.
_FRESH = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"\b(cld|cldrsrc)([_-])[0-9a-f]{24}"), r"\1\2<id>"),
    (re.compile(r"\bsg-[0-9a-f]{17}\b"), "sg-<id>"),
    (re.compile(r"\bk8s-envoygat-envoyany-[0-9a-f-]+"), "<load balancer>"),
    (re.compile(r"\ba[0-9a-f]{31}\b"), "<load balancer>"),
    (re.compile(r"\b198\.51\.100\.\d+\b"), "<public address>"),
    (re.compile(r"(envoy-anyscale-operator-gateway-)[0-9a-f]{8}\b"), r"\1<id>"),
    (re.compile(r"\b10\.100\.\d+\.\d+\b"), "<cluster ip>"),
    (re.compile(r'("nodePort": )\d+'), r"\g<1>0"),
    # A release that had to be written again has a higher revision.
    (re.compile(r"(sh\.helm\.release\.v1\.[a-z-]+\.v)\d+"), r"\1<n>"),
    (re.compile(r'("(?:modifiedAt|version)": ")\d+"'), r'\1<n>"'),
)
_PLATFORMS = ("aws", "google", "azure")
_LEDGER = "anyscale-k8s-ledger"
_BOOKKEEPING = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
# What controllers make of other objects, and name at random.
_DERIVED = ("events", "pods", "replicasets.apps")


def likeness(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """A sandbox's snapshot, object by object, without what is new in every run anyway."""
    found: dict[str, Any] = {}
    for name, item in _objects(snapshot):
        text = _same(name)
        # Several objects can differ in their ids alone: each one counts.
        number = sum(1 for known in found if known.partition(" #")[0] == text)
        found[f"{text} #{number + 1}" if number else text] = json.loads(_same(json.dumps(item)))
    return found


def _objects(snapshot: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for cloud in snapshot["control_plane"]["clouds"]:
        yield f"cloud {cloud['name']}", cloud
    for platform in _PLATFORMS:
        for kind, items in snapshot.get(platform, {}).items():
            for name, item in items.items() if isinstance(items, dict) else [("", items)]:
                label = item["name"] if kind == "security_groups" else name
                yield f"{kind} {label}".rstrip(), _settings(item)
    for cluster, objects in snapshot["kubernetes"].items():
        for name, item in objects.items():
            if name.partition("/")[0] in _DERIVED or _history(item):
                continue
            yield f"{cluster} {name}", _object(item)
            if name.endswith(_LEDGER):
                entries = json.loads(item["data"]["ledger.json"])["entries"]
                yield from ((f"ledger {key}", entry) for key, entry in entries.items())


def _settings(item: Any) -> Any:
    """An object of a cloud, without the user's data in it."""
    return _without(item, "versions", "uploads") if isinstance(item, dict) else item


def _history(item: Mapping[str, Any]) -> bool:
    """An earlier revision of a release."""
    return (item["metadata"].get("labels") or {}).get("status") == "superseded"


def _object(item: Mapping[str, Any]) -> dict[str, Any]:
    shown = _without(item, "status")
    shown["metadata"] = _without(item["metadata"], *_BOOKKEEPING)
    if item["metadata"]["name"] == _LEDGER:
        shown["data"] = sorted(item["data"])
    if item["kind"] == "Secret":
        # Certificates, and releases that hold times.
        shown["data"] = sorted(item.get("data") or {})
    if item["kind"] == "Lease":
        shown["spec"] = {"held": bool(item["spec"]["holderIdentity"])}
        shown["metadata"] = _without(shown["metadata"], "annotations")
    return shown


def _without(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


def _same(text: str) -> str:
    for fresh, placeholder in _FRESH:
        text = fresh.sub(placeholder, text)
    return text
