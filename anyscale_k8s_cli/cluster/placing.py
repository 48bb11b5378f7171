"""Pods that no node takes or that may not be made, looked for while they are waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.diagnosis import Diagnosis, diagnose_workload
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.scale_up import Patience
from anyscale_k8s_cli.run import StillWaiting


@dataclass
class Placing:
    """`workloads` are those whose pods are waited for. What they wait for is told."""

    kubernetes: Kubernetes
    workloads: Callable[[], Iterable[Reference]]
    patience: Patience = field(default_factory=Patience)
    _told: str = ""

    def in_vain(self) -> bool:
        """Whether long enough nobody adds a node that a pod lacks, or a rule keeps it out."""
        if not self.patience.due():
            return False
        try:
            found = [diagnose_workload(self.kubernetes, item) for item in self.workloads()]
        except errors.CliError:
            # Who may not look waits on.
            return False
        first = next((item for item in found if item is not None and item.waiting), None)
        self._told = first.waiting if first else ""
        return self.patience.over(refused=any(map(_is_refused, found)))

    def also(self, seen: StillWaiting) -> StillWaiting:
        """What was seen, and what pods wait for."""
        return StillWaiting("; ".join(filter(None, (str(seen), self._told))))


def _is_refused(diagnosis: Diagnosis | None) -> bool:
    return diagnosis is not None and diagnosis.refused
