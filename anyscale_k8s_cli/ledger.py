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
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.resource import Change, Observed, Ownership, Resource, Rights

LEDGER_NAME = "anyscale-k8s-ledger"
LEDGER_FORMAT = 1
# For people, of an install whose ledger is gone.
UNTOLD = "the cluster's inventory, which tells how it was set up, is not there"
_DATA_KEY = "ledger.json"
INTENDED = "intended"
DONE = "done"
# Writers are few: a run, and one that took the lock from it.
_ATTEMPTS = 10


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
    """`said` is what the last setup was told, by the spec's dotted paths, without secrets.

    `version` is another after each write of anybody's; empty while there is no ledger.
    """

    install: Install
    entries: Mapping[str, Entry]
    said: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def rights(self) -> Rights:
        """What it says is ours: by id what was made, by name what is only intended."""
        entries = self.entries.items()
        return Rights(
            frozenset(entry.id for _, entry in entries if entry.id),
            frozenset(key for key, entry in entries if entry.state == INTENDED),
            frozenset(key for key, entry in entries if entry.state == DONE),
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
    return _content(_document(kubernetes, install.namespace), install)


def read_ledger(kubernetes: Kubernetes, namespace: str) -> LedgerContent | None:
    """The ledger in a namespace; None when there is none.

    Raises `cluster-failed` when it is there and cannot be understood.
    """
    found = _document(kubernetes, namespace)
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
    version = str(found["metadata"]["resourceVersion"])
    return LedgerContent(install, entries, document.get("said", {}), version)


def installs_in(kubernetes: Kubernetes) -> dict[str, Install]:
    """The installs of a cluster by id: those with a ledger, and those that made a namespace."""
    found = [
        *kubernetes.list("v1", "Namespace", metadata_only=True),
        *kubernetes.list(
            "v1", "ConfigMap", field_selector=f"metadata.name={LEDGER_NAME}", metadata_only=True
        ),
    ]
    read = (Install.from_locator(item["metadata"].get("annotations") or {}) for item in found)
    return {install.id: install for install in read if install is not None}


class Ledger:
    """Writes the inventory; safe for threads. Implements `apply.Journal` but for `guard`.

    `said` is kept beside it; None keeps what is there. Each write is bound to the
    version that was read: what somebody else wrote in between is read again, and
    only the entries of this run are put into it.
    """

    def __init__(
        self, kubernetes: Kubernetes, install: Install, said: Mapping[str, Any] | None = None
    ) -> None:
        self._kubernetes = kubernetes
        self._install = install
        self._lock = threading.Lock()
        self._found: Document | None = None
        # What this run tells; None of what it has removed.
        self._told: dict[str, Entry | None] = {}
        self._said = said

    def open(self, planned: Sequence[PlannedChange]) -> None:
        """Write every planned creation as intended and what is there as done, in one write."""
        told: dict[str, Entry | None] = {}
        for item in planned:
            if item.change is Change.CREATE:
                told[item.resource.key] = _entry(item, INTENDED)
            elif _is_there(item) and item.observed is not None:
                told[item.resource.key] = _entry(item, DONE, item.observed.id)
        with self._lock:
            self._found = _document(self._kubernetes, self._install.namespace)
            self._tell(told)

    def tell(self, said: Mapping[str, Any]) -> None:
        """Keep what was said from now on."""
        with self._lock:
            self._said = said
            self._write()

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        """Settle one entry. Only what is ours or shared is in the inventory."""
        with self._lock:
            known = self._told.get(resource.key)
            owned = known.ownership if known else Ownership.OURS.value
            entry = Entry(resource.kind, resource.title, DONE, owned, observed.id)
            self._tell({resource.key: entry})

    def removed(self, resource: Resource[Any]) -> None:
        with self._lock:
            self._tell({resource.key: None})

    def delete(self) -> None:
        """Remove the inventory itself, if it is ours: the last step of a teardown."""
        found = read_ledger(self._kubernetes, self._install.namespace)
        if found is not None and found.install.id == self._install.id:
            self._kubernetes.delete(ledger_reference(self._install.namespace))

    def _tell(self, told: Mapping[str, Entry | None]) -> None:
        self._told |= told
        for _ in range(_ATTEMPTS):
            if self._write():
                return
            self._found = _document(self._kubernetes, self._install.namespace)
        raise errors.CliError(
            errors.CLUSTER_FAILED,
            f"The ledger {self._install.namespace}/{LEDGER_NAME} could not be written",
            cause=f"somebody else changed it {_ATTEMPTS} times in between",
            fix="see what else writes it, then run the same command again",
        )

    def _write(self) -> bool:
        """Whether it is written; not when somebody else was faster."""
        content = _content(self._found, self._install)
        entries = {key: entry for key, entry in {**content.entries, **self._told}.items() if entry}
        if not entries and not content.entries:
            return True
        said = content.said if self._said is None else self._said
        written = ledger_document(LedgerContent(self._install, entries, said))
        data, metadata = written["data"], {"annotations": written["metadata"]["annotations"]}
        try:
            if self._found is None:
                self._found = self._kubernetes.create(written)
            elif self._found.get("data") != data:
                read_at = {"resourceVersion": self._found["metadata"]["resourceVersion"]}
                self._found = self._kubernetes.patch_merge(
                    ledger_reference(self._install.namespace),
                    {"metadata": {**metadata, **read_at}, "data": data},
                )
        except KubernetesError as problem:
            # A write that was done and not answered is refused so when it is repeated.
            if problem.reason not in ("AlreadyExists", "Conflict"):
                raise
            return False
        return self._found is not None


def ledger_document(content: LedgerContent) -> Document:
    """The ConfigMap that holds it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": LEDGER_NAME,
            "namespace": content.install.namespace,
            "annotations": content.install.locator(),
        },
        "data": {_DATA_KEY: _text(content)},
    }


def _document(kubernetes: Kubernetes, namespace: str) -> Document | None:
    return kubernetes.get("v1", "ConfigMap", LEDGER_NAME, namespace)


def _content(found: Document | None, install: Install) -> LedgerContent:
    """Nothing, too, when it is somebody else's."""
    content = None if found is None else _parse(found)
    if content is None or content.install.id != install.id:
        return LedgerContent(install, {})
    return content


def _text(content: LedgerContent) -> str:
    document = {
        "format": LEDGER_FORMAT,
        "install": content.install.locator(),
        "said": dict(content.said),
        "entries": {key: asdict(entry) for key, entry in sorted(content.entries.items())},
    }
    return json.dumps(document, indent=1)


def _is_there(item: PlannedChange) -> bool:
    """Whether a run has made the object: what was found and is only used is not in the ledger."""
    made = (Ownership.OURS, Ownership.SHARED)
    return item.change in (Change.NONE, Change.UPDATE) and item.decision.ownership in made


def _entry(item: PlannedChange, state: str, id: str = "") -> Entry:
    resource = item.resource
    return Entry(resource.kind, resource.title, state, item.decision.ownership.value, id)
