"""What is added to the workloads of a release beside helm, by our own field manager."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from anyscale_k8s_cli.cluster.comparing import abandoned, applied_by, differences, within
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import FIELD_MANAGER
from anyscale_k8s_cli.cluster.release_records import ManifestObject
from anyscale_k8s_cli.resource import FieldChange

# Workloads that stay, and whose pods are made anew when their template changes.
WITH_PODS = ("DaemonSet", "Deployment", "StatefulSet")


def part(
    add: Callable[[Document], Document], item: ManifestObject, placed: Reference
) -> Document | None:
    """What is to be applied to a workload of the manifest; None for what is none.

    It is bare where nothing is added: so what once was is taken away.
    """
    if item.document is None or item.document["kind"] not in WITH_PODS:
        return None
    bare = {
        "apiVersion": placed.api_version,
        "kind": placed.kind,
        "metadata": {"name": placed.name, "namespace": placed.namespace},
    }
    spec = add(item.document)
    return {**bare, "spec": spec} if spec else bare


def changed(reference: Reference, added: Document, live: Document) -> Iterator[FieldChange]:
    """Where a live workload lacks what is added, or has what is added no longer."""
    wanted = {key: added[key] for key in added if key == "spec"}
    if not wanted:
        if applied_by(live, FIELD_MANAGER):
            yield FieldChange(str(reference), "with additions of ours", "as in the chart")
        return
    found = differences(wanted, within(wanted, live))
    for item in (*found, *abandoned(wanted, live, FIELD_MANAGER)):
        yield item.as_change(prefix=f"{reference}: ")


def with_added(workload: Document, add: Callable[[Document], Document] | None) -> Document:
    """The workload as it is once that is added, for those who look at its pods beforehand."""
    spec = add(workload) if add and workload["kind"] in WITH_PODS else None
    return {**workload, "spec": joined(workload["spec"], spec)} if spec else workload


def joined(one: Any, other: Any) -> Any:
    """Two parts of one object: items of lists that have one name are joined, the rest follows."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = {key: joined(one[key], other[key]) for key in one if key in other}
        return {**one, **other, **both}
    if isinstance(one, list) and isinstance(other, list):
        named = {item["name"]: item for item in other}
        known = {item["name"] for item in one}
        return [
            *(joined(item, named.get(item["name"], {})) for item in one),
            *(item for item in other if item["name"] not in known),
        ]
    return other
