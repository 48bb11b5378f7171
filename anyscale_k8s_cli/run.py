"""One execution of a command: its deadline, its interruption, its listeners.

Every blocking piece of work gets the :class:`Run` in its constructor and uses
it to report, to wait and to retry. Nothing else in the code sleeps.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import tenacity

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import Event, PhaseFinished, PhaseStarted, StepWaited, StepWaiting

T = TypeVar("T")

# Seconds of the command's limit that are kept to look for the cause of a wait in vain.
_TO_TELL = 3.0
Listener = Callable[[Event], None]

# The key of the step that the present thread or task works on.
current_step: contextvars.ContextVar[str] = contextvars.ContextVar("current_step", default="")


class StillWaiting(Exception):
    """Raised by a probe that has no answer yet; its text is what was seen."""


@dataclass
class Run:
    """`deadline` is in the terms of `time.monotonic()`; None means no limit.

    `resources` holds what must be closed when the command ends.
    """

    listeners: tuple[Listener, ...] = ()
    deadline: float | None = None
    loop: asyncio.AbstractEventLoop | None = None
    resources: ExitStack = field(default_factory=ExitStack, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _stop_code: errors.ErrorCode = errors.INTERRUPTED
    _unanswered: dict[object, str] = field(default_factory=dict, repr=False)

    def emit(self, event: Event) -> None:
        """Hand an event to every listener."""
        for listener in self.listeners:
            listener(event)

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[None]:
        """Report a part of the command, and how long it took."""
        self.emit(PhaseStarted(phase=name, title=title))
        started = time.monotonic()
        yield
        self.emit(PhaseFinished(phase=name, seconds=time.monotonic() - started))

    def stop(self, code: errors.ErrorCode = errors.INTERRUPTED) -> None:
        """Interrupt: every wait ends, and no new step starts."""
        self._stop_code = code
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def remaining(self) -> float | None:
        """Seconds until the command's own limit (`--timeout`); None means no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def patience(self, timeout: float) -> float:
        """As much of `timeout` as leaves enough of the command's limit to look for the cause."""
        remaining = self.remaining()
        return timeout if remaining is None else min(timeout, max(0.0, remaining - _TO_TELL))

    def check(self) -> None:
        """Raise when the run was interrupted or its time is up."""
        if self.stopped:
            raise errors.CliError(
                self._stop_code, "Interrupted", fix="run the same command again to go on"
            )
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise self.out_of_time()

    @contextmanager
    def asking(self, whom: str) -> Iterator[None]:
        """While inside, an answer of `whom` is waited for: if time runs out, that is told."""
        key = object()
        self._unanswered[key] = whom
        try:
            yield
        finally:
            del self._unanswered[key]

    def out_of_time(self) -> errors.CliError:
        """The error of a command whose limit is reached, with who has not answered by then."""
        silent = sorted(set(self._unanswered.copy().values()))
        return errors.CliError(
            errors.TIMED_OUT,
            "The command's time limit is reached",
            cause="--timeout",
            evidence=tuple(f"no answer yet from {whom}" for whom in silent),
            fix="run the same command again to go on, or give it more time with --timeout",
        )

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until an interruption or the command's limit."""
        remaining = self.remaining()
        self._stopped.wait(seconds if remaining is None else min(seconds, remaining))
        self.check()

    def wait_for(
        self,
        probe: Callable[[], T],
        *,
        what: str,
        timeout: float,
        every: float = 1.0,
        expired: Callable[[str], errors.CliError] | None = None,
    ) -> T:
        """Call `probe` until it returns; it raises `StillWaiting` with what it saw.

        For what cannot be watched. `timeout` in seconds; intervals start at a
        quarter of `every` and grow up to it. On expiry raises what `expired`
        makes of the last thing seen, else a `timed-out` error.
        """
        key = current_step.get()
        last = [""]

        def attempt() -> T:
            self.check()
            try:
                return probe()
            except StillWaiting as seen:
                if str(seen) != last[0]:
                    last[0] = str(seen)
                    self.emit(StepWaiting(key=key, what=what, detail=last[0]))
                raise

        self.emit(StepWaiting(key=key, what=what))
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(StillWaiting),
            stop=tenacity.stop_after_delay(self.patience(timeout) if expired else timeout),
            wait=tenacity.wait_random_exponential(multiplier=every / 4, min=every / 4, max=every),
            sleep=self.pause,
            reraise=True,
        )
        try:
            result = retrying(attempt)
        except StillWaiting as seen:
            if expired is not None:
                raise expired(str(seen)) from None
            raise errors.CliError(
                errors.TIMED_OUT,
                f"Waited {timeout:.0f} s for {what}",
                cause=str(seen) or "no answer",
                fix="run the same command again to go on",
            ) from None
        self.emit(StepWaited(key=key, what=what))
        return result

    def wait_shown(self, read: Callable[[], T | None], *, by: str, what: str, timeout: float) -> T:
        """Read again until there is something; `by` is who may not show it at once."""

        def look() -> T:
            found = read()
            if found is None:
                raise StillWaiting(f"{by} does not show it yet")
            return found

        return self.wait_for(look, what=what, timeout=timeout)

    def wait_gone(
        self, read: Callable[[], object | None], *, by: str, what: str, timeout: float
    ) -> None:
        """Read again until there is nothing any more; `by` is who may show it a while longer."""

        def look() -> None:
            if read() is not None:
                raise StillWaiting(f"{by} still shows it")

        self.wait_for(look, what=f"{what} to be gone", timeout=timeout)

    def retry(
        self,
        call: Callable[[], T],
        *,
        retriable: Callable[[BaseException], bool],
        what: str,
        timeout: float,
    ) -> T:
        """Repeat `call` while `retriable` says so of its exception, at most `timeout` seconds.

        The last exception is raised as it is. Intervals grow from 0.2 s to 5 s, with jitter.
        """
        key = current_step.get()

        def before_sleep(state: tenacity.RetryCallState) -> None:
            seen = state.outcome.exception() if state.outcome else None
            self.emit(StepWaiting(key=key, what=what, detail=str(seen or "")))

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(retriable),
            stop=tenacity.stop_after_delay(timeout),
            wait=tenacity.wait_random_exponential(multiplier=0.2, min=0.2, max=5),
            sleep=self.pause,
            before_sleep=before_sleep,
            reraise=True,
        )
        result = retrying(call)
        if retrying.statistics["attempt_number"] > 1:
            self.emit(StepWaited(key=key, what=what))
        return result

    def await_(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the command's event loop from a worker thread.

        An interruption cancels it, and it is waited for until it has cleaned up.
        """
        if self.loop is None:
            return asyncio.run(work)
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        while True:
            try:
                return future.result(timeout=0.2)
            except TimeoutError:
                if future.done():
                    raise
                if self.stopped:
                    future.cancel()
                    self.check()
