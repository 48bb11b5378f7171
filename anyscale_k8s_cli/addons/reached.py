"""Whether what was said of pods is in what a chart makes of it, hooks and all.

A chart of another version may have no value for something, and users' own values win over
ours. Nobody would be told, were it not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.cluster.additions import WITH_PODS
from anyscale_k8s_cli.cluster.documents import Document, Documents


def unreached(rendered: Documents, pods: PodSettings, *, outside: bool) -> Iterator[str]:
    """A line for each workload and what its pods would lack.

    `outside` is whether they speak to somebody outside the cluster. What can be added beside
    helm, to workloads that stay, is not lacking.
    """
    for document in rendered:
        template = ((document.get("spec") or {}).get("template") or {}) if document else {}
        if "containers" not in (template.get("spec") or {}):
            continue
        where = f"{document['kind']} {document['metadata']['name']}"
        lacking = [*_place(document, template["spec"], pods), *_images(template["spec"], pods)]
        if outside:
            lacking += _ways_out(template["spec"], pods)
        if document["kind"] not in WITH_PODS:
            lacking += _marks(template, pods)
        if lacking:
            yield f"{where}: {'; '.join(lacking)}"


def _place(workload: Document, spec: Document, pods: PodSettings) -> Iterator[str]:
    tolerated = spec.get("tolerations") or []
    for taint, toleration in zip(pods.spec.tolerations, pods.tolerations, strict=True):
        if toleration not in tolerated:
            yield f"does not tolerate {taint}"
    # What is on each node goes where it is needed.
    if workload["kind"] != "DaemonSet":
        yield from _pairs("no node selector", spec.get("nodeSelector"), pods.node_selector)


def _images(spec: Document, pods: PodSettings) -> Iterator[str]:
    secrets = spec.get("imagePullSecrets") or []
    yield from (f"not pulled with {s['name']}" for s in pods.pull_secrets if s not in secrets)
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    for image in dict.fromkeys(str(item.get("image", "")) for item in containers):
        if pods.registry and not image.startswith(f"{pods.registry}/"):
            yield f"image {image}"


def _ways_out(spec: Document, pods: PodSettings) -> Iterator[str]:
    for container in spec["containers"]:
        said = container.get("env") or []
        names = [item["name"] for item in pods.proxies if item not in said]
        if names:
            yield f"container {container['name']} without {', '.join(names)}"


def _marks(template: Document, pods: PodSettings) -> Iterator[str]:
    metadata = template.get("metadata") or {}
    yield from _pairs("no label", metadata.get("labels"), pods.labels)
    yield from _pairs("no annotation", metadata.get("annotations"), pods.annotations)


def _pairs(what: str, found: Any, wanted: Mapping[str, str]) -> Iterator[str]:
    there = found if isinstance(found, Mapping) else {}
    for key, value in wanted.items():
        if there.get(key) != value:
            yield f"{what} {key}={value}"
