"""What every stand-in shares: a record of each request, and faults by rule.

A stand-in classifies a request into an :class:`Operation`; the :class:`Wire`
records it and tells which fault, if any, a rule wants for it. Servers on
aiohttp use :meth:`Wire.middleware`, servers on WSGI :meth:`Wire.wsgi`.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from aiohttp.typedefs import Middleware

# How long a hanging call is held when nobody releases it, in seconds.
HANG_LIMIT = 300.0
_KEPT_CALLS = 50_000
# A handler that streams calls `request[STREAM_STARTED](status)` once its headers are out:
# the call is then recorded at its start and not at its end.
STREAM_STARTED: web.RequestKey[Callable[[int], None]] = web.RequestKey("stream_started")


@dataclass(frozen=True, slots=True)
class Operation:
    """One request as its service understands it.

    `name` is the service's own word for it (`CreateBucket`,
    `POST /api/v1/namespaces/{}/configmaps`); `resource` the object it is about.
    `body` must not hold secrets: the classifier leaves them out. `right` is what must be
    granted for it, where its name does not tell that (`watch deployments.apps`).
    """

    service: str
    name: str
    write: bool
    principal: str = ""
    resource: str = ""
    body: Any = None
    right: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """An operation that was recorded, with its answer's status (0: no answer was sent)."""

    number: int
    at: float
    method: str
    path: str
    status: int
    operation: Operation

    def as_json(self) -> dict[str, Any]:
        """With the body itself, since copies of all bodies take longer than all the rest."""
        return {**_by_name(self), "operation": _by_name(self.operation)}


def _by_name(record: Operation | Call) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields(record)}


class FaultKind(StrEnum):
    """What can go wrong; `after` kinds do the work first and spoil the answer."""

    LATENCY = "latency"
    ERROR = "error"
    ERROR_AFTER = "error-after"
    THROTTLE = "throttle"
    DROP = "drop"
    DROP_AFTER = "drop-after"
    HANG = "hang"
    HANG_AFTER = "hang-after"


_AFTER = {FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER, FaultKind.HANG_AFTER}


