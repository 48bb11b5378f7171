"""The user's kubeconfig files, read as kubectl reads them.

Several files are one: the first that has an entry of a name, or a current context, wins.
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from anyscale_k8s_cli.cluster.documents import parse_all


class KubeconfigError(Exception):
    """Why a kubeconfig cannot be read, in words for the one who wrote it."""


@dataclass(frozen=True)
class Entry:
    """What a context, cluster or user is, and the file that says so."""

    settings: Mapping[str, Any]
    file: Path

    def get(self, key: str) -> Any:
        """None when there is no such setting."""
        return self.settings.get(key)

    def need(self, key: str) -> str:
        """The text of a setting that must be there. Raises `KubeconfigError`."""
        value = self.settings.get(key)
        if not value:
            raise KubeconfigError(f"an entry in {self.file} has no {key}")
        return str(value)

    def beside(self, path: str) -> Path:
        """Relative paths count from the file that the entry stands in."""
        return self.file.resolve().parent / path


@dataclass
class Kubeconfig:
    """All entries by their names."""

    contexts: dict[str, Entry] = field(default_factory=dict)
    clusters: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)
    current: str = ""

    def need(self, kind: str, name: str) -> Entry:
        """The context, cluster or user of that name. Raises `KubeconfigError`."""
        entries: dict[str, Entry] = getattr(self, f"{kind}s")
        if name not in entries:
            raise KubeconfigError(f"there is no {kind} {name!r}")
        return entries[name]


def read_kubeconfig(place: str) -> Kubeconfig:
    """What the files of `place` say, named as in `KUBECONFIG`; those that are missing say nothing.

    Raises `KubeconfigError`, also when all of them are missing.
    """
    named = [Path(path).expanduser() for path in place.split(os.pathsep) if path]
    files = [file for file in named if file.exists()]
    if not files:
        raise KubeconfigError("there is no such file")
    merged = Kubeconfig()
    for file in files:
        document = _document(file)
        for kind in ("context", "cluster", "user"):
            entries: dict[str, Entry] = getattr(merged, f"{kind}s")
            for name, settings in _entries(document, kind, file):
                entries.setdefault(name, Entry(settings, file))
        merged.current = merged.current or str(document.get("current-context") or "")
    return merged


def _document(file: Path) -> dict[str, Any]:
    try:
        document = next(parse_all(file.read_text(encoding="utf-8")), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise KubeconfigError(f"{file}: {problem}") from problem
    if not isinstance(document, dict | None):
        raise KubeconfigError(f"{file} is no kubeconfig")
    return document or {}


def _entries(document: dict[str, Any], kind: str, file: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        return [
            (str(item["name"]), dict(item.get(kind) or {}))
            for item in document.get(f"{kind}s") or ()
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise KubeconfigError(f"{file}: {kind}s is no list of named entries") from problem
