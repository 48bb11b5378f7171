"""The session with Oracle Cloud: who we are, and what is reported of each call."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property, partial
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import oci
from oci._vendor import requests
from oci.circuit_breaker import NoCircuitBreakerStrategy
from oci.retry import NoneRetryStrategy

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.oke import codes
from anyscale_k8s_cli.providers.oke.sdk import failures
from anyscale_k8s_cli.providers.oke.sdk.whereabouts import Whereabouts
from anyscale_k8s_cli.run import Run

C = TypeVar("C")

# Seconds to connect and to read.
TIMEOUT = 5.0, 20.0
PAGE = 100
# How long a cluster takes a signed request for a token.
TOKEN_LIFETIME = timedelta(minutes=4)
_BUSY_SECONDS, _SILENT_SECONDS = 30.0, 3.0


class Session:
    """Whoever this machine's settings say. Safe for threads."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.where = Whereabouts()
        self._lock = Lock()
        self._clients: dict[tuple[type, str], Any] = {}

    # -- who we are, and where -----------------------------------------------------------

    @property
    def tenancy(self) -> str:
        return self.where.who.tenancy

    @property
    def principal(self) -> str:
        """The user's id; the tenancy's where a machine signs."""
        who = self.where.who
        return who.user or who.tenancy

    @cached_property
    def home_region(self) -> str:
        """The one in which identity can be changed. Asked once."""
        region = self.where.region
        client = self.client(oci.identity.IdentityClient, region)
        found = self.ask(
            "identity.ListRegionSubscriptions",
            lambda: client.list_region_subscriptions(self.tenancy),
        ).data
        return next((str(item.region_name) for item in found if item.is_home_region), region)

    def token(self, cluster_id: str, region: str) -> BearerToken:
        """What a cluster lets us in by: a signed request, as the command line makes it."""
        now = datetime.now(UTC)
        url = f"{self.where.token_endpoint(region)}/cluster_request/{cluster_id}"
        date = format_datetime(now, usegmt=True)
        request = requests.Request("GET", url, headers={"date": date}).prepare()
        request.headers["host"] = urlsplit(url).netloc
        self.where.who.signer.do_request_sign(request)
        said = {"authorization": request.headers["authorization"], "date": date}
        value = base64.urlsafe_b64encode(f"{url}?{urlencode(said, quote_via=quote)}".encode())
        return BearerToken(value.decode(), now + TOKEN_LIFETIME)

    # -- calls -----------------------------------------------------------------------------

    def client(self, kind: Callable[..., C], region: str) -> C:
        """One client of a service in a region, for all threads."""
        with self._lock:
            found = self._clients.get((kind, region))  # type: ignore[arg-type]
            if found is None:
                found = self._clients[kind, region] = self._made(kind, region)  # type: ignore[index]
            made: C = found
            return made

    def _made(self, kind: Callable[..., C], region: str) -> C:
        who, endpoint = self.where.who, self.where.endpoint(region)
        return kind(
            {
                **who.config,
                "region": region,
                "additional_user_agent": f"anyscale-k8s-cli/{tool_version()}",
            },
            signer=who.signer,
            timeout=TIMEOUT,
            # The SDK's own rules go on for minutes, and hear of no interruption.
            retry_strategy=NoneRetryStrategy(),
            circuit_breaker_strategy=NoCircuitBreakerStrategy(),
            **({"service_endpoint": endpoint} if endpoint else {}),
        )

    def ask(self, what: str, call: Callable[[], Any], *, once: bool = False) -> Any:
        """The response; `what` names service and call. Raises `CloudFailure`.

        Repeated while Oracle is busy or silent, writes too: what a write that was done
        after all answers to its repetition, its resource knows. `once` is for what must
        not be done twice.
        """
        started = time.monotonic()

        def attempt() -> Any:
            with self._reported(what):
                return call()

        def passing(problem: BaseException) -> bool:
            if not failures.is_busy(problem):
                return False
            silent = isinstance(problem, CloudFailure) and problem.code is codes.OCI_UNREACHABLE
            patience = _SILENT_SECONDS if silent else _BUSY_SECONDS
            return time.monotonic() - started < patience

        if once:
            return attempt()
        return self.run.retry(attempt, retriable=passing, what=what, timeout=_BUSY_SECONDS)

    def find(self, what: str, call: Callable[[], Any]) -> Any | None:
        """The same; None when Oracle says that there is no such thing, or none for us."""
        try:
            return self.ask(what, call)
        except CloudFailure as failure:
            if failure.api_code in failures.ABSENT:
                return None
            raise

    def remove(self, what: str, call: Callable[[], Any], still_there: Callable[[], bool]) -> None:
        """A deletion; already gone is success. Oracle answers the same to whoever may not:
        so it is looked whether the thing is there. Raises `CloudFailure`."""
        try:
            self.ask(what, call)
        except CloudFailure as failure:
            if failure.api_code not in failures.ABSENT or still_there():
                raise

    def items(self, what: str, call: Callable[..., Any]) -> Iterator[Any]:
        """What a list has, page by page; `call` takes the SDK's `page` and `limit`."""
        page = ""
        while True:
            answer = self.ask(what, partial(call, limit=PAGE, **({"page": page} if page else {})))
            # Some lists are a body with items in it.
            yield from getattr(answer.data, "items", answer.data)
            page = answer.headers.get("opc-next-page") or ""
            if not page:
                return

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        """Tells of a call, and puts what the SDK raises in our words."""
        started, status = time.monotonic(), "OK"
        try:
            yield
        except failures.RAISED as problem:
            status = failures.word_for(problem)
            raise failures.of_sdk(problem, what, self.where.who.user) from problem
        finally:
            seconds = time.monotonic() - started
            self.run.emit(CallMade(service="oci", call=what, status=status, seconds=seconds))
