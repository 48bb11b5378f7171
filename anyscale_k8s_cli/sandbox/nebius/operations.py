"""Long-running operations: what was asked is done at once, and told only after a few polls."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.nebius import refusals
from anyscale_k8s_cli.sandbox.nebius.collection import Clock


@dataclass
class Operations:
    """`polls` is how often an operation is still running when somebody asks."""

    clock: Clock
    polls: int = 1
    _running: dict[str, int] = field(default_factory=dict)
    _items: dict[str, Any] = field(default_factory=dict)

    def start(self, what: str, resource_id: str, by: str) -> Any:
        from nebius.api.nebius.common.v1 import Operation

        operation = Operation(
            id=f"operation-e00{secrets.token_hex(7)}",
            description=what,
            created_at=self.clock(),
            created_by=by,
            resource_id=resource_id,
        )
        self._items[operation.id] = operation
        self._running[operation.id] = self.polls
        if not self.polls:
            self._finish(operation)
        return operation

    def get(self, operation_id: str) -> Any:
        operation = self._items.get(operation_id)
        if operation is None:
            raise refusals.not_found("operation", operation_id)
        if operation.finished_at is None:
            if self._running[operation_id] <= 0:
                self._finish(operation)
            self._running[operation_id] -= 1
        return operation

    def _finish(self, operation: Any) -> None:
        from nebius.base.protos.dynamic import REGISTRY

        operation.status = REGISTRY.message_class("google.rpc.Status")(code=0)
        operation.finished_at = self.clock()
