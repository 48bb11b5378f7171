"""Kubernetes objects as plain documents, and how to say which one is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

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


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """libyaml's parser where there is one: several times as fast.

    A bare `=` is text, as for everybody but YAML 1.1's authors: some charts have it.
    https://github.com/yaml/pyyaml/issues/89
    """


_Loader.add_constructor(
    "tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node)
)


def parse_all(text: str | bytes) -> Iterator[Any]:
    """The documents of a YAML stream, empty ones (None) included. Raises `yaml.YAMLError`."""
    return iter(yaml.load_all(text, Loader=_Loader))
