"""The session with Nebius: who we are, and what is reported of each call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from typing import Any, Protocol, TypeVar

from nebius.aio.token import options
from nebius.sdk import SDK

from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.nebius import codes
from anyscale_k8s_cli.providers.nebius.sdk import failures
from anyscale_k8s_cli.providers.nebius.sdk.whereabouts import Whereabouts
from anyscale_k8s_cli.run import Run, StillWaiting

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# Seconds: of a call, and with a new token for it.
TIMEOUT, AUTH_TIMEOUT = 15.0, 30.0
# The SDK would else repeat what fails for minutes, and hear of no interruption. It may ask
# for a new token once when one has ended.
LIMITS: dict[str, Any] = {
    "timeout": TIMEOUT,
    "retries": 0,
    "auth_timeout": AUTH_TIMEOUT,
    "auth_options": {options.OPTION_REPORT_ERROR: "1", options.OPTION_MAX_RETRIES: "2"},
}
PAGE = 100
_OPERATION_SECONDS = 120.0
_BUSY_SECONDS, _SILENT_SECONDS = 30.0, 3.0
_BUSY = (failures.THROTTLED, failures.UNAVAILABLE, failures.LATE)

# Else Python prints on standard error what the SDK tells with each failure.
logging.getLogger("nebius").addHandler(logging.NullHandler())


class Request(Protocol[T_co]):
    """The SDK's request, which is not sent before somebody waits for it."""

    def wait(self) -> T_co: ...


class Session:
    """Whoever this machine's settings say, in one project. Safe for threads."""

    def __init__(self, run: Run, project: str) -> None:
        self.run = run
        self.project = project
        self.where = Whereabouts()
        self._lock = threading.RLock()
        self._sdk: SDK | None = None

    @property
    def sdk(self) -> SDK:
        """Raises `cloud-credentials-missing`."""
        with self._lock:
            if self._sdk is None:
                self._sdk = self.where.sdk()
            return self._sdk

    # -- who we are ------------------------------------------------------------------

    def bearer(self) -> BearerToken:
        """An IAM token that is still good for a while. Raises `CloudFailure`.

        In a thread of its own: the SDK answers nobody who is in an event loop, as whoever
        renews a token for a child process is.
        """
        with self._reported("an access token"), ThreadPoolExecutor(1) as thread:
            fetched = thread.submit(
                lambda: self.sdk.get_token_sync(AUTH_TIMEOUT, dict(LIMITS["auth_options"]))
            )
            token = fetched.result()
        ends = token.expiration
        return BearerToken(token.token, ends.astimezone(UTC) if ends else None)

    @cached_property
    def _profile(self) -> tuple[str, str, bool]:
        """Id and name of whoever we are, and whether that is a person. Asked once."""
        found = self.ask("iam.profile.get", lambda: self.sdk.whoami(**LIMITS))
        if found.service_account_profile is not None:
            metadata = found.service_account_profile.info.metadata
            return metadata.id, metadata.name or metadata.id, False
        if found.user_profile is not None:
            attributes = found.user_profile.attributes
            email = attributes.email if attributes else ""
            return found.user_profile.id, email or found.user_profile.id, True
        return "", "", False

    @property
    def principal(self) -> str:
        """Its name: of a service account, or a person's e-mail."""
        return self._profile[1]

    @property
    def own_id(self) -> str:
        return self._profile[0]

    @property
    def is_person(self) -> bool:
        return self._profile[2]

    # -- calls -----------------------------------------------------------------------

    def ask(self, what: str, call: Callable[[], Request[T]], *, once: bool = False) -> T:
        """The answer; `what` is the right that the call takes. Raises `CloudFailure`.

        Repeated while Nebius is busy or silent, writes too: what a write that was done
        after all answers to its repetition, its resource knows. `once` is for what must
        not be done twice.
        """

        def attempt() -> T:
            with self._reported(what):
                request = call()
                # A server that is down is told of at once.
                request.wait_for_ready = False  # type: ignore[attr-defined]
                return request.wait()

        if once:
            return attempt()
        started = time.monotonic()

        def passing(problem: BaseException) -> bool:
            if not isinstance(problem, CloudFailure) or problem.api_code not in _BUSY:
                return False
            unreachable = problem.code is codes.NEBIUS_UNREACHABLE
            patience = _SILENT_SECONDS if unreachable else _BUSY_SECONDS
            hopeless = problem.code is codes.NEBIUS_QUOTA
            return not hopeless and time.monotonic() - started < patience

        return self.run.retry(attempt, retriable=passing, what=what, timeout=_BUSY_SECONDS)

    def find(self, what: str, call: Callable[[], Request[T]]) -> T | None:
        """The same; None when Nebius says that there is no such thing."""
        try:
            return self.ask(what, call)
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise

    def do(self, what: str, call: Callable[[], Request[Any]], *, once: bool = False) -> str:
        """A change, until it is done; the id of what was changed. Raises `CloudFailure`."""
        operation = self.ask(what, call, once=once)

        def finished() -> None:
            if operation.done():
                return
            with self._reported("operation.get"):
                operation.sync_update(**LIMITS)
            if not operation.done():
                raise StillWaiting("the operation is still running")

        self.run.wait_for(finished, what=what, timeout=_OPERATION_SECONDS)
        if not operation.successful():
            status = operation.status()
            raise failures.of_answer(
                status.code.name if status else "UNKNOWN",
                (status.message if status else "") or "",
                what,
                self.asker,
            )
        return str(operation.resource_id)

    def pages(self, what: str, call: Callable[[str], Request[Any]]) -> Iterator[Any]:
        """The answers of a list, page by page; `call` is given the token of a page."""
        token = ""
        while True:
            page = self.ask(what, lambda token=token: call(token))  # type: ignore[misc]
            yield page
            token = page.next_page_token
            if not token:
                return

    @property
    def asker(self) -> failures.Asker:
        # Only if it is known by now: a message must not ask anything.
        known = self.__dict__.get("_profile")
        return failures.Asker(known[1] if known else "", self.project)

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        """Tells of a call, and puts what the SDK raises in our words."""
        started, status = time.monotonic(), "OK"
        try:
            yield
        except failures.RAISED as problem:
            status = failures.word_for(problem)
            raise failures.of_sdk(problem, what, self.asker) from problem
        finally:
            seconds = time.monotonic() - started
            self.run.emit(CallMade(service="nebius", call=what, status=status, seconds=seconds))
