"""Management locks: what must not be deleted, or not be changed at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.azure.errors import ArmError
from anyscale_k8s_cli.sandbox.azure.resources import within
from anyscale_k8s_cli.sandbox.azure.seed import LockSeed


@dataclass
class Locks:
    """The locks of a subscription. A lock holds for its scope and everything below."""

    items: list[LockSeed] = field(default_factory=list)

    def check_delete(self, resource_id: str, below: Iterable[str] = ()) -> None:
        """Raises 409 where a lock forbids to delete this, or what goes with it."""
        self._check("delete", [resource_id, *below], {"CanNotDelete", "ReadOnly"})

    def check_write(self, resource_id: str) -> None:
        self._check("write", [resource_id], {"ReadOnly"})

    def _check(self, verb: str, ids: Iterable[str], levels: set[str]) -> None:
        named = list(ids)
        held = sorted(
            {
                lock.scope
                for lock in self.items
                if lock.level in levels and any(within(item, lock.scope) for item in named)
            }
        )
        if held:
            raise ArmError(
                409,
                "ScopeLocked",
                f"The scope '{named[0]}' cannot perform {verb} operation because following "
                f"scope(s) are locked: '{','.join(held)}'. Please remove the lock and try again.",
            )

    def listed(self, scope: str) -> list[dict[str, Any]]:
        """Those above, at and below a scope."""
        return [
            {
                "properties": {"level": lock.level},
                "id": f"{lock.scope}/providers/Microsoft.Authorization/locks/{lock.name}",
                "type": "Microsoft.Authorization/locks",
                "name": lock.name,
            }
            for lock in self.items
            if within(scope, lock.scope) or within(lock.scope, scope)
        ]
