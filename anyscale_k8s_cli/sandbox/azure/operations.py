"""Long-running operations: accepted at once, done after some polls."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.azure.arm_routes import SUBSCRIPTION, Answer, ArmRequest, Route
from anyscale_k8s_cli.sandbox.azure.errors import ArmError

_PATH = "/providers/{namespace}/locations/{location}/asyncoperations/{operation}"


@dataclass
class _Operation:
    """`finish` does the work at its end and gives the answer's body, None for none."""

    finish: Callable[[], Any]
    polls: int
    done: bool = False
    result: Any = None


@dataclass
class Operations:
    """`polls` is how often an operation is still running when asked, `poll_seconds` the pause."""

    polls: int = 1
    poll_seconds: float = 0.1
    _items: dict[str, _Operation] = field(default_factory=dict)

    def begin(
        self, request: ArmRequest, namespace: str, location: str, finish: Callable[[], Any]
    ) -> Answer:
        """Accept a request; `finish` is called when the operation is over."""
        identifier = str(uuid.uuid4())
        self._items[identifier] = _Operation(finish, self.polls)
        subscription = request["subscription"]
        where = f"{request.base}/subscriptions/{subscription}"
        tail = f"?api-version={request.query['api-version']}"
        values = {"namespace": namespace, "location": location, "operation": identifier}
        return Answer(None, 202, {"Location": where + _PATH.format(**values) + tail, **self.pause})

    @property
    def pause(self) -> dict[str, str]:
        """How long to wait before the next poll; whole seconds are the only ones HTTP knows."""
        if self.poll_seconds >= 1:
            return {"Retry-After": str(int(self.poll_seconds))}
        return {"x-ms-retry-after-ms": str(int(self.poll_seconds * 1000))}

    def routes(self) -> list[Route]:
        return [
            Route("GET", SUBSCRIPTION + _PATH, "AsyncOperations_Get", "", self.result),
        ]

    def result(self, request: ArmRequest) -> Answer:
        """The result of an operation, as `Location` leads to it."""
        operation = self._poll(request["operation"])
        if not operation.done:
            where = f"{request.base}{request.path}?api-version={request.query['api-version']}"
            return Answer(None, 202, {"Location": where, **self.pause})
        return Answer(operation.result, 200)

    def _poll(self, identifier: str) -> _Operation:
        operation = self._items.get(identifier)
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"The operation '{identifier}' is not found.")
        if not operation.done and operation.polls == 0:
            operation.result, operation.done = operation.finish(), True
        operation.polls = max(0, operation.polls - 1)
        return operation