@dataclass(slots=True)
class FaultRule:
    """A fault for calls of a service whose operation matches a pattern.

    `operation` is a shell pattern on the operation's name, `resource` one on its
    resource. The fault strikes at the `nth` matching call (1 is the first), `times`
    times in a row; `times=0` means for ever. `writes_only` passes over reads.
    """

    kind: FaultKind
    service: str = "*"
    operation: str = "*"
    resource: str = "*"
    nth: int = 1
    times: int = 1
    writes_only: bool = False
    seconds: float = 0.0
    status: int = 503
    code: str = "InternalError"
    message: str = "injected by a sandbox fault"
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self.kind = FaultKind(self.kind)

    @property
    def strikes_after(self) -> bool:
        """Whether the work is done before the answer is spoilt."""
        return self.kind in _AFTER

    @property
    def drops(self) -> bool:
        """Whether no answer is sent at all."""
        return self.kind in (FaultKind.DROP, FaultKind.DROP_AFTER)

    def wants(self, operation: Operation) -> bool:
        """Count the call if it matches and say whether it is to be spoilt."""
        if self.writes_only and not operation.write:
            return False
        if not (
            fnmatchcase(operation.service, self.service)
            and fnmatchcase(operation.name, self.operation)
            and fnmatchcase(operation.resource, self.resource)
        ):
            return False
        self.seen += 1
        due = self.seen >= self.nth and (self.times == 0 or self.seen < self.nth + self.times)
        self.fired += due
        return due


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error answer that a fault asks for; each service renders it in its own format."""

    status: int
    code: str
    message: str


Classifier = Callable[[web.Request], Awaitable[Operation]]
RenderRefusal = Callable[[Refusal], web.Response]
AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WsgiClassifier = Callable[["WSGIEnvironment"], Operation]
WsgiRefusal = Callable[[Refusal, "WSGIEnvironment"], tuple[str, list[tuple[str, str]], bytes]]


@dataclass
class Wire:
    """The record and the rules of one sandbox; safe to use from any thread."""

    rules: list[FaultRule] = field(default_factory=list)
    _calls: list[Call] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def inject(self, rule: FaultRule) -> None:
        with self._lock:
            self._released.clear()
            self.rules.append(rule)

    def clear_faults(self) -> None:
        """Forget all rules and let go of every call that hangs."""
        with self._lock:
            self.rules.clear()
            self._released.set()

    def fault(self, operation: Operation) -> FaultRule | None:
        """The first rule that strikes this call."""
        with self._lock:
            struck = [rule for rule in self.rules if rule.wants(operation)]
        return struck[0] if struck else None

    def record(self, operation: Operation, method: str, path: str, status: int) -> None:
        call = Call(next(self._numbers), time.time(), method, path, status, operation)
        with self._lock:
            self._calls.append(call)
            if len(self._calls) > _KEPT_CALLS:
                del self._calls[: _KEPT_CALLS // 10]

    def calls(self, *, after: int = 0, writes_only: bool = False) -> list[Call]:
        """What was recorded since call number `after`, in order of completion."""
        with self._lock:
            return [
                call
                for call in self._calls
                if call.number > after and (call.operation.write or not writes_only)
            ]

    @property
    def last_call(self) -> int:
        """The number of the newest call; 0 before the first."""
        with self._lock:
            return max((call.number for call in self._calls), default=0)

    def middleware(self, classify: Classifier, refuse: RenderRefusal) -> Middleware:
        """An aiohttp middleware that records each call and strikes with faults."""

        @web.middleware
        async def middleware(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
            operation = await classify(request)
            rule = self.fault(operation)
            status = 0
            started = False

            def start(code: int) -> None:
                nonlocal started
                started = True
                self.record(operation, request.method, request.path, code)

            request[STREAM_STARTED] = start
            try:
                if rule and not rule.strikes_after:
                    refusal = await self._strike(rule, request)
                    if refusal:
                        status = refusal.status
                        return refuse(refusal)
                try:
                    response = await handler(request)
                except web.HTTPException as answer:
                    status = answer.status
                    raise
                if rule and rule.strikes_after:
                    refusal = await self._strike(rule, request)
                    if refusal:
                        status = refusal.status
                        return refuse(refusal)
                status = response.status
                return response
            finally:
                if not started:
                    self.record(operation, request.method, request.path, status)

        return middleware

    async def _strike(self, rule: FaultRule, request: web.Request) -> Refusal | None:
        if rule.kind is FaultKind.LATENCY:
            await asyncio.sleep(rule.seconds)
            return None
        if rule.kind in (FaultKind.HANG, FaultKind.HANG_AFTER):
            await asyncio.to_thread(self._released.wait, rule.seconds or HANG_LIMIT)
        if rule.kind in (FaultKind.ERROR, FaultKind.ERROR_AFTER):
            return Refusal(rule.status, rule.code, rule.message)
        if rule.kind is FaultKind.THROTTLE:
            return Refusal(429, "Throttling", "Rate exceeded")
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("dropped by a sandbox fault")

    def wsgi(
        self, app: WSGIApplication, classify: WsgiClassifier, refuse: WsgiRefusal
    ) -> WSGIApplication:
        """The same around a WSGI application."""

        def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            operation = classify(environ)
            rule = self.fault(operation)
            status = [0]

            def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                status[0] = int(line.split(" ", 1)[0])
                return start_response(line, headers, exc_info)

            def refused(refusal: Refusal) -> Iterable[bytes]:
                line, headers, body = refuse(refusal, environ)
                start(line, headers)
                return [body]

            try:
                if rule and not rule.strikes_after:
                    refusal = self.strike(rule)
                    if refusal:
                        return refused(refusal)
                if rule and rule.strikes_after:
                    for _ in app(environ, lambda *_: lambda _: None):
                        pass
                    refusal = self.strike(rule)
                    if refusal:
                        return refused(refusal)
                return app(environ, start)
            finally:
                self.record(
                    operation, environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), status[0]
                )

        return wrapped

    def strike(self, rule: FaultRule) -> Refusal | None:
        """Wait as long as the rule says; returns the error to answer with, if any.

        Raises ConnectionResetError where the connection is to be dropped.
        """
        if rule.kind is FaultKind.LATENCY:
            self._released.wait(rule.seconds)
            return None
        if rule.kind in (FaultKind.HANG, FaultKind.HANG_AFTER):
            self._released.wait(rule.seconds or HANG_LIMIT)
        if rule.kind in (FaultKind.ERROR, FaultKind.ERROR_AFTER):
            return Refusal(rule.status, rule.code, rule.message)
        if rule.kind is FaultKind.THROTTLE:
            return Refusal(429, "Throttling", "Rate exceeded")
        # The server closes the connection when the application raises.
        raise ConnectionResetError("dropped by a sandbox fault")
