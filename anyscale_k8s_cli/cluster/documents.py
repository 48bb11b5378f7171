"""Kubernetes objects as plain documents, and how to say which one is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Documents = list[Document]


@dataclass(frozen=True)
class Reference:
    """Which object: enough to read and delete it."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{where}"

    @classmethod
    def of(cls, manifest: Mapping[str, Any], namespace: str | None = None) -> Reference:
        """The object a manifest speaks of; `namespace` where it names none itself."""
        metadata = manifest["metadata"]
        return cls(
            manifest["apiVersion"],
            manifest["kind"],
            metadata["name"],
            metadata.get("namespace") or namespace,
        )
