"""What an apply writes down as it goes: in the ledger, while it holds the lock; or nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.ledger import Ledger
from anyscale_k8s_cli.lock import InstallLock
from anyscale_k8s_cli.resource import Observed, Resource


@dataclass(frozen=True)
class LockedLedger:
    """The journal of an apply: the ledger, guarded by the lock."""

    ledger: Ledger
    lock: InstallLock

    def guard(self) -> None:
        self.lock.guard()

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        self.ledger.done(resource, observed)

    def removed(self, resource: Resource[Any]) -> None:
        self.ledger.removed(resource)


class Unjournaled:
    """For the namespace itself, which the ledger needs, and for runs that write nothing."""

    def guard(self) -> None:
        """Nothing is held yet."""

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None:
        """It is written once there is a ledger."""

    def removed(self, resource: Resource[Any]) -> None:
        """Nothing is removed here."""
