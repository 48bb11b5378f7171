"""What becomes of the parts of an object that consists of several, such as a Helm release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class PartChange:
    """One part: `change` is create, update or delete, `diff` unified and without secrets."""

    kind: str
    name: str
    namespace: str | None
    change: str
    diff: str

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "change": self.change,
            "diff": self.diff,
        }


@runtime_checkable
class Composed(Protocol):
    """A resource that can tell beforehand what an update does to its parts."""

    def parts(self, observed: Any) -> Sequence[PartChange]:
        """Those that become others. May raise `NotYetKnown`; never writes."""
        ...
