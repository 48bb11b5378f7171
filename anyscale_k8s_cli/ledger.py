"""The inventory in the cluster: what this install made, written before it is made.

A ConfigMap in the operator's namespace. It holds ids, no secrets. All planned
creations are written as intended in one write before the first of them is
made; results follow as they come.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.resource import Change, Observed, Ownership, Resource, Rights

LEDGER_NAME = "anyscale-k8s-ledger"
LEDGER_FORMAT = 1
_DATA_KEY = "ledger.json"
INTENDED = "intended"
DONE = "done"


@dataclass(frozen=True)
class Entry:
    """One object: its state is `intended` or `done`; the id is empty while it is intended."""

    kind: str
    title: str
    state: str
    ownership: str
    id: str = ""


@dataclass(frozen=True)
class LedgerContent:
    """`said` is what the last setup was told, by the spec's dotted paths, without secrets."""

    install: Install
    entries: Mapping[str, Entry]
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rights(self) -> Rights:
        """What it says is ours: by id what was made, by name what is only intended."""
        entries = self.entries.items()
        return Rights(
            frozenset(entry.id for _, entry in entries if entry.id),
            frozenset(key for key, entry in entries if entry.state == INTENDED),
        )

    def lacks(self, planned: Sequence[PlannedChange]) -> bool:
        """Whether it does not tell of all that is there: a run ended before it could say so."""
        return any(
            item.resource.key not in self.entries
            or self.entries[item.resource.key].state == INTENDED
            for item in planned
            if _is_there(item)
        )


def ledger_reference(namespace: str) -> Reference:
    return Reference("v1", "ConfigMap", LEDGER_NAME, namespace)


def ledger_of(kubernetes: Kubernetes, install: Install) -> LedgerContent:
    """The ledger of an install; empty when there is none, or one of somebody else."""
    found = read_ledger(kubernetes, install.namespace)
    if found is None or found.install.id != install.id:
        return LedgerContent(install, {})
    return found


def read_ledger(kubernetes: Kubernetes, namespace: str) -> LedgerContent | None:
    """The ledger in a namespace; None when there is none.

    Raises `cluster-failed` when it is there and cannot be understood.
    """
    found = kubernetes.get("v1", "ConfigMap", LEDGER_NAME, namespace)
    return None if found is None else _parse(found)


def _parse(found: Document) -> LedgerContent:
    try:
        document = json.loads(found["data"][_DATA_KEY])
        install = Install.from_locator(document["install"])
        if document["format"] != LEDGER_FORMAT or install is None:
            raise ValueError(f"format {document.get('format')!r}")
        entries = {key: Entry(**entry) for key, entry in document["entries"].items()}
    except (KeyError, TypeError, ValueError) as problem:
        namespace = found["metadata"]["namespace"]
        raise errors.CliError(
            errors.CLUSTER_FAILED,
            f"The ledger {namespace}/{LEDGER_NAME} cannot be read",
            cause=f"{type(problem).__name__}: {problem}",
            fix="use the version of this tool that wrote it, or restore the ConfigMap",
        ) from problem
    return LedgerContent(install, entries, document.get("said", {}))


class Ledger:
    """Writes the inventory; safe for threads. Implements `apply.Journal` but for `guard`.

    `said` is kept beside it; None keeps what is there.
    """

    def __init__(
        self, kubernetes: Kubernetes, install: Install, said: Mapping[str, Any] | None = None
    ) -> None:
        self._kubernetes = kubernetes
        self._install = install
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._said = said

    def open(self, planned: Sequence[PlannedChange]) -> None:
        """Write every planned creation as intended and what is there as done, in one write."""
        with self._lock:
            content = read_ledger(self._kubernetes, self._install.namespace)
            self._entries = dict(content.entries) if content else {}
            if self._said is None:
                self._said = content.said if content else {}
            for item in planned:
                if item.change is Change.CREATE:
                    self._entries[item.resource.key] = _entry(item, INTENDED)
                elif _is_there(item) and item.observed is not None:
                    self._entries[item.resource.key] = _entry(item, DONE, item.observed.id)
            self._write()

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        """Settle one entry. Only what is ours or shared is in the inventory."""
        with self._lock:
            known = self._entries.get(resource.key)
            self._entries[resource.key] = Entry(
                resource.kind,
                resource.title,
                DONE,
                known.ownership if known else "ours",
                observed.id,
            )
            self._write()

    def removed(self, resource: Resource[Any]) -> None:
        with self._lock:
            if self._entries.pop(resource.key, None) is not None:
                self._write()

    def delete(self) -> None:
        """Remove the inventory itself: the last step of a teardown."""
        self._kubernetes.delete(ledger_reference(self._install.namespace))

    def _write(self) -> None:
        document = {
            "format": LEDGER_FORMAT,
            "install": self._install.locator(),
            "said": dict(self._said or {}),
            "entries": {key: asdict(entry) for key, entry in sorted(self._entries.items())},
        }
        self._kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": LEDGER_NAME,
                    "namespace": self._install.namespace,
                    "annotations": self._install.locator(),
                },
                "data": {_DATA_KEY: json.dumps(document, indent=1)},
            }
        )


def _is_there(item: PlannedChange) -> bool:
    """Whether a run has made the object: what was found and is only used is not in the ledger."""
    made = (Ownership.OURS, Ownership.SHARED)
    return item.change in (Change.NONE, Change.UPDATE) and item.decision.ownership in made


def _entry(item: PlannedChange, state: str, id: str = "") -> Entry:
    resource = item.resource
    return Entry(resource.kind, resource.title, state, item.decision.ownership.value, id)
