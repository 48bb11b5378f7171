"""Helm's own record of a release, read through the API without a helm process.

Helm keeps each revision in a Secret `sh.helm.release.v1.<name>.v<N>`: base64 (the
Secret's), base64 (Helm's), gzip, JSON.
https://helm.sh/docs/topics/kubernetes_apis/ and helm's pkg/storage/driver
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.documents import Document, Reference, parse_all
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

# Definitions of custom resources run to hundreds of kilobytes. A document longer
# than this is known by its head and compared by its existence alone.
_LONG = 32_000
_KEEP = "helm.sh/resource-policy"


@dataclass(frozen=True)
class ManifestObject:
    """One object of a release: `document` is None where only its head was read."""

    reference: Reference
    document: Document | None
    kept: bool = False


@dataclass(frozen=True)
class ReleaseRecord:
    """One revision. `values` are those that were given, not the chart's defaults.

    `first_deployed` stays over upgrades: with the name it identifies a release.
    """

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    chart_version: str
    app_version: str
    first_deployed: str
    values: Mapping[str, Any]
    labels: Mapping[str, str]
    manifest: str
    hooks: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}@{self.first_deployed}"

    @property
    def pending(self) -> bool:
        """A run of helm is at it, or died over it."""
        return self.status.startswith("pending-") or self.status == "uninstalling"

    @cached_property
    def objects(self) -> tuple[ManifestObject, ...]:
        """What the release consists of; hooks are no part of it."""
        return tuple(_objects(self.manifest, self.namespace))

    @cached_property
    def hook_objects(self) -> tuple[ManifestObject, ...]:
        return tuple(item for text in self.hooks for item in _objects(text, self.namespace))

    def documents(self) -> list[Document]:
        """Everything that was rendered, hooks included, in full length."""
        texts = (self.manifest, *self.hooks)
        parsed = (document for text in texts for document in parse_all(text))
        return [document for document in parsed if isinstance(document, dict)]


def newest(kubernetes: Kubernetes, namespace: str, name: str) -> ReleaseRecord | None:
    """The last revision, whatever its status; None when there is no such release."""
    secrets = _secrets(kubernetes, namespace, name)
    return decode(secrets[-1], kubernetes.access) if secrets else None


def in_force(kubernetes: Kubernetes, namespace: str, name: str) -> ReleaseRecord | None:
    """The revision that the cluster has: the deployed one, where a later one has failed.

    The last one where none was ever deployed; None when there is no such release.
    """
    secrets = _secrets(kubernetes, namespace, name)
    deployed = [item for item in secrets if item["metadata"]["labels"].get("status") == "deployed"]
    found = deployed[-1:] or secrets[-1:]
    return decode(found[0], kubernetes.access) if found else None


def last_good(kubernetes: Kubernetes, namespace: str, name: str) -> ReleaseRecord | None:
    """The last revision that was deployed once; None when none ever was."""
    for secret in reversed(_secrets(kubernetes, namespace, name)):
        if secret["metadata"]["labels"].get("status") in ("deployed", "superseded"):
            return decode(secret, kubernetes.access)
    return None


def decode(secret: Document, access: ClusterAccess) -> ReleaseRecord:
    """Read one revision's Secret. Raises `cluster-failed` when it is no such record."""
    metadata = secret["metadata"]
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        # Releases of old helm versions are not compressed.
        text = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        release = json.loads(text)
        about = release["chart"]["metadata"]
        return ReleaseRecord(
            name=release["name"],
            namespace=release.get("namespace") or metadata["namespace"],
            revision=int(release["version"]),
            status=release["info"]["status"],
            chart=about["name"],
            chart_version=about["version"],
            app_version=str(about.get("appVersion") or ""),
            first_deployed=str(release["info"].get("first_deployed") or ""),
            values=release.get("config") or {},
            labels=metadata.get("labels") or {},
            manifest=release.get("manifest") or "",
            hooks=tuple(hook.get("manifest") or "" for hook in release.get("hooks") or ()),
        )
    except (KeyError, TypeError, ValueError, OSError) as problem:
        name = (metadata.get("labels") or {}).get("name", "")
        look = access.helm(f"history {name} --namespace {metadata['namespace']}")
        raise errors.CliError(
            errors.CLUSTER_FAILED,
            f"The Helm record {metadata['namespace']}/{metadata['name']} cannot be read",
            cause=f"{type(problem).__name__}: {problem}",
            fix=f"see what is wrong with it: {look}",
        ) from problem


def _secrets(kubernetes: Kubernetes, namespace: str, name: str) -> list[Document]:
    found = kubernetes.list("v1", "Secret", namespace, label_selector=f"owner=helm,name={name}")
    return sorted(found, key=_revision)


def _revision(secret: Document) -> int:
    return int(secret["metadata"]["labels"].get("version", "0"))


def _objects(manifest: str, namespace: str) -> Iterator[ManifestObject]:
    for text in _documents(manifest):
        long = len(text) > _LONG
        document = next(parse_all(_head(text) if long else text), None)
        if not isinstance(document, dict) or "kind" not in document:
            continue
        annotations = (document.get("metadata") or {}).get("annotations") or {}
        yield ManifestObject(
            # The API ignores the namespace of what has none; so does the client.
            Reference.of(document, namespace),
            None if long else document,
            kept=annotations.get(_KEEP) == "keep",
        )


def _documents(manifest: str) -> Iterator[str]:
    lines: list[str] = []
    for line in manifest.splitlines():
        if line.rstrip() == "---":
            yield "\n".join(lines)
            lines = []
        else:
            lines.append(line)
    yield "\n".join(lines)


def _head(text: str) -> str:
    """A document up to its `spec`, which is where a long one is long."""
    return text.split("\nspec:", 1)[0]
