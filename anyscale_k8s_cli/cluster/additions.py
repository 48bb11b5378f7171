"""What is added to the workloads of a release beside helm, by our own field manager."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
